"""Size buckets: within one, every call has the same price tier on every model.

A tier reprices a whole request by its input, so tokens may be summed only among calls of one tier.
The edges hold every tier of the catalogue, and the sizes that the grouping rules speak of; hence a
sum over a bucket is priced exactly, on today's model and on any other.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from hybridllm.catalog.structs import Catalog

RULE_INPUTS = (4_000, 16_000)
RULE_OUTPUTS = (100, 500, 1_500, 4_000)
"""Tokens of one call at which the grouping rules (`tasks.RULES`) tell tasks apart."""

LONG_AGO = "1970-01-01"


class Grid(Struct, frozen=True, kw_only=True):
    """`inputs` and `outputs` are the buckets' upper edges (inclusive); above the last is one more
    bucket. `days` are those on which some price changes: period p runs from days[p - 1] on, and
    period 0 is before the first, and `undated` that of calls without a date, who are priced as on
    `today`."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    days: tuple[str, ...]
    today: str

    @property
    def undated(self) -> int:
        return len(self.days) + 1

    def day(self, period: int) -> str:
        """A day of that period, which has the prices of all its days."""
        if period == self.undated:
            return self.today
        return self.days[period - 1] if period else LONG_AGO

    def pack(self, period: str, size_in: str, size_out: str, batch: str) -> str:
        """SQL of one integer that holds all four."""
        inner = f"({period})::INTEGER * {len(self.inputs) + 1} + ({size_in})"
        inner = f"({inner}) * {len(self.outputs) + 1} + ({size_out})"
        return f"({inner}) * 2 + ({batch})"

    def unpack(self, packed: int) -> tuple[int, int, int, bool]:
        """Period, input bucket, output bucket, batch."""
        rest, batch = divmod(packed, 2)
        rest, size_out = divmod(rest, len(self.outputs) + 1)
        period, size_in = divmod(rest, len(self.inputs) + 1)
        return period, size_in, size_out, bool(batch)

    def period_of(self, day: str) -> int:
        """The period that holds `day`."""
        return sum(1 for start in self.days if start <= day)

    def tier_size(self, bucket: int) -> int:
        """An input that has the price tier of every call in the bucket."""
        return self.inputs[bucket] if bucket < len(self.inputs) else self.inputs[-1] + 1


def grid_of(catalog: Catalog, day: str) -> Grid:
    """The grid of a catalogue; calls without a date are priced as on `day`."""
    prices = [price for model in catalog.models.values() for price in model.prices]
    tiers = {tier.above_input_tokens for price in prices for tier in price.tiers}
    days = tuple(sorted({price.since for price in prices}))
    return Grid(
        inputs=tuple(sorted({*tiers, *RULE_INPUTS})),
        outputs=RULE_OUTPUTS,
        days=days,
        today=day,
    )


def bucket_sql(value: str, edges: Sequence[int]) -> str:
    """SQL of the number of `edges` that `value` exceeds: a binary search, as nested CASEs."""
    return _search([f"{value} > {edge}" for edge in edges], 0)


def period_sql(at: str, grid: Grid, first: str = "", last: str = "") -> str:
    """SQL of the period of the timestamp `at`; NULL is `undated`. `first` and `last` are the days
    that it lies between, where they are known: the fewer changes of price, the fewer questions."""
    before = grid.period_of(first) if first else 0
    days = [day for day in grid.days[before:] if not last or day <= last]
    found = _search([f"{at} >= TIMESTAMP '{day}'" for day in days], before)
    return f"CASE WHEN {at} IS NULL THEN {grid.undated} ELSE {found} END"


def _search(conditions: Sequence[str], passed: int) -> str:
    if not conditions:
        return str(passed)
    middle = len(conditions) // 2
    below = _search(conditions[:middle], passed)
    above = _search(conditions[middle + 1 :], passed + middle + 1)
    return f"CASE WHEN {conditions[middle]} THEN {above} ELSE {below} END"
