"""What stands behind a report's figures, printed: queries, what they read, and prices."""

from __future__ import annotations

from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hybridllm.catalog.structs import Rates
from hybridllm.cli.output import cents, dollars
from hybridllm.cli.tables import counted, table
from hybridllm.reports.impact import Explanation
from hybridllm.reports.period import iso_hour
from hybridllm.reports.traces import PriceUse, Trace

_MTOK = 1_000_000
_COUNTS = ("requests saved",)
_ALWAYS = "2020-01-01"
"""Stands in the catalogue for the start of a model's oldest price."""


def document(behind: Explanation) -> dict[str, Any]:
    """For JSON."""
    return {
        "traces": [
            {
                "figure": trace.figure,
                "value": _value(trace),
                "query": trace.query,
                "rows": trace.rows,
                "hours": trace.hours,
            }
            for trace in behind.traces
        ],
        "prices": [
            {
                "model": use.model,
                "since": use.since,
                "usd_per_mtok": rates(use.rates),
                "attempts": use.attempts,
                "tokens": msgspec.structs.asdict(use.usage),
                "cost_usd": dollars(use.cost),
                "at_these_rates_usd": dollars(use.reckoned),
            }
            for use in behind.prices
        ],
        "baseline_prices": [
            {"since": price.since, "usd_per_mtok": rates(price.rates)}
            for price in behind.baseline_prices
        ],
        "adapted": [
            {"task": one.task, "provider": one.provider, "since": iso_hour(one.hour)}
            for one in behind.adapted
        ],
    }


def rates(of: Rates) -> dict[str, str]:
    """Dollars per million tokens by kind, of those billed apart."""
    found = {name: getattr(of, name) for name in of.__struct_fields__}
    return {name: dollars(rate * _MTOK) for name, rate in found.items() if rate is not None}


def show(behind: Explanation, out: Console) -> None:
    """For people: each query can be run on the store as it stands."""
    out.print("\n[bold]Where the figures come from[/bold]")
    for trace in behind.traces:
        read = f"{counted(trace.rows, 'row')} of {counted(trace.hours, 'hour')}"
        out.print(Text.assemble((trace.figure, "bold"), f" = {_value(trace)}  ", (read, "dim")))
        out.print(Text(f"  {trace.query}", style="dim"))
    out.print()
    out.print(_prices(behind.prices))
    for price in behind.baseline_prices:
        out.print(
            f"[dim]Baseline at {cents(price.rates.input * _MTOK)} in and "
            f"{cents(price.rates.output * _MTOK)} out{_since(price.since)}.[/dim]"
        )
    if any(use.cost != use.reckoned for use in behind.prices):
        out.print(
            "[dim]Where COST and AT RATES differ: price tiers, batches, the storage of "
            "explicit caches, or a price that was configured otherwise then.[/dim]"
        )


def _since(day: str) -> str:
    return "" if day <= _ALWAYS else f" since {day}"


def _value(trace: Trace) -> str:
    if trace.figure == "ledger began":
        return iso_hour(trace.amount)
    if trace.figure.startswith(_COUNTS):
        return f"{trace.amount:,}"
    return f"${dollars(trace.amount)}"


def _prices(uses: list[PriceUse]) -> Table:
    shown = table("Prices, dollars per million tokens", footer=False)
    shown.padding = (0, 1, 0, 0)
    shown.add_column("MODEL", overflow="fold")
    for name in ("IN", "OUT", "CACHED"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("TOKENS IN", justify="right", no_wrap=True)
    shown.add_column("OUT", justify="right", no_wrap=True)
    for name in ("COST", "AT RATES"):
        shown.add_column(name, justify="right", no_wrap=True)
    for use in uses:
        cached = use.rates.cache_read
        shown.add_row(
            Text(use.model.partition("/")[2] + _since(use.since)),
            cents(use.rates.input * _MTOK),
            cents(use.rates.output * _MTOK),
            "" if cached is None else cents(cached * _MTOK),
            f"{use.usage.total_input:,}",
            f"{use.usage.output_tokens:,}",
            f"${dollars(use.cost)}",
            f"${dollars(use.reckoned)}",
        )
    return shown
