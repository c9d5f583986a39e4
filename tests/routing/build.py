"""Small configurations for tests of routing: models as `m(...)`, one task, no files."""

from __future__ import annotations

from typing import Any

from hybridllm.catalog.structs import (
    Catalog,
    Model,
    Price,
    PriceTier,
    ProviderSpec,
    Quality,
    Rates,
    Task,
    Tier,
)
from hybridllm.config import Config, RoutingConfig
from hybridllm.routing import Need, World

DAY = "2026-04-20"
DOLLAR_PER_MTOK = 1_000_000
"""A price of one dollar per million tokens, in picodollars per token."""


def m(
    name: str,
    input: float = 1.0,
    output: float = 1.0,
    *,
    cached: float | None = None,
    above: tuple[int, float] | None = None,
    provider: str = "a",
    **limits: Any,
) -> Model:
    """A model at `input`/`output` dollars per million tokens; `above` is (tokens, input price)."""

    def rates(price_in: float) -> Rates:
        return Rates(
            input=int(price_in * DOLLAR_PER_MTOK),
            output=int(output * DOLLAR_PER_MTOK),
            cache_read=None if cached is None else int(cached * DOLLAR_PER_MTOK),
        )

    tiers = (PriceTier(above_input_tokens=above[0], rates=rates(above[1])),) if above else ()
    limits = {"context_window": 100_000, "max_output_tokens": 10_000, **limits}
    prices = limits.pop("prices", (Price(since="2024-01-01", rates=rates(input), tiers=tiers),))
    return Model(provider=provider, name=name, prices=prices, **limits)


def config(
    *models: Model,
    quality: dict[str, float | tuple[float, int]] | None = None,
    routing: RoutingConfig | None = None,
    **task: Any,
) -> Config:
    """One task `work` over `models`. `quality` is by name: assumed, or (lower bound, samples)."""
    settings: dict[str, Any] = {
        "candidates": tuple(model.id for model in models),
        "output_tokens": 100,
        **task,
    }
    ids = {model.name: model.id for model in models}
    settings["candidates"] = tuple(ids.get(name, name) for name in settings["candidates"])
    settings["fallbacks"] = tuple(ids.get(name, name) for name in settings.get("fallbacks", ()))
    known = []
    for name, value in (quality or {}).items():
        lower, samples = value if isinstance(value, tuple) else (value, 0)
        share = min(1.0, lower + 0.02) if samples else lower
        known.append(
            Quality(model=ids[name], task="work", value=share, lower=lower, samples=samples)
        )
    names = ids | {id: id for id in ids.values()}
    return Config(
        preset="test",
        catalog=Catalog(
            as_of=DAY,
            providers={
                name: ProviderSpec(
                    name=name,
                    dialect="openai",
                    base_url="http://127.0.0.1",
                    key_env=(f"{name.upper()}_API_KEY",),
                    ecosystem=f"{name}-cloud",
                )
                for name in dict.fromkeys(model.provider for model in models)
            },
            models={model.id: model for model in models},
            names=names,
        ),
        tasks={"work": Task(name="work", tier=Tier.MID, **settings)},
        quality=tuple(known),
        routing=routing or RoutingConfig(),
    )


def need(config: Config, text_bytes: int = 4_000, **more: Any) -> Need:
    """A request of 4,000 bytes is 1,000 tokens on every model of `m`."""
    return Need(task=config.tasks["work"], text_bytes=text_bytes, **more)


def world(*providers: str, **more: Any) -> World:
    """Every provider named; by default `a` to `e`."""
    return World(**{"providers": frozenset(providers or "abcde"), "day": DAY, **more})


def names(models: list[Model]) -> list[str]:
    return [model.name for model in models]
