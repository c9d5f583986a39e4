"""`hybridllm report impact`: the saving, less the overhead, against the target; and the outages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hybridllm.cli.output import dollars, money, print_csv, print_json
from hybridllm.cli.report_parts import caveats, find_ledger, title
from hybridllm.cli.report_traces import document as traces_document
from hybridllm.cli.report_traces import show as show_traces
from hybridllm.cli.tables import amount, bar, console, counted, table
from hybridllm.config_file import load_config
from hybridllm.reports import parse_since
from hybridllm.reports.impact import Explanation, Impact, WeekCost, explain
from hybridllm.reports.impact import impact as report_impact
from hybridllm.reports.overhead import Span

_MONEY = ("cost", "baseline", "unanswered_cost")
_COLOURS = {"below": "red", "within": "green", "above": "green", "nothing": "dim"}


def impact(
    *,
    since: str = "30d",
    until: str | None = None,
    explain: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
    csv: Annotated[bool, Parameter(negative="")] = False,
    config: Path | None = None,
    ledger: Path | None = None,
    store: str | None = None,
) -> None:
    """What routing was worth: the saving less its overhead, against the target. Example:

        hybridllm report impact --since 30d --explain

    Overhead (set-up, prompts, maintenance, evaluation) is taken from [overhead] in the
    configuration and prorated to the period. Outages that fallbacks absorbed stand beside it.

    Parameters
    ----------
    since
        From when: 24h, 7d or 2w ago, all, or a date.
    until
        To when, likewise [default: now].
    explain
        Show the query, the rows and the prices behind every figure.
    json
        Print JSON.
    csv
        Print CSV: cost by week, task and provider.
    config
        The configuration file [default: $HYBRIDLLM_CONFIG, else ./hybridllm.toml if it is there].
    ledger
        The directory of the ledger, as given to serve.
    store
        The URL of another store to read, without loading any journal into it.
    """
    start, end = parse_since(since), parse_since(until) if until else None
    settings = load_config(str(config) if config else None)
    engine = find_ledger(config, ledger, store)
    try:
        report = report_impact(engine, settings, start, end)
        behind = _explained(engine, settings, report) if explain else None
    finally:
        engine.dispose()
    if json:
        more = {} if behind is None else {"explain": traces_document(behind)}
        print_json({**_document(report), **more})
    elif csv:
        _print_csv(report.weeks)
    else:
        _show(report, settings.overhead.incident_requests, behind)


_explained = explain  # under another name than the option's


def _document(report: Impact) -> dict[str, Any]:
    return {
        "since": report.since,
        "until": report.until,
        "ledger_began": report.began,
        "baseline_model": report.baseline_model,
        "total": _exact(report.total),
        "saving_usd": dollars(report.saving),
        "gross_percent": report.gross_percent,
        "overhead": {
            "charged_hours": report.overhead.hours,
            "items": [
                {"name": item.name, **_span(item.amount), "how": item.how}
                for item in report.overhead.items
            ],
            **_span(report.overhead.total),
        },
        "net": {**_span(report.net), "percent": report.net_percent},
        "target_percent": report.target_percent,
        "verdict": report.verdict,
        "needed_baseline_usd_a_month": None if report.needed is None else dollars(report.needed),
        "weeks": [
            {
                "week": week.week,
                "task": week.task,
                "provider": week.provider,
                **_exact(week.totals),
            }
            for week in report.weeks
        ],
        "incidents": [
            {
                "provider": one.provider,
                "since": one.since,
                "until": one.until,
                "failed_attempts": one.failed,
                "requests_saved": one.saved,
                "tasks": one.tasks,
                "has_worth": one.counts,
            }
            for one in report.incidents
        ],
        "requests_saved": report.saved_requests,
        "incidents_worth": _span(report.worth),
    }


def _exact(totals: Any) -> dict[str, Any]:
    """The sums by name, money as exact dollars under `*_usd`."""
    sums = msgspec.structs.asdict(totals)
    return {**{f"{name}_usd": dollars(sums.pop(name)) for name in _MONEY}, **sums}


def _span(span: Span) -> dict[str, str]:
    return {
        "low_usd": dollars(span.low),
        "middle_usd": dollars(span.middle),
        "high_usd": dollars(span.high),
    }


def _print_csv(weeks: list[WeekCost]) -> None:
    columns = ["week", "task", "provider"]
    figures = [_exact(week.totals) for week in weeks]
    names = list(figures[0]) if figures else []
    print_csv(
        [*columns, *names],
        [
            [week.week, week.task, week.provider, *exact.values()]
            for week, exact in zip(weeks, figures, strict=True)
        ],
    )


# -- for people


def _show(report: Impact, least: int, behind: Explanation | None) -> None:
    out = console()
    if not report.weeks:
        out.print(f"Nothing was recorded from {report.since} to {report.until}.")
        return
    out.print(_sums(report))
    out.print()
    out.print(_verdict(report))
    out.print()
    out.print(_weeks(report))
    out.print()
    _show_incidents(report, least, out)
    total = report.total
    for caveat in caveats(total.unknown, total.estimated, total.unpriced):
        out.print(f"[dim]{caveat}[/dim]")
    if behind is not None:
        show_traces(behind, out)
    else:
        out.print("[dim]--explain shows the rows and prices behind each figure.[/dim]")


def _sums(report: Impact) -> Table:
    """From the baseline down to the net saving; of overhead the middle, and its ends beside it."""
    bill = report.total.baseline
    scale = max(bill, report.overhead.total.high)
    shown = table(title("Impact", report.since, report.until), footer=False)
    shown.show_header = False
    shown.add_column("", no_wrap=True)
    shown.add_column("", justify="right", no_wrap=True)
    shown.add_column("", justify="right", no_wrap=True)
    shown.add_column("", style="dim", overflow="fold")
    rows = [
        ("baseline", bill, "all answered calls on the baseline model"),
        ("actual", report.total.cost, f"{counted(report.total.attempts, 'attempt')}"),
        ("gross saving", report.saving, "baseline less actual"),
    ]
    for name, figure, note in rows:
        shown.add_row(name, amount(figure, scale), _share(figure, bill), note)
    for item in report.overhead.items:
        middle = item.amount.middle
        shown.add_row(
            f"- {item.name}",
            amount(-middle, scale),
            _share(-middle, bill),
            _ends(item.amount, scale),
        )
    shown.add_row(
        Text("net saving", style="bold"),
        Text(amount(report.net.middle, scale), style="bold"),
        Text(_share(report.net.middle, bill), style=f"bold {_COLOURS[report.verdict]}"),
        _ends(report.net, scale),
    )
    return shown


def _ends(span: Span, bill: int) -> str:
    return f"{amount(span.low, bill)} to {amount(span.high, bill)}"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:,.1f}%" if whole else ""


def _verdict(report: Impact) -> Text:
    low, high = report.target_percent
    if report.net_percent is None:
        return Text("No baseline: nothing was answered that the baseline model could have been.")
    place = {"below": "below", "within": "within", "above": "above"}[report.verdict]
    line = Text.assemble(
        f"Net {report.net_percent:,.1f}% is ",
        (place, f"bold {_COLOURS[report.verdict]}"),
        f" the target of {low:g} to {high:g}%.",
    )
    if report.verdict == "below":
        line.append(
            f" The gross saving alone is below {low:g}%."
            if report.needed is None
            else f" With this gross saving, {low:g}% net takes a baseline of about "
            f"{money(report.needed, 0)} a month.",
        )
    line.append(
        f" Overhead is for {counted(report.overhead.hours, 'hour')}: "
        f"the ledger began {report.began}.",
        style="dim",
    )
    return line


def _weeks(report: Impact) -> Table:
    total = report.total.cost
    shown = table("Cost by week, task and provider")
    for name, footer in (("WEEK OF", "total"), ("TASK", ""), ("PROVIDER", "")):
        shown.add_column(name, footer=footer, no_wrap=True)
    shown.add_column("ANSWERED", footer=f"{report.total.answered:,}", justify="right", no_wrap=True)
    shown.add_column("COST", footer=amount(total, total), justify="right", no_wrap=True)
    shown.add_column("", style="cyan", no_wrap=True)
    most = max(week.totals.cost for week in report.weeks) or 1
    before = ""
    for week in report.weeks:
        shown.add_row(
            "" if week.week == before else week.week,
            Text(week.task),
            Text(week.provider),
            f"{week.totals.answered:,}",
            amount(week.totals.cost, total),
            bar(week.totals.cost / most),
        )
        before = week.week
    return shown


def _show_incidents(report: Impact, least: int, out: Console) -> None:
    if not report.incidents:
        out.print("No outage was absorbed: no request was answered by a fallback.")
        return
    shown = table("Outages that fallbacks absorbed", footer=False)
    for name in ("PROVIDER", "FROM", "TO"):
        shown.add_column(name, no_wrap=True)
    shown.add_column("FAILED", justify="right", no_wrap=True)
    shown.add_column("SAVED", justify="right", no_wrap=True)
    shown.add_column("TASKS", overflow="fold")
    for one in report.incidents:
        shown.add_row(
            Text(one.provider),
            one.since,
            one.until,
            f"{one.failed:,}",
            f"{one.saved:,}",
            Text(", ".join(one.tasks)),
            style=None if one.counts else "dim",
        )
    out.print(shown)
    number = sum(one.counts for one in report.incidents)
    each = report.worth
    out.print(
        f"{counted(report.saved_requests, 'request')} saved. "
        + (
            f"{counted(number, 'incident')} of {least} or more: worth {money(each.low, 0)} to "
            f"{money(each.high, 0)}, which is not in the net saving."
            if number
            else f"None of {least} or more, so they are given no worth."
        )
    )
