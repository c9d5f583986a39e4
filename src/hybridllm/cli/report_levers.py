"""`hybridllm report levers`: what batches and caches saved, what was left, and what to change."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from rich.text import Text

from hybridllm.cli.output import dollars, print_csv, print_json
from hybridllm.cli.report_parts import find_ledger, title
from hybridllm.cli.tables import amount, console, counted, table
from hybridllm.config_file import load_config
from hybridllm.reports import parse_since
from hybridllm.reports.levers import Change, Levers, LeversReport
from hybridllm.reports.levers import levers as report_levers

_COUNTS = ("answered", "batched", "cache_hits", "checked", "passed")


def levers(
    *,
    since: str = "7d",
    until: str | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
    csv: Annotated[bool, Parameter(negative="")] = False,
    config: Path | None = None,
    ledger: Path | None = None,
    store: str | None = None,
) -> None:
    """What batches, caches and cascades saved, what was left, and what to change. Example:

        hybridllm report levers --since 30d

    Left on the table is what live answers of tasks that can wait would have cost less in a batch,
    and what repeated beginnings would have cost less from a prompt cache.

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
    settings = load_config(str(config) if config else None)
    engine = find_ledger(config, ledger, store)
    try:
        report = report_levers(engine, settings, start, end)
    finally:
        engine.dispose()
    if json:
        print_json(document(report))
    elif csv:
        print_csv(
            ["task", "can_wait", *_exact(report.total)],
            [[one.task, one.can_wait, *_exact(one.levers).values()] for one in report.tasks],
        )
    else:
        _print_table(report)


def document(report: LeversReport) -> dict[str, Any]:
    """The report as JSON says it, money as exact dollars under `*_usd`."""
    change = report.change
    return {
        "since": report.since,
        "until": report.until,
        "total": _exact(report.total),
        "tasks": [
            {"task": one.task, "can_wait": one.can_wait, **_exact(one.levers)}
            for one in report.tasks
        ],
        "change": None if change is None else _change(change),
    }


def _exact(found: Levers) -> dict[str, Any]:
    figures = msgspec.structs.asdict(found)
    counts = {name: figures.pop(name) for name in _COUNTS}
    return {**counts, **{f"{name}_usd": dollars(value) for name, value in figures.items()}}


def _change(change: Change) -> dict[str, Any]:
    figures = msgspec.structs.asdict(change)
    return {**figures, "saving_usd": dollars(figures.pop("saving"))}


def _print_table(report: LeversReport) -> None:
    out = console()
    if not report.tasks:
        out.print(f"Nothing was recorded from {report.since} to {report.until}.")
        return
    total = report.total
    bill = total.cost + total.saved
    shown = table(title("Levers", report.since, report.until))
    names = ("ANSWERED", "COST", "BATCHES", "PROMPT CACHES", "RESPONSE CACHE", "CASCADES")
    left = ("LEFT: BATCHES", "LEFT: PREFIXES")
    shown.add_column("TASK", footer="total", no_wrap=True)
    for name, footer in zip((*names, *left), _figures(total, bill), strict=True):
        shown.add_column(name, footer=footer, justify="right", no_wrap=True)
    for one in report.tasks:
        shown.add_row(Text(one.task), *_figures(one.levers, bill))
    out.print(shown)
    out.print(
        f"[dim]Saved {amount(total.saved, bill)}: {counted(total.batched, 'attempt')} in batches, "
        f"{counted(total.cache_hits, 'answer')} given again, and prompts read from caches (less "
        f"{amount(total.write_extra, bill)} for writing to them).[/dim]"
    )
    if total.checked:
        out.print(
            f"[dim]{counted(total.checked, 'cheap answer')} checked in cascades, of which "
            f"{total.passed:,} passed; {amount(total.cascade_extra, bill)} went into checks and "
            "answers that did not.[/dim]"
        )
    if report.change is not None:
        _print_change(report.change)


def _figures(found: Levers, bill: int) -> list[str]:
    prompts = found.read_saved - found.write_extra
    cascades = found.cascade_saved - found.cascade_extra
    money = (found.cost, found.batch_saved, prompts, found.hit_saved, cascades)
    left = (found.batch_left, found.prefix_left)
    return [f"{found.answered:,}", *(amount(each, bill) for each in (*money, *left))]


def _print_change(change: Change) -> None:
    out = console()
    of = f" of {change.task}" if change.task else ""
    condition = f", {change.condition}" if change.condition else ""
    out.print(
        f"\nThe change that would have saved most: {amount(change.saving, change.saving)} by "
        f"{change.lever}{of}{condition}. In hybridllm.toml:\n"
    )
    out.print(Text(change.toml.rstrip()))
