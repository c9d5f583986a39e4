"""The shape of a model in a data file, and the way from it to the catalogue's structs.

Files are read by people, so prices stand in them as providers publish them: decimal dollars per
million tokens. They are read as exact decimals, never as floats, and become integer picodollars
per token here.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from hybridllm.catalog.structs import Model, Price, PriceTier, Rates
from hybridllm.errors import ConfigError

PICODOLLARS_PER_TOKEN = 1_000_000
"""One dollar per million tokens, in picodollars per token."""


class RatesFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Dollars per million tokens by kind; the fields of `Rates`."""

    input: Decimal
    output: Decimal
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_long: Decimal | None = None
    reasoning: Decimal | None = None


class TierFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Rates of a request whose whole input exceeds `above_input_tokens`."""

    above_input_tokens: int
    rates: RatesFile
    batch: RatesFile | None = None


class PriceFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A dated price; the fields of `Price`."""

    since: str
    rates: RatesFile
    batch: RatesFile | None = None
    tiers: tuple[TierFile, ...] = ()
    source: str = ""


class ModelFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A model; the fields of `Model`."""

    provider: str
    name: str
    context_window: int
    max_output_tokens: int
    prices: tuple[PriceFile, ...]
    kind: str = "chat"
    aliases: tuple[str, ...] = ()
    tools: bool = True
    vision: bool = True
    json_schema: bool = True
    reasoning: bool = False
    reasoning_required: bool = False
    documents: bool = False
    min_cache_tokens: int = 1024
    tokens_per_kbyte: int = 250
    deprecated_on: str | None = None
    released_on: str | None = None
    source: str = ""


def model_from(file: ModelFile) -> Model:
    """The model that `file` describes. Raises ConfigError where its figures make no sense."""
    label = f"{file.provider}/{file.name}"
    if file.kind not in ("chat", "embedding"):
        raise ConfigError(f'{label}: kind is "{file.kind}", not "chat" or "embedding".')
    if file.context_window < 1 or file.max_output_tokens < (file.kind == "chat"):
        raise ConfigError(f"{label}: context_window and max_output_tokens must be positive.")
    days = [price.since for price in file.prices]
    if days != sorted(set(days)):
        raise ConfigError(f"{label}: prices must be in order of since, each day once.")
    fields = {name: getattr(file, name) for name in file.__struct_fields__ if name != "prices"}
    return Model(prices=tuple(_price(label, price) for price in file.prices), **fields)


def _price(label: str, file: PriceFile) -> Price:
    if not is_day(file.since):
        raise ConfigError(f'{label}: since is "{file.since}", not a day such as 2026-04-01.')
    starts = [tier.above_input_tokens for tier in file.tiers]
    if starts != sorted(set(starts)) or any(start < 1 for start in starts):
        raise ConfigError(f"{label}: tiers must be in order of above_input_tokens, from 1 up.")
    return Price(
        since=file.since,
        rates=_rates(label, file.rates),
        batch=_rates(label, file.batch) if file.batch else None,
        tiers=tuple(
            PriceTier(
                above_input_tokens=tier.above_input_tokens,
                rates=_rates(label, tier.rates),
                batch=_rates(label, tier.batch) if tier.batch else None,
            )
            for tier in file.tiers
        ),
        source=file.source,
    )


def _rates(label: str, file: RatesFile) -> Rates:
    amounts = {}
    for name in file.__struct_fields__:
        dollars = getattr(file, name)
        amounts[name] = None if dollars is None else picodollars_per_token(label, name, dollars)
    return Rates(**amounts)  # type: ignore[arg-type]


def picodollars_per_token(label: str, name: str, dollars: Decimal) -> int:
    """Dollars per million tokens as picodollars per token, exactly."""
    amount = dollars * PICODOLLARS_PER_TOKEN
    if not dollars.is_finite() or dollars < 0:
        raise ConfigError(f"{label}: the price {name} = {dollars} must be zero or more.")
    if amount != amount.to_integral_value():
        raise ConfigError(
            f"{label}: the price {name} = {dollars} has more than six decimals of a dollar "
            "per million tokens."
        )
    return int(amount)


def is_day(text: str) -> bool:
    """Whether `text` is an ISO day, written out: 2026-04-01."""
    from datetime import date

    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
