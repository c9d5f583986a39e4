"""How a call can be bought of a model: live or in a batch, its shared prefix marked for a cache or
not; and what so many calls cost that way.

A model whose price list bills writes to the cache apart caches what is marked and nothing else. One
whose list does not caches by itself, from its least prefix on: there is nothing to mark, a write
costs as much as input, and every strategy is billed that way.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Literal

from msgspec import Struct

from hybridllm.catalog.structs import Model, Price, Rates
from hybridllm.pricing import price_at

Mode = Literal["sync", "batch"]

Cache = Literal["none", "auto", "short", "long", "batch"]
"""`auto`: by the provider itself; `short`, `long`: marked, for that lifetime; `batch`: marked, in a
batch."""


class Cell(Struct, frozen=True, gc=False):
    """`calls` of a line that are alike: tokens of one call, of which the first `prefix` of the
    input are shared. `writes` of the calls write the prefix to a cache and the rest read it, by
    lifetime (short, long, batch); None where no reuse is known. `can_wait`: for a batch."""

    calls: int
    input_tokens: int
    output_tokens: int
    prefix: int
    writes: tuple[int | None, int | None, int | None]
    can_wait: bool


class Offer(Struct, frozen=True, gc=False):
    """One way to buy, in picodollars per token. `lifetime` is the place in `Cell.writes` that
    counts; `write` and `read` are unused where `cache` is `none`."""

    mode: Mode
    cache: Cache
    input: int
    output: int
    write: int = 0
    read: int = 0
    lifetime: int = 0


class Floor(Struct, frozen=True, gc=False):
    """The least that any of some offers asks for a token of plain input, of a shared prefix and of
    output: what no way to buy can undercut."""

    input: int
    prefix: int
    output: int


class Shelf(Struct, frozen=True, kw_only=True):
    """Everything that is known of buying from `model` on a day. `bands` are (offers by price tier,
    rising); the last of `thresholds` that the whole input exceeds says which."""

    model: Model
    id: str
    window: int
    most_output: int
    least_prefix: int
    thresholds: tuple[int, ...]
    bands: tuple[tuple[Offer, ...], ...]
    floor: Floor

    def offers(self, input_tokens: int) -> tuple[Offer, ...]:
        """For calls with so much input. Live before batch, unmarked before marked."""
        band = 0
        for threshold in self.thresholds:
            if input_tokens <= threshold:
                break
            band += 1
        return self.bands[band]

    def fits(self, cell: Cell) -> bool:
        """Whether the model can take such a call."""
        output = cell.output_tokens
        return output <= self.most_output and cell.input_tokens + output <= self.window


def shelf_of(model: Model, day: str) -> Shelf | None:
    """None: the model has no price on that day."""
    price = price_at(model, day)
    if price is None:
        return None
    bands = _bands(price)
    return Shelf(
        model=model,
        id=model.id,
        window=model.context_window,
        most_output=model.max_output_tokens,
        least_prefix=model.min_cache_tokens,
        thresholds=tuple(tier.above_input_tokens for tier in price.tiers),
        bands=bands,
        floor=_floor(offer for offers in bands for offer in offers),
    )


def _bands(price: Price) -> tuple[tuple[Offer, ...], ...]:
    tables = [(price.rates, price.batch), *((tier.rates, tier.batch) for tier in price.tiers)]
    return tuple(
        (*_ways(live, "sync"), *(_ways(batch, "batch") if batch and _pays(live, batch) else ()))
        for live, batch in tables
    )


def _pays(live: Rates, batch: Rates) -> bool:
    """At live prices a batch is still worth it where it reads a cache more often."""
    return batch != live or batch.cache_read is not None


def lower_floor(a: Floor, b: Floor) -> Floor:
    """Under both."""
    return Floor(min(a.input, b.input), min(a.prefix, b.prefix), min(a.output, b.output))


def _floor(ways: Iterable[Offer]) -> Floor:
    floors = [
        Floor(way.input, min(way.input, way.write, way.read), way.output)
        if way.cache != "none"
        else Floor(way.input, way.input, way.output)
        for way in ways
    ]
    return reduce(lower_floor, floors)


def _ways(rates: Rates, mode: Mode) -> list[Offer]:
    """Unmarked, then with each mark there is."""
    place = 0 if mode == "sync" else 2
    read, write = rates.cache_read, rates.cache_write
    if read is not None and write is None:
        return [Offer(mode, "auto", rates.input, rates.output, rates.input, read, place)]
    ways = [Offer(mode, "none", rates.input, rates.output)]
    if read is None or write is None:
        return ways
    mark: Cache = "short" if mode == "sync" else "batch"
    ways.append(Offer(mode, mark, rates.input, rates.output, write, read, place))
    if mode == "sync" and rates.cache_write_long is not None:
        long = rates.cache_write_long
        ways.append(Offer(mode, "long", rates.input, rates.output, long, read, 1))
    return ways


def cost_of_cell(cell: Cell, shelf: Shelf, offer: Offer) -> int:
    """Picodollars for all calls of the cell. A prefix below the model's least is not cached."""
    plain = cell.calls * (cell.input_tokens * offer.input + cell.output_tokens * offer.output)
    writes = cell.writes[offer.lifetime]
    if offer.cache == "none" or writes is None or cell.prefix < shelf.least_prefix:
        return plain
    reads = cell.calls - writes
    return plain + cell.prefix * (
        writes * (offer.write - offer.input) + reads * (offer.read - offer.input)
    )


def applies(cell: Cell, shelf: Shelf, offer: Offer) -> bool:
    """Whether the offer's cache comes into play for the cell."""
    known = offer.cache != "none" and cell.writes[offer.lifetime] is not None
    return known and cell.prefix > 0 and cell.prefix >= shelf.least_prefix


def unmarked(offers: tuple[Offer, ...], mode: Mode) -> Offer:
    """As callers buy who mark nothing; live where there is no batch."""
    plain = [offer for offer in offers if offer.cache in ("none", "auto")]
    return next((offer for offer in plain if offer.mode == mode), plain[0])
