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

MOST_DOLLARS = 1_000_000
"""No price per million tokens is above this: a slip of the pen is found, and sums stay far from
the 63 bits of a database's integer."""

MOST_TOKENS = 10**9
"""No limit in tokens is above this."""


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
    """A dated price; the fields of `Price`. `storage` is dollars per million tokens and hour."""

    since: str
    rates: RatesFile
    batch: RatesFile | None = None
    tiers: tuple[TierFile, ...] = ()
    storage: Decimal | None = None
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


class ModelMistake(ConfigError):
    """A model's figure that makes no sense. `path` leads to it from the model's own table:
    ("prices", 0, "rates", "input")."""

    def __init__(self, label: str, path: tuple[str | int, ...], message: str) -> None:
        super().__init__(message, field=".".join(map(str, (label, *path))))
        self.path = path


def model_from(file: ModelFile) -> Model:
    """The model that `file` describes. Raises ModelMistake where its figures make no sense."""
    _check(file)
    fields = {name: getattr(file, name) for name in file.__struct_fields__ if name != "prices"}
    label = _label(file)
    prices = tuple(_price(label, ("prices", i), price) for i, price in enumerate(file.prices))
    return Model(prices=prices, **fields)


def _label(file: ModelFile) -> str:
    return f"{file.provider}/{file.name}"


def _check(file: ModelFile) -> None:
    label = _label(file)
    if file.kind not in ("chat", "embedding"):
        raise ModelMistake(label, ("kind",), f'"{file.kind}" is neither "chat" nor "embedding".')
    least = {
        "context_window": 1,
        "max_output_tokens": 1 if file.kind == "chat" else 0,
        "min_cache_tokens": 0,
        "tokens_per_kbyte": 1,
    }
    for name, lowest in least.items():
        number = getattr(file, name)
        if not lowest <= number <= MOST_TOKENS:
            raise ModelMistake(
                label, (name,), f"{number} is not between {lowest} and {MOST_TOKENS:,}."
            )
    for name in ("deprecated_on", "released_on"):
        day = getattr(file, name)
        if day is not None and not is_day(day):
            raise ModelMistake(label, (name,), f'"{day}" is not a day such as 2026-04-01.')
    days = [price.since for price in file.prices]
    if days != sorted(set(days)):
        raise ModelMistake(label, ("prices",), "Prices must be in order of since, each day once.")


def _price(label: str, path: tuple[str | int, ...], file: PriceFile) -> Price:
    if not is_day(file.since):
        raise ModelMistake(
            label, (*path, "since"), f'"{file.since}" is not a day such as 2026-04-01.'
        )
    starts = [tier.above_input_tokens for tier in file.tiers]
    if starts != sorted(set(starts)) or any(start < 1 for start in starts):
        raise ModelMistake(
            label, (*path, "tiers"), "Tiers must be in order of above_input_tokens, from 1 up."
        )
    return Price(
        since=file.since,
        rates=_rates(label, (*path, "rates"), file.rates),
        batch=_rates(label, (*path, "batch"), file.batch) if file.batch else None,
        tiers=tuple(_tier(label, (*path, "tiers", i), tier) for i, tier in enumerate(file.tiers)),
        storage=None
        if file.storage is None
        else _picodollars_per_token(label, (*path, "storage"), file.storage),
        source=file.source,
    )


def _tier(label: str, path: tuple[str | int, ...], file: TierFile) -> PriceTier:
    return PriceTier(
        above_input_tokens=file.above_input_tokens,
        rates=_rates(label, (*path, "rates"), file.rates),
        batch=_rates(label, (*path, "batch"), file.batch) if file.batch else None,
    )


def _rates(label: str, path: tuple[str | int, ...], file: RatesFile) -> Rates:
    amounts = {}
    for name in file.__struct_fields__:
        dollars = getattr(file, name)
        amounts[name] = (
            None if dollars is None else _picodollars_per_token(label, (*path, name), dollars)
        )
    return Rates(**amounts)  # type: ignore[arg-type]


def _picodollars_per_token(label: str, path: tuple[str | int, ...], dollars: Decimal) -> int:
    """Dollars per million tokens as picodollars per token, exactly."""
    if not dollars.is_finite() or not 0 <= dollars <= MOST_DOLLARS:
        raise ModelMistake(
            label,
            path,
            f"{dollars} is no price: it must be between 0 and {MOST_DOLLARS:,} dollars per million "
            "tokens.",
        )
    amount = dollars * PICODOLLARS_PER_TOKEN
    if amount != amount.to_integral_value():
        raise ModelMistake(
            label,
            path,
            f"{dollars} has more than six decimals of a dollar per million tokens.",
        )
    return int(amount)


def is_day(text: str) -> bool:
    """Whether `text` is an ISO day, written out: 2026-04-01."""
    from datetime import date

    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
