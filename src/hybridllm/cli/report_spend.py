"""`hybridllm report spend`: what was spent, by task, provider, model, key, day or hour."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from hybridllm.cli.output import dollars, print_csv, print_json
from hybridllm.cli.report_parts import caveats, find_ledger, title
from hybridllm.cli.tables import amount, bar, console, fits, table
from hybridllm.reports import SpendReport, parse_since
from hybridllm.reports import spend as report_spend
from hybridllm.reports.totals import Totals
from hybridllm.store.schema import HOURLY_MONEY

_MONEY = HOURLY_MONEY


def spend(
    *,
    by: str = "task,provider",
    since: str = "7d",
    until: str | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
    csv: Annotated[bool, Parameter(negative="")] = False,
    config: Path | None = None,
    ledger: Path | None = None,
    store: str | None = None,
) -> None:
    """What was spent, by whatever you name. Example:

        hybridllm report spend --by day,model --since 2026-11-01

    Hours are UTC and whole. Money in JSON and CSV is exact, in dollars.

    Parameters
    ----------
    by
        What to group by, commas between: task, provider, model, key, day, hour, week.
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
    names = [name.strip() for name in by.split(",") if name.strip()]
    start, end = parse_since(since), parse_since(until) if until else None
    engine = find_ledger(config, ledger, store)
    try:
        report = report_spend(engine, names, start, end)
    finally:
        engine.dispose()
    if json:
        print_json(_document(report))
    elif csv:
        columns = [*report.by, "share", *_exact(report.total)]
        print_csv(
            columns,
            [[*row.group, row.share, *_exact(row.totals).values()] for row in report.rows],
        )
    else:
        _print_table(report)


def _document(report: SpendReport) -> dict[str, Any]:
    return {
        "since": report.since,
        "until": report.until,
        "by": report.by,
        "rows": [
            {
                **dict(zip(report.by, row.group, strict=True)),
                "share": row.share,
                **_exact(row.totals),
            }
            for row in report.rows
        ],
        "total": _exact(report.total),
    }


def _exact(totals: Totals) -> dict[str, Any]:
    """The sums by name, money as exact dollars under `*_usd`."""
    sums = msgspec.structs.asdict(totals)
    money = {f"{name}_usd": dollars(sums.pop(name)) for name in _MONEY}
    return {**money, **sums}


def _print_table(report: SpendReport) -> None:
    out = console()
    if not report.rows:
        out.print(f"Nothing was recorded from {report.since} to {report.until}.")
        return
    shown = _table(report, tokens=True)
    out.print(shown if fits(shown, out) else _table(report, tokens=False))
    total = report.total
    for caveat in caveats(total.unknown, total.estimated, total.unpriced):
        out.print(f"[dim]{caveat}[/dim]")


def _table(report: SpendReport, *, tokens: bool) -> Table:
    total = report.total
    shown = table(title(f"Spend by {', '.join(report.by)}", report.since, report.until))
    for i, name in enumerate(report.by):
        shown.add_column(name.upper(), footer="total" if i == 0 else "", no_wrap=True)
    for name, footer in zip(
        _headings(tokens), _figures(total, total.cost, 1.0, tokens), strict=True
    ):
        shown.add_column(name, footer=footer, justify="right", no_wrap=True)
    shown.add_column("", style="cyan", no_wrap=True)
    for row in report.rows:
        figures = _figures(row.totals, total.cost, row.share, tokens)
        shown.add_row(*(Text(value) for value in row.group), *figures, bar(row.share))
    return shown


def _headings(tokens: bool) -> list[str]:
    middle = ["ATTEMPTS", "INPUT TOKENS", "OUTPUT TOKENS"] if tokens else []
    return ["ANSWERED", *middle, "COST", "SHARE"]


def _figures(sums: Totals, bill: int, share: float, tokens: bool) -> list[str]:
    middle = [
        f"{sums.attempts:,}",
        f"{sums.total_input_tokens:,}",
        f"{sums.output_tokens:,}",
    ]
    return [
        f"{sums.answered:,}",
        *(middle if tokens else []),
        amount(sums.cost, bill),
        f"{share:.1%}",
    ]
