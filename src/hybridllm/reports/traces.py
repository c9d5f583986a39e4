"""Where a figure comes from: a query that yields it, what it read, and the prices behind it."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct
from sqlalchemy import Connection, Engine, text

from hybridllm.catalog.structs import Catalog, Model, Price, Rates, Usage
from hybridllm.pricing import cost, price_at
from hybridllm.reports.period import Period
from hybridllm.reports.totals import Totals, add, totals_by
from hybridllm.store.schema import whole


class Trace(Struct, kw_only=True, frozen=True):
    """`query` yields `amount` from the store's hourly sums: a count; or picodollars, in two columns
    of which the first counts millionths of a dollar. It read `rows` rows of `hours` different
    hours."""

    figure: str
    amount: int
    query: str
    rows: int
    hours: int


class PriceUse(Struct, kw_only=True, frozen=True):
    """A model's price from `since` on and what was used at it. `reckoned` is that usage at `rates`;
    where `cost` differs, the rest is price tiers, batches, or prices that were configured
    otherwise at the time."""

    model: str
    since: str
    rates: Rates
    usage: Usage
    attempts: int
    cost: int
    reckoned: int


def within(hours: Period, **equal: str) -> str:
    """The condition of a query: these hours, and columns that have a value."""
    terms = [f"hour >= {hours.start}", f"hour < {hours.end}"]
    terms += [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in equal.items()]
    return " AND ".join(terms)


def money(*columns: tuple[str, int]) -> str:
    """A sum of amounts, each with its sign, as SQL: whole millionths of a dollar, and the
    picodollars over. Not as one number, which SQLite could not hold exactly."""
    return ", ".join(
        " ".join(
            f"{'+' if sign > 0 else '-'} SUM({name}_{part})" for name, sign in columns
        ).removeprefix("+ ")
        for part in ("micro", "pico")
    )


def traced(engine: Engine, figure: str, what: str, where: str) -> Trace:
    """Run the query and note what it read."""
    query = f"SELECT {what} FROM hourly WHERE {where}"
    read = f"SELECT COUNT(*), COUNT(DISTINCT hour) FROM hourly WHERE {where}"
    with engine.connect() as connection:
        amount = amount_of(connection, query)
        rows, hours = _first(connection, read)
    return Trace(figure=figure, amount=amount, query=query, rows=rows, hours=hours)


def amount_of(connection: Connection, query: str) -> int:
    """What a trace's query yields: a number, or an amount in its two parts."""
    found = _first(connection, query)
    return whole(*found) if len(found) == 2 else found[0]


def _first(connection: Connection, query: str) -> list[int]:
    # A colon in a name would be taken for a parameter.
    row = connection.execute(text(query.replace(":", r"\:"))).one()
    return [int(value or 0) for value in row]


def price_uses(engine: Engine, catalog: Catalog, hours: Period) -> list[PriceUse]:
    """Every price in force in the period for a model that was called, dearest use first."""
    uses: dict[tuple[str, str], list[Totals]] = {}
    rates: dict[tuple[str, str], Rates] = {}
    for (name, day), totals in totals_by(engine, ["model", "day"], hours):
        model = catalog.models.get(name)
        price = None if model is None else price_at(model, day)
        if price is not None:
            uses.setdefault((name, price.since), []).append(totals)
            rates[name, price.since] = price.rates
    made = [_use(*key, rates[key], add(totals)) for key, totals in uses.items()]
    return sorted(made, key=lambda use: (-use.cost, use.model, use.since))


def _use(model: str, since: str, rates: Rates, totals: Totals) -> PriceUse:
    usage = usage_of(totals)
    return PriceUse(
        model=model,
        since=since,
        rates=rates,
        usage=usage,
        attempts=totals.attempts,
        cost=totals.cost,
        reckoned=cost(usage, rates),
    )


def usage_of(totals: Totals) -> Usage:
    """The tokens of some sums."""
    return Usage(**{name: getattr(totals, name) for name in Usage.__struct_fields__})


def prices_during(model: Model, hours: Period) -> list[Price]:
    """The model's prices that were in force at any time of the period."""
    first, last = (
        datetime.fromtimestamp(second, UTC).date().isoformat()
        for second in (hours.start, hours.end - 1)
    )
    standing = price_at(model, first)
    later = [price for price in model.prices if first < price.since <= last]
    return [*([] if standing is None else [standing]), *later]
