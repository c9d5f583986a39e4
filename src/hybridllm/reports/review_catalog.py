"""What has changed between the catalogue that a policy was made with and today's; and what will.

Pure: two catalogues and a day in, changes out. Prices are compared by their live rates and tiers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from msgspec import Struct
from msgspec.structs import replace

from hybridllm.catalog.structs import Catalog, Model, Price, Rates, Task
from hybridllm.pricing import price_at

UNDATED = "2020-01-01"
"""In our data, the start of a model's oldest price, of which the source has no date."""

LIMITS = (
    "context_window",
    "max_output_tokens",
    "min_cache_tokens",
    "tools",
    "vision",
    "documents",
    "json_schema",
    "reasoning",
    "reasoning_required",
)


class Use(Struct, frozen=True, kw_only=True):
    """Where a policy uses a model."""

    candidate_of: tuple[str, ...] = ()
    fallback_of: tuple[str, ...] = ()
    baseline: bool = False

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.candidate_of, *self.fallback_of)))


class PriceChange(Struct, frozen=True, kw_only=True):
    """A model's price that is not, or will not be, what it was. `since` is the first day of the new
    one, "" where the source has no date for it. `future`: it has not come yet. `tiers` are the new
    ones of (above so many input tokens, rates)."""

    model: str
    before: Rates
    after: Rates
    since: str
    future: bool = False
    tiers: tuple[tuple[int, Rates], ...] = ()
    new_tiers: bool = False
    tasks: tuple[str, ...] = ()


class LimitChange(Struct, frozen=True, kw_only=True):
    """A limit or capability (`what`, one of LIMITS) that is another one now; flags are 0 and 1."""

    model: str
    what: str
    before: int
    after: int


class Withdrawal(Struct, frozen=True, kw_only=True):
    """A model of the policy that its provider withdraws on day `on`, in `days` (negative: it was);
    "" and 0: today's catalogue does not know it."""

    model: str
    on: str
    days: int
    use: Use


def uses_of(tasks: Iterable[Task], baseline: str) -> dict[str, Use]:
    """Where each model (by id) of a policy is used."""
    candidates: dict[str, list[str]] = {}
    fallbacks: dict[str, list[str]] = {}
    for task in tasks:
        for model in task.candidates:
            candidates.setdefault(model, []).append(task.name)
        for model in task.fallbacks:
            fallbacks.setdefault(model, []).append(task.name)
    return {
        model: Use(
            candidate_of=tuple(candidates.get(model, ())),
            fallback_of=tuple(fallbacks.get(model, ())),
            baseline=model == baseline,
        )
        for model in dict.fromkeys((*candidates, *fallbacks, baseline))
    }


def price_changes(
    uses: dict[str, Use], then: Catalog, now: Catalog, since: str, day: str
) -> list[PriceChange]:
    """What the policy's models cost on `day`, where it is not what `then` said.

    Where `then` is today's catalogue itself, the changes that it dates from `since` to `day`.
    """
    found = []
    for id, use in uses.items():
        old, new = then.models.get(id), now.models.get(id)
        if old is None or new is None:
            continue
        if old is new or old.prices == new.prices:
            found += [c for c in _dated(new, use.tasks) if since < c.since <= day]
            continue
        before, after = price_at(old, day), price_at(new, day)
        if before is not None and after is not None and _differ(before, after):
            found.append(_change(new, before, after, _first_day(new, after, day), use.tasks))
    return found


def future_prices(uses: dict[str, Use], now: Catalog, day: str) -> list[PriceChange]:
    """Every change of a chat model's price that is known to come, the next first."""
    found = [
        change
        for model in now.models.values()
        if model.kind == "chat" and not withdrawn(model, day)
        for change in _dated(model, uses[model.id].tasks if model.id in uses else ())
        if change.since > day
    ]
    return sorted((_to_come(change) for change in found), key=lambda c: (c.since, c.model))


def _to_come(change: PriceChange) -> PriceChange:
    """The same change, marked as one to come."""
    return replace(change, future=True)


def limit_changes(uses: dict[str, Use], then: Catalog, now: Catalog) -> list[LimitChange]:
    """Limits and capabilities of the policy's models that `then` says otherwise."""
    return [
        LimitChange(model=id, what=what, before=int(before), after=int(after))
        for id in uses
        if (old := then.models.get(id)) is not None and (new := now.models.get(id)) is not None
        for what in LIMITS
        if (before := getattr(old, what)) != (after := getattr(new, what))
    ]


def withdrawals(uses: dict[str, Use], now: Catalog, day: str) -> list[Withdrawal]:
    """The policy's models that are withdrawn or will be, the first one first."""
    found = []
    for id, use in uses.items():
        model = now.models.get(id)
        if model is None:
            found.append(Withdrawal(model=id, on="", days=0, use=use))
        elif model.deprecated_on is not None:
            days = (date.fromisoformat(model.deprecated_on) - date.fromisoformat(day)).days
            found.append(Withdrawal(model=id, on=model.deprecated_on, days=days, use=use))
    return sorted(found, key=lambda w: (w.on, w.model))


def withdrawn(model: Model, day: str) -> bool:
    """Whether its provider no longer serves it on `day`."""
    return model.deprecated_on is not None and model.deprecated_on <= day


def _dated(model: Model, tasks: tuple[str, ...]) -> Iterator[PriceChange]:
    for before, after in zip(model.prices, model.prices[1:], strict=False):
        if _differ(before, after):
            yield _change(model, before, after, after.since, tasks)


def _change(
    model: Model, before: Price, after: Price, since: str, tasks: tuple[str, ...]
) -> PriceChange:
    new_tiers = _tiers(before) != _tiers(after)
    return PriceChange(
        model=model.id,
        before=before.rates,
        after=after.rates,
        since="" if since <= UNDATED else since,
        tiers=_tiers(after) if new_tiers else (),
        new_tiers=new_tiers,
        tasks=tasks,
    )


def _first_day(model: Model, price: Price, day: str) -> str:
    """From when on the model has cost what it costs on `day`."""
    first = price.since
    for older in reversed([p for p in model.prices if p.since <= day]):
        if _differ(older, price):
            break
        first = older.since
    return first


def _differ(a: Price, b: Price) -> bool:
    return a.rates != b.rates or _tiers(a) != _tiers(b)


def _tiers(price: Price) -> tuple[tuple[int, Rates], ...]:
    return tuple((tier.above_input_tokens, tier.rates) for tier in price.tiers)
