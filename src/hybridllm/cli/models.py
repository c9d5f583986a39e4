"""`hybridllm models`: the catalogue. What each model takes, can do and costs today."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from hybridllm.catalog.structs import Catalog, Model, Price, Rates
from hybridllm.cli.output import cents, dollars, print_json
from hybridllm.cli.tables import console, fits, table
from hybridllm.config_file import load_config
from hybridllm.errors import ConfigError
from hybridllm.pricing import price_at

_MTOK = 1_000_000
_CAPABILITIES = ("tools", "vision", "documents", "json_schema", "reasoning")


def models(
    search: str = "",
    *,
    preset: str | None = None,
    config: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """The models of the catalogue: limits, prices in dollars per million tokens, capabilities.

    Examples:

        hybridllm models

        hybridllm models sonnet --preset guide --json

    Parameters
    ----------
    search
        Only models with this in their name, provider or an alias.
    preset
        The preset whose catalogue to show: default (today's) or guide (April 2026).
    config
        The configuration file [default: $HYBRIDLLM_CONFIG, else ./hybridllm.toml if it is there].
    json
        Print one JSON document, its dollars exact.
    """
    catalog = load_config(str(config) if config else None, preset).catalog
    day = time.strftime("%Y-%m-%d", time.gmtime())
    found = [model for model in catalog.models.values() if _matches(model, search.lower())]
    if search and not found:
        raise ConfigError(
            f'No model has "{search}" in its name.', remedy="hybridllm models shows them all."
        )
    if json:
        print_json(
            {
                "as_of": catalog.as_of,
                "priced_on": day,
                "models": [_document(model, day) for model in found],
            }
        )
    else:
        _show(catalog, found, day)


def _matches(model: Model, search: str) -> bool:
    return any(search in name.lower() for name in (model.id, *model.aliases))


def _document(model: Model, day: str) -> dict[str, Any]:
    price = price_at(model, day)
    return {
        "model": model.id,
        "provider": model.provider,
        "aliases": model.aliases,
        "kind": model.kind,
        "context_window": model.context_window,
        "max_output_tokens": model.max_output_tokens,
        "capabilities": _capabilities(model),
        "released_on": model.released_on,
        "deprecated_on": model.deprecated_on,
        "usd_per_mtok": None if price is None else _prices(price),
    }


def _prices(price: Price) -> dict[str, Any]:
    return {
        "since": price.since,
        **_rates(price.rates),
        "batch": None if price.batch is None else _rates(price.batch),
        "tiers": [
            {
                "above_input_tokens": tier.above_input_tokens,
                **_rates(tier.rates),
                "batch": None if tier.batch is None else _rates(tier.batch),
            }
            for tier in price.tiers
        ],
    }


def _rates(rates: Rates) -> dict[str, str | None]:
    """By kind; None: not billed apart."""
    amounts = {name: getattr(rates, name) for name in rates.__struct_fields__}
    return {name: None if rate is None else _mtok(rate) for name, rate in amounts.items()}


def _mtok(rate: int) -> str:
    """Picodollars per token as exact dollars per million tokens."""
    return dollars(rate * _MTOK)


def _capabilities(model: Model) -> list[str]:
    if model.kind != "chat":
        return []
    return [name for name in _CAPABILITIES if getattr(model, name)]


def _show(catalog: Catalog, found: list[Model], day: str) -> None:
    out = console()
    shown = _table(found, day, wide=True)
    out.print(shown if fits(shown, out) else _table(found, day, wide=False))
    notes = [f"\n{len(found)} models, as of {catalog.as_of}; dollars per million tokens on {day}."]
    if any(_tiers(model, day) for model in found):
        notes.append("+ dearer for a large input: --json shows the tiers.")
    out.print(f"[dim]{' '.join(notes)}[/dim]")


def _table(found: list[Model], day: str, *, wide: bool) -> Table:
    """A narrow one leaves out what the models can do, and counts limits in thousands. The dates
    of withdrawal are left out where there is none."""
    tokens = "{:,}".format if wide else _thousands
    shown = table(footer=False)
    shown.padding = (0, 2 if wide else 1, 0, 0)
    dates = any(model.deprecated_on for model in found)
    shown.add_column("MODEL", no_wrap=True)
    for name in ("CONTEXT", "OUTPUT", "$ IN", "$ OUT", "CACHED"):
        shown.add_column(name, justify="right", no_wrap=True)
    if wide:
        shown.add_column("CAN", style="dim", no_wrap=True)
    if dates:
        shown.add_column("WITHDRAWN", no_wrap=True)
    for model in found:
        gone = model.deprecated_on or ""
        is_gone = gone != "" and gone <= day
        can = ", ".join(_capabilities(model)).replace("_", " ") or model.kind
        shown.add_row(
            Text(model.id),
            tokens(model.context_window),
            tokens(model.max_output_tokens),
            *_columns(model, day),
            *([can] if wide else []),
            *([Text(gone, style="red" if is_gone else "yellow")] if dates else []),
            style="dim" if is_gone else None,
        )
    return shown


def _thousands(tokens: int) -> str:
    return f"{tokens / 1000:,.0f}K" if tokens >= 1000 else str(tokens)


def _columns(model: Model, day: str) -> tuple[str, str, str]:
    """Input, output and cached input."""
    price = price_at(model, day)
    if price is None:
        return "?", "?", "?"
    rates = price.rates
    mark = "+" if price.tiers else " "
    cached = "" if rates.cache_read is None else _money(rates.cache_read) + mark
    return _money(rates.input) + mark, _money(rates.output) + mark, cached


def _money(rate: int) -> str:
    return cents(rate * _MTOK)


def _tiers(model: Model, day: str) -> bool:
    price = price_at(model, day)
    return price is not None and bool(price.tiers)
