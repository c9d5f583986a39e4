"""`hybridllm report savings`: the bill beside what the baseline model would have cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from rich.text import Text

from hybridllm.cli.output import dollars, print_csv, print_json
from hybridllm.cli.report_parts import caveats, find_ledger, title
from hybridllm.cli.tables import amount, bar, console, counted, table
from hybridllm.reports import SavingsReport, parse_since
from hybridllm.reports import savings as report_savings
from hybridllm.reports.savings import Saving

_MONEY = ("cost", "baseline", "saving", "unanswered_cost")


def savings(
    *,
    since: str = "7d",
    until: str | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
    csv: Annotated[bool, Parameter(negative="")] = False,
    config: Path | None = None,
    ledger: Path | None = None,
    store: str | None = None,
) -> None:
    """What was saved against answering everything with the baseline model. Example:

        hybridllm report savings --since 30d

    The saving is net: attempts that failed are paid for out of it.

    Parameters
    ----------
    since
        From when: 24h, 7d or 2w ago, all, or a date.
    until
        To when, likewise [default: now].
    json
        Print JSON.
    csv
        Print CSV.
    config
        The configuration file [default: $HYBRIDLLM_CONFIG, else ./hybridllm.toml if it is there].
    ledger
        The directory of the ledger, as given to serve.
    store
        The URL of another store to read, without loading any journal into it.
    """
    start, end = parse_since(since), parse_since(until) if until else None
    engine = find_ledger(config, ledger, store)
    try:
        report = report_savings(engine, start, end)
    finally:
        engine.dispose()
    if json:
        print_json(
            {
                "since": report.since,
                "until": report.until,
                "total": _exact(report.total),
                "tasks": [{"task": one.task, **_exact(one.saving)} for one in report.tasks],
            }
        )
    elif csv:
        print_csv(
            ["task", *_exact(report.total)],
            [[one.task, *_exact(one.saving).values()] for one in report.tasks],
        )
    else:
        _print_table(report)


def _exact(saving: Saving) -> dict[str, Any]:
    """The figures by name, money as exact dollars under `*_usd`."""
    figures = msgspec.structs.asdict(saving)
    money = {f"{name}_usd": dollars(figures.pop(name)) for name in _MONEY}
    return {**money, **figures}


def _print_table(report: SavingsReport) -> None:
    out = console()
    if not report.tasks:
        out.print(f"Nothing was recorded from {report.since} to {report.until}.")
        return
    total = report.total
    shown = table(title("Savings", report.since, report.until))
    shown.add_column("TASK", footer="total", no_wrap=True)
    for name, footer in (
        ("ANSWERED", f"{total.answered:,}"),
        ("BASELINE", amount(total.baseline, total.baseline)),
        ("ACTUAL", amount(total.cost, total.baseline)),
        ("SAVED", amount(total.saving, total.baseline)),
        ("", _percent(total)),
    ):
        shown.add_column(name, footer=footer, justify="right", no_wrap=True)
    shown.add_column("", no_wrap=True)
    for one in report.tasks:
        saving = one.saving
        shown.add_row(
            Text(one.task),
            f"{saving.answered:,}",
            amount(saving.baseline, total.baseline),
            amount(saving.cost, total.baseline),
            Text(amount(saving.saving, total.baseline), style="red" if saving.saving < 0 else ""),
            _percent(saving),
            Text(bar((saving.percent or 0) / 100), style="green"),
        )
    out.print(shown)
    if total.fallbacks or total.unanswered_cost:
        out.print(
            f"[dim]{counted(total.fallbacks, 'request')} answered by a fallback. Attempts that "
            f"answered nothing cost {amount(total.unanswered_cost, total.baseline)}, which is in "
            "the actual bill.[/dim]"
        )
    for caveat in caveats(total.unknown, total.estimated, total.unpriced):
        out.print(f"[dim]{caveat}[/dim]")


def _percent(saving: Saving) -> str:
    return "" if saving.percent is None else f"{saving.percent:.1f}%"
