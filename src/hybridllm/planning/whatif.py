"""The same month with other volumes and other prices: how much the saving depends on them.

Prices are changed a provider at a time and the month is planned anew, so that what routing would do
about it is in the figures. Volume changes the bills in proportion; the engineering stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from hybridllm.catalog.structs import Model, Price, Rates
from hybridllm.config import Config
from hybridllm.planning.cost import Strategy

VOLUMES = (Fraction(1, 10), Fraction(1, 2), Fraction(2), Fraction(10))
PRICES = (Fraction(1, 2), Fraction(2))


class WhatIf(Struct, frozen=True, kw_only=True):
    """`factor` times the calls, or times the prices of provider `of`; then the month's picodollars
    by strategy."""

    kind: Literal["as it is", "volume", "price"]
    of: str
    factor: Fraction
    monthly: dict[str, int]


Plan = Callable[[Config], Sequence[Strategy]]


def what_if(plan: Plan, config: Config, now: Sequence[Strategy]) -> list[WhatIf]:
    """The month as it is, then with each of `VOLUMES`, then each provider that any strategy uses
    at each of `PRICES`."""
    monthly = _monthly(now)
    found = [WhatIf(kind="as it is", of="", factor=Fraction(1), monthly=monthly)]
    for factor in VOLUMES:
        scaled = {name: round(cost * factor) for name, cost in monthly.items()}
        found.append(WhatIf(kind="volume", of="", factor=factor, monthly=scaled))
    used = {line.model.partition("/")[0] for strategy in now for line in strategy.lines}
    for provider in sorted(used):
        for factor in PRICES:
            changed = _monthly(plan(repriced(config, provider, factor)))
            found.append(WhatIf(kind="price", of=provider, factor=factor, monthly=changed))
    return found


def repriced(config: Config, provider: str, factor: Fraction) -> Config:
    """With every price of that provider times `factor`, rounded to a picodollar a token."""
    models = {
        id: _repriced(model, factor) if model.provider == provider else model
        for id, model in config.catalog.models.items()
    }
    return replace(config, catalog=replace(config.catalog, models=models))


def _repriced(model: Model, factor: Fraction) -> Model:
    return replace(model, prices=tuple(_price(price, factor) for price in model.prices))


def _price(price: Price, factor: Fraction) -> Price:
    tiers = tuple(
        replace(
            tier,
            rates=_rates(tier.rates, factor),
            batch=None if tier.batch is None else _rates(tier.batch, factor),
        )
        for tier in price.tiers
    )
    batch = None if price.batch is None else _rates(price.batch, factor)
    return replace(price, rates=_rates(price.rates, factor), batch=batch, tiers=tiers)


def _rates(rates: Rates, factor: Fraction) -> Rates:
    changed = {name: getattr(rates, name) for name in Rates.__struct_fields__}
    for name, rate in changed.items():
        changed[name] = None if rate is None else round(rate * factor)
    return Rates(**changed)


def _monthly(strategies: Sequence[Strategy]) -> dict[str, int]:
    return {strategy.name: strategy.monthly for strategy in strategies}
