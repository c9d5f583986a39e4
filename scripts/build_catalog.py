"""Builds `catalog/data/current.json`: today's models, limits and dated prices.

    python scripts/build_catalog.py             write the data file
    python scripts/build_catalog.py --check     fail if it differs from what would be written
    python scripts/build_catalog.py --limits litellm-1.2.3-....whl    renew the limits first

Prices come from the package `genai-prices` (MIT): dated, future-dated and tiered, with cache
writes and batch variants. Context windows, output limits, capabilities and withdrawal dates come
from the JSON in a wheel of `litellm` (MIT; `pip download --no-deps litellm`); what is used of it
is kept beside this script in `model_limits.json`, so that building and checking need no network.
Only figures are taken. What this script itself asserts stands in the tables at its top.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from genai_prices import types
from genai_prices.data_snapshot import get_snapshot

HERE = Path(__file__).resolve().parent
LIMITS = HERE / "model_limits.json"
OUTPUT = HERE.parent / "src" / "hybridllm" / "catalog" / "data" / "current.json"
LITELLM_JSON = "litellm/model_prices_and_context_window_backup.json"

PROVIDERS = {"openai": "openai", "anthropic": "anthropic", "gemini": "google"}
"""litellm's name of a provider to ours, which is also that of genai-prices."""

LEFT_OUT = re.compile(
    r"audio|realtime|search|image|computer-use|^ft:|deep-research|robotics|omni|gemma|cyber|rosalind"
    r"|daybreak|-chat|^chat|lyria|learnlm|exp-|tts|customtools|-law|codex|preview-\d\d-"
    r"|gpt-4-\d{4}|-v2$"
)
"""Models that do something else than chat or embed, that only some customers may call, or that are
not the provider's own product."""

TOKENS_PER_KBYTE = {"openai": 225, "anthropic": 290, "google": 250}
"""Estimates for English prose. OpenAI's was counted with o200k_base; Google documents about four
characters a token; Anthropic's tokenizer makes more tokens of the same text."""

LIMITS_OF = {"claude-fable-5-2": "claude-fable-5-1", "claude-mythos-5-2": "claude-mythos-5-1"}
"""Models whose limits are not published yet in our source, and whose predecessor's hold."""

FIRST_DAY = "2020-01-01"
"""Stands for the start of a model's oldest price, which genai-prices does not date."""

CORRECTIONS: dict[str, dict[str, Any]] = {
    # Listed with an output limit as large as its context; every other Gemini of its time has this.
    "gemini-4-argon": {"max_output_tokens": 65_536},
}
PRICE_CORRECTIONS = {
    # OpenAI's list price beside 10/40; the source gives that of the price which followed.
    ("o3", FIRST_DAY): {"cache_read": Decimal("2.5")},
}
STORAGE = {"gemini-2.5-pro": Decimal("4.5"), "gemini-2.5-flash": Decimal("1")}
"""What Google's explicit caches cost while they are kept, dollars per million tokens and hour: not
in genai-prices (https://ai.google.dev/gemini-api/docs/pricing, taken on 2026-11-25)."""
ALWAYS_REASONS = re.compile(r"^o\d|^gemini-(2\.5-pro|3.*-pro|4-)")
"""Models that cannot be asked not to reason, where the source does not say."""

DATED = re.compile(r"-(\d{4})-?(\d\d)-?(\d\d)$")

KINDS = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_long": "cache_write_1h_mtok",
}
"""Our name of a rate to that of genai-prices, in dollars per million tokens."""

FLAGS = {
    "documents": "supports_pdf_input",
    "json_schema": "supports_response_schema",
    "reasoning": "supports_reasoning",
    "tools": "supports_function_calling",
    "vision": "supports_vision",
}
"""Our name of a capability to litellm's."""

Json = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--limits", type=Path, metavar="WHEEL", help="a litellm wheel")
    options = parser.parse_args()
    if options.limits:
        LIMITS.write_text(render_limits(options.limits, date.today().isoformat()))
    text = build(json.loads(LIMITS.read_text(), parse_float=Decimal))
    if options.check:
        if OUTPUT.read_text() != text:
            print(f"{OUTPUT} differs from what this script builds: run it.", file=sys.stderr)
            return 1
        return 0
    OUTPUT.write_text(text)
    count = text.count('"provider"')
    print(f"{OUTPUT}: {count} models")
    return 0


# Limits


def render_limits(wheel: Path, day: str) -> str:
    """What we use of litellm's JSON, a line a model."""
    source: dict[str, Json] = json.loads(ZipFile(wheel).read(LITELLM_JSON), parse_float=Decimal)
    kept = {}
    for key, entry in source.items():
        provider = PROVIDERS.get(entry.get("litellm_provider", ""))
        name = key.rpartition("/")[2]
        is_own = key == (f"gemini/{name}" if provider == "google" else name)
        wanted = entry.get("mode") in ("chat", "embedding") and not LEFT_OUT.search(name)
        if provider and is_own and wanted:
            kept[f"{provider}/{name}"] = _limits(entry)
    lines = [f"    {json.dumps(key)}: {dumps(kept[key])}" for key in sorted(kept)]
    head = {"source": f"litellm {wheel.name.split('-')[1]}", "taken_on": day}
    return f'{{\n  "about": {dumps(head)},\n  "models": {{\n' + ",\n".join(lines) + "\n  }\n}\n"


def _limits(entry: Json) -> Json:
    required = entry.get("thinking_always_on") or (
        entry.get("supports_none_reasoning_effort") is False
    )
    found = {
        "kind": entry["mode"],
        "max_input_tokens": entry.get("max_input_tokens"),
        "max_output_tokens": entry.get("max_output_tokens") or 0,
        "deprecated_on": entry.get("deprecation_date"),
        "min_cache_tokens": int(entry.get("prompt_cache_min_tokens") or 0) or None,
        "reasoning_required": bool(required),
        **{ours: bool(entry.get(theirs)) for ours, theirs in FLAGS.items()},
        **_long_writes(entry),
    }
    return {key: value for key, value in found.items() if value not in (None, False)}


def _long_writes(entry: Json) -> Json:
    """OpenAI's rates for 12-hour cache writes, which genai-prices does not have: dollars per
    million tokens by tier ("" or "272") and whether in a batch."""
    prefix = "cache_creation_input_token_cost_above_12hr"
    found = {}
    for name, suffix in (
        ("long_write", ""),
        ("long_write_batch", "_batches"),
        ("long_write_272k", "_above_272k_tokens"),
        ("long_write_272k_batch", "_above_272k_tokens_batches"),
    ):
        if (cost := entry.get(prefix + suffix)) is not None:
            found[name] = plain(Decimal(cost) * 1_000_000)
    return found


# Models


def build(limits: Json) -> str:
    """The text of the data file."""
    about = limits["about"]
    models = sorted(
        _models(limits["models"], about["taken_on"]),
        key=lambda model: (model["provider"], model["name"]),
    )
    source = f"prices: genai-prices {version('genai-prices')}; limits: {about['source']}"
    lines = ",\n".join(_render(model) for model in models)
    return (
        f'{{\n  "as_of": {json.dumps(about["taken_on"])},\n  "source": {json.dumps(source)},\n'
        f'  "models": [\n{lines}\n  ]\n}}\n'
    )


def _models(limits: dict[str, Json], taken_on: str) -> Iterator[Json]:
    for provider in get_snapshot().providers:
        if provider.id not in PROVIDERS.values():
            continue
        names: dict[str, list[str]] = {}
        for key in limits:
            if key.startswith(f"{provider.id}/"):
                name = key.partition("/")[2]
                priced = provider.find_model(name)
                if priced is not None:
                    names.setdefault(priced.id, []).append(name)
        for priced in provider.models:
            borrowed = LIMITS_OF.get(priced.id) if provider.id == "anthropic" else None
            found = [priced.id] if borrowed else names.get(priced.id, [])
            for name, aliases in _grouped(priced.id, found):
                known = limits[f"{provider.id}/{borrowed or name}"]
                model = _model(provider.id, name, aliases, priced, known)
                model["prices"] = list(_prices(priced, known, taken_on))
                yield model


def _grouped(id: str, names: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Names of one price, each model with its aliases.

    The one dated name of a model is an alias. Where there are several they are different models,
    and a caller who names one of them must get it; so each stands for itself.
    """
    if not names:
        return
    dated = [name for name in names if DATED.search(name)]
    undated = [name for name in names if name not in dated]
    main = id if id in undated else min(undated, key=len, default="")
    if main and len(dated) <= 1:
        yield main, sorted(name for name in names if name != main)
        return
    if main:
        yield main, sorted(name for name in undated if name != main)
    for name in dated:
        yield name, []


def _model(
    provider: str, name: str, aliases: list[str], priced: types.ModelInfo, limits: Json
) -> Json:
    released = next((m for alias in (name, *aliases) if (m := DATED.search(alias))), None)
    return {
        "provider": provider,
        "name": name,
        "context_window": max(priced.context_window or 0, limits["max_input_tokens"]),
        "max_output_tokens": limits.get("max_output_tokens", 0),
        "kind": limits["kind"],
        "aliases": aliases,
        **{flag: limits.get(flag, False) for flag in FLAGS},
        "reasoning_required": limits.get("reasoning_required", False)
        or bool(ALWAYS_REASONS.search(name)),
        "min_cache_tokens": limits.get("min_cache_tokens", 1024),
        "tokens_per_kbyte": TOKENS_PER_KBYTE[provider],
        "deprecated_on": limits.get("deprecated_on"),
        "released_on": "-".join(released.groups()) if released else None,
        "source": f"limits of {LIMITS_OF[name]}" if name in LIMITS_OF else "",
        **CORRECTIONS.get(name, {}),
    }


# Prices


def _prices(priced: types.ModelInfo, limits: Json, taken_on: str) -> Iterator[Json]:
    """A price for every day on which the live or the batch price changes. The rates in `limits`
    are of the day `taken_on`, and belong to the live price of that day alone."""
    live = _dated(priced.prices)
    batch = [
        (_start(variant.constraint), variant.prices)
        for variant in priced.price_variants or []
        if variant.when == {"processing": "batch"}
    ]
    before = None
    for day in sorted({start for start, _ in (*live, *batch)}):
        standing = _in_force(live, day)
        if standing is None:
            continue
        of_its_day = limits if standing is _in_force(live, taken_on) else {}
        price = _price(day, standing, _in_force(batch, day), of_its_day)
        price["rates"].update(PRICE_CORRECTIONS.get((priced.id, day), {}))
        if priced.id in STORAGE:
            price["storage"] = STORAGE[priced.id]
        if before is None or {**price, "since": before["since"]} != before:
            yield price
        before = price


def _dated(prices: Any) -> list[tuple[str, types.ModelPrice]]:
    if isinstance(prices, types.ModelPrice):
        return [(FIRST_DAY, prices)]
    return [(_start(price.constraint), price.prices) for price in prices]


def _start(constraint: Any) -> str:
    if constraint is None:
        return FIRST_DAY
    if not isinstance(constraint, types.StartDateConstraint):
        raise SystemExit(f"A price depends on {constraint}: this script knows start dates only.")
    return constraint.start_date.isoformat()


def _in_force(prices: list[tuple[str, types.ModelPrice]], day: str) -> types.ModelPrice | None:
    standing = [price for price in prices if price[0] <= day]
    return max(standing, key=lambda price: price[0])[1] if standing else None


def _price(day: str, live: types.ModelPrice, batch: types.ModelPrice | None, limits: Json) -> Json:
    """A batch price says only what differs from the live one."""
    sides = {"rates": live} if batch is None else {"rates": live, "batch": _over(live, batch)}
    price: Json = {"since": day}
    for side, prices in sides.items():
        price[side] = _rates(prices, 0, limits, side)
    starts = sorted({start for prices in sides.values() for start in _tier_starts(prices)})
    if starts:
        price["tiers"] = [
            {
                "above_input_tokens": start,
                **{side: _rates(p, start, limits, side) for side, p in sides.items()},
            }
            for start in starts
        ]
    return price


def _over(live: types.ModelPrice, batch: types.ModelPrice) -> types.ModelPrice:
    said = {
        field: getattr(batch, field) if getattr(batch, field) is not None else getattr(live, field)
        for field in KINDS.values()
    }
    return types.ModelPrice(**said)


def _tier_starts(prices: types.ModelPrice) -> Iterator[int]:
    for field in KINDS.values():
        amount = getattr(prices, field)
        if isinstance(amount, types.TieredPrices):
            yield from (tier.start for tier in amount.tiers)


def _rates(prices: types.ModelPrice, above: int, limits: Json, side: str) -> Json:
    rates = {}
    for kind, field in KINDS.items():
        amount = getattr(prices, field)
        if isinstance(amount, types.TieredPrices):
            reached = [tier.price for tier in amount.tiers if tier.start <= above]
            amount = reached[-1] if reached else amount.base
        if amount is not None:
            rates[kind] = plain(amount)
    rates.setdefault("output", Decimal(0))  # embeddings have no output
    long_write = "long_write" + ("_272k" if above else "") + ("_batch" if side == "batch" else "")
    if "cache_write" in rates and "cache_write_long" not in rates and long_write in limits:
        rates["cache_write_long"] = limits[long_write]
    return rates


# Text


def plain(amount: Decimal) -> Decimal:
    """The same amount without an exponent or trailing zeros."""
    return Decimal(f"{amount.normalize():f}")


def dumps(value: Any) -> str:
    """JSON on one line; decimals as they are."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)}: {dumps(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(dumps(item) for item in value) + "]"
    return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value)


def _render(model: Json) -> str:
    """A model on a few lines: its facts, then a line for each price."""
    left_out = (None, "", [])
    facts = {k: v for k, v in model.items() if k != "prices" and v not in left_out}
    prices = ",\n".join(f"      {dumps(price)}" for price in model["prices"])
    return f'    {dumps(facts)[:-1]}, "prices": [\n{prices}\n    ]}}'


if __name__ == "__main__":
    sys.exit(main())
