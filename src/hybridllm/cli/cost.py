"""`hybridllm cost`: what a month of work would cost on one model, routed, and with batches."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from hybridllm.cli.output import cents, money, print_json
from hybridllm.cli.tables import amount, console, counted, fits, table
from hybridllm.config import Config
from hybridllm.config_file import load_config
from hybridllm.planning.cost import CostLine, Strategy, below_bar, strategies
from hybridllm.planning.workload import Published, Workload, load_workload


def cost(
    workload: str = "guide",
    *,
    preset: str | None = None,
    baseline: str | None = None,
    config: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """What a month of work costs on one model, routed, and with batches. Nothing is sent.

    No key is needed: every provider counts as callable. Examples:

        hybridllm cost --preset guide

        hybridllm cost month.toml --baseline gpt-4o --json

    A workload is a TOML file with a [[tasks]] table for each kind of call: task, calls (a month),
    input_tokens and output_tokens (of one call).

    Parameters
    ----------
    workload
        The TOML file; or `guide`, the month of the hybrid stack guide.
    preset
        The tasks, models and prices: default (today's) or guide (April 2026).
    baseline
        The single model to compare with [default: the configuration's routing.baseline].
    config
        The configuration file [default: $HYBRIDLLM_CONFIG, else ./hybridllm.toml if it is there].
    json
        Print one JSON document, its dollars exact.
    """
    settings = load_config(str(config) if config else None, preset)
    month = load_workload(workload)
    day = time.strftime("%Y-%m-%d", time.gmtime())
    found = strategies(month, settings, day, baseline)
    if json:
        print_json(_document(found))
    else:
        _show(month, settings, found)


def _document(found: list[Strategy]) -> dict[str, Any]:
    return {
        "strategies": [
            {
                "name": strategy.name,
                "monthly_usd": cents(strategy.monthly),
                "lines": [_line(line) for line in strategy.lines],
            }
            for strategy in found
        ]
    }


def _line(line: CostLine) -> dict[str, Any]:
    """Tokens are those of one call."""
    fields = msgspec.structs.asdict(line)
    for name in ("cost", "cache", "place"):
        del fields[name]
    return {**fields, "usd": cents(line.cost)}


def _show(month: Workload, settings: Config, found: list[Strategy]) -> None:
    out = console()
    single = found[0].lines[0].model
    out.print(
        f"[bold]A month of {counted(month.calls, 'call')}[/bold], "
        f"preset {escape(settings.preset)}, prices as of {settings.catalog.as_of}"
    )
    below = below_bar(month, settings, single)
    remark = f", which is below the bar of {', '.join(below)}" if below else ""
    out.print(f"[dim]single: all on {escape(single)}{escape(remark)}[/dim]\n")
    shown = _table(found, wide=True)
    out.print(shown if fits(shown, out) else _table(found, wide=False))
    for note in _notes(month, settings, found):
        out.print(f"\n{escape(note)}")


def _table(found: list[Strategy], *, wide: bool) -> Table:
    """The strategies side by side; a narrow one leaves out sizes and the models' providers."""
    bill = max(strategy.monthly for strategy in found)
    shown = table(footer=False)
    shown.add_column("TASK", no_wrap=True)
    for name in (*(("CALLS", "IN", "OUT") if wide else ()), "SINGLE"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("ROUTED TO", style="cyan", no_wrap=True)
    for name in ("HYBRID", "HYBRID+BATCH"):
        shown.add_column(name, justify="right", no_wrap=True)
    for single, hybrid, batched in zip(*(strategy.lines for strategy in found), strict=True):
        sizes = (f"{n:,}" for n in (single.calls, single.input_tokens, single.output_tokens))
        shown.add_row(
            Text(single.task),
            *(sizes if wide else ()),
            amount(single.cost, bill),
            Text(hybrid.model if wide else hybrid.model.partition("/")[2]),
            amount(hybrid.cost, bill),
            f"{'[dim]batch[/dim] ' * (batched.mode == 'batch')}{amount(batched.cost, bill)}",
        )
    shown.add_row()
    for heading, figure in _sums(found, bill):
        single_sum, *sums = (figure(strategy) for strategy in found)
        shown.add_row(heading, *([""] * 3 * wide), single_sum, "", *sums)
    return shown


def _sums(found: list[Strategy], bill: int) -> list[tuple[str, Callable[[Strategy], str]]]:
    """The rows below the tasks: a heading, and the figure of each strategy."""
    baseline = found[0].monthly

    def total(strategy: Strategy) -> str:
        return f"[bold]{amount(strategy.monthly, bill)}[/bold]"

    def saved(times: int) -> Callable[[Strategy], str]:
        def text(strategy: Strategy) -> str:
            less = (baseline - strategy.monthly) * times
            return "" if strategy is found[0] else amount(less, bill)

        return text

    def share(strategy: Strategy) -> str:
        if strategy is found[0] or not baseline:
            return ""
        part = (baseline - strategy.monthly) / baseline
        return f"[{'green' if part >= 0 else 'red'}]{part:.1%}[/]"

    return [
        ("[bold]a month[/bold]", total),
        ("saved a month", saved(1)),
        ("saved a year", saved(12)),
        ("saved of single", share),
    ]


def _notes(month: Workload, settings: Config, found: list[Strategy]) -> list[str]:
    """Where somebody's printed totals for the same month, models and prices differ from ours."""
    said = month.published
    if said is None or not _comparable(said, settings, found):
        return []
    notes = []
    for strategy in found:
        printed = said.monthly.get(strategy.name, strategy.monthly)
        if printed != strategy.monthly:
            notes.append(
                f"{said.source[:1].upper()}{said.source[1:]} prints {money(printed)} for "
                f"{strategy.name}; its own lines, which are those above, sum to "
                f"{money(strategy.monthly)}, a saving of "
                f"{money(found[0].monthly - strategy.monthly)}."
            )
    return notes


def _comparable(said: Published, settings: Config, found: list[Strategy]) -> bool:
    """Whether the printed totals are of what we priced: the same preset and baseline, unaltered."""
    names = settings.catalog.names
    baseline = names.get(said.baseline, said.baseline)
    return (
        said.preset == settings.preset
        and settings.path is None
        and all(line.model == baseline for line in found[0].lines)
    )
