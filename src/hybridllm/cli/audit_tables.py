"""The audit in a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from hybridllm.cli.output import money
from hybridllm.cli.tables import amount, counted, fits, table
from hybridllm.planning.audit.groups import FileScan
from hybridllm.planning.audit.report import Audit, TaskLine

_MOST_LINES = 20


def show(found: Audit, out: Console) -> None:
    """Everything, the sums last of the figures."""
    when = f"{found.first} to {found.last}" if found.first else "undated"
    out.print(
        f"[bold]An audit of {counted(found.rows, 'row')}[/bold], {when}; prices of {found.day}, "
        f"preset {escape(found.preset)}, catalogue as of {found.as_of}"
    )
    for file in found.files:
        _file(file, out)
    if found.tasks:
        out.print()
        shown = _tasks(found, wide=True)
        out.print(shown if fits(shown, out) else _tasks(found, wide=False))
        if len(found.tasks) > _MOST_LINES:
            out.print(f"[dim]and {len(found.tasks) - _MOST_LINES} more: --json has them.[/dim]")
        out.print(_models(found))
        out.print(_sums(found))
        if found.assumptions:
            out.print(_assumptions(found))
    for one in found.charged:
        out.print(
            f"\n{escape(one.provider)} states {money(one.stated)} for {one.first} to {one.last}; "
            f"the usage above comes to {money(one.bill)}."
        )
    for note in found.notes:
        out.print(f"[dim]{escape(note)}[/dim]")


def _file(file: FileScan, out: Console) -> None:
    left = [f"{count:,} {reason}" for reason, count in file.skipped.items()]
    out.print(
        f"[dim]{escape(file.path)}: {escape(file.title)}, {counted(file.good, 'row')}"
        f"{', left aside ' + '; '.join(left) if left else ''}[/dim]"
    )
    if file.bad:
        out.print(f"[yellow]{counted(file.bad, 'faulty row')} left out:[/yellow]")
        for problem in file.problems:
            out.print(f"  row {problem.row}, {problem.field}: {problem.why}", markup=False)
        if file.bad > len(file.problems):
            out.print(f"  and {file.bad - len(file.problems):,} more")


def _tasks(found: Audit, *, wide: bool) -> Table:
    bill = max(found.now, found.batched)
    shown = table(footer=True)
    shown.add_column("TASK", footer="all", no_wrap=True)
    if wide:
        shown.add_column("KNOWN BY", style="dim", no_wrap=True)
    shown.add_column("CALLS", footer=f"{found.calls:,}", justify="right", no_wrap=True)
    shown.add_column("NOW", footer=amount(found.now, bill), justify="right", no_wrap=True)
    shown.add_column("ROUTED TO", style="cyan", no_wrap=True)
    if wide:
        shown.add_column("ROUTED", footer=amount(found.hybrid, bill), justify="right", no_wrap=True)
    shown.add_column("BATCHED", footer=amount(found.batched, bill), justify="right", no_wrap=True)
    shown.add_column("SAVING", footer=amount(found.saving, bill), justify="right", no_wrap=True)
    for line in found.tasks[:_MOST_LINES]:
        saving = amount(line.saving, bill)
        shown.add_row(
            Text(_name(line, wide)),
            *([line.how] if wide else []),
            f"{line.calls:,}" if line.calls else "-",
            amount(line.now, bill),
            Text(_first(list(line.routed), wide)),
            *([amount(line.hybrid, bill)] if wide else []),
            amount(line.batched, bill),
            f"[red]{saving}[/red]" if line.saving < 0 else saving,
        )
    return shown


def _name(line: TaskLine, wide: bool) -> str:
    name = line.name if len(line.name) <= 32 else f"{line.name[:31]}…"
    return name if line.name == line.task or not wide else f"{name} ({line.task})"


def _first(names: list[str], wide: bool) -> str:
    shown = [name if wide else name.partition("/")[2] or name for name in names[:1]]
    return "".join(shown) + (f" +{len(names) - 1}" if len(names) > 1 else "")


def _models(found: Audit) -> Table:
    stated = any(line.stated_rows for line in found.models)
    shown = table("\nThe bill, each call at its own day's price", footer=True)
    shown.add_column("MODEL", footer="all", no_wrap=True)
    shown.add_column("ROWS", footer=f"{found.rows:,}", justify="right", no_wrap=True)
    shown.add_column("BILL", footer=amount(found.bill, found.bill), justify="right", no_wrap=True)
    if stated:
        shown.add_column("THE FILE SAYS", justify="right", no_wrap=True)
        shown.add_column("OURS LESS THEIRS", justify="right", no_wrap=True)
    for line in found.models[:_MOST_LINES]:
        row: list[Text | str] = [
            Text(line.id or f"{line.written} (unknown)"),
            f"{line.rows:,}",
            "?" if line.bill is None else amount(line.bill, found.bill),
        ]
        if stated:
            known = line.stated_rows > 0
            row.append(amount(line.stated, found.bill) if known else "")
            less = line.stated_bill - line.stated
            row.append(amount(less, found.bill) if known and line.id else "")
        shown.add_row(*row)
    return shown


def _sums(found: Audit) -> Table:
    batch, cache = found.batch, found.cache
    eligible = batch.eligible_calls / batch.calls if batch.calls else 0.0
    shown = table("\nLevers", footer=False)
    shown.show_header = False
    shown.add_column(no_wrap=True)
    shown.add_column(justify="right", no_wrap=True)
    shown.add_column(style="dim")

    def row(name: str, saving: int, remark: str) -> None:
        shown.add_row(name, amount(saving, found.now), remark)

    row("the router's choice", found.now - found.hybrid, "")
    row("batches", batch.saving, f"{eligible:.0%} of calls can wait and do not yet")
    share = f"{found.saving / found.now:.1%} of {money(found.now)}" if found.now else ""
    shown.add_row("[bold]saving[/bold]", f"[bold]{amount(found.saving, found.now)}[/bold]", share)
    if found.monthly_saving is not None:
        row("in 30 days of it", found.monthly_saving, "")
    how = "measured on the prompts" if cache.measured else "assumed: no prompts to look at"
    row(
        "caches, besides",
        cache.saving,
        f"{cache.seen:.0%} of input is cached, {cache.possible:.0%} could be ({how})",
    )
    return shown


def _assumptions(found: Audit) -> Table:
    shown = table("\nWhat the saving rests on, the weightiest first", footer=False)
    shown.add_column("ASSUMED")
    shown.add_column("WHAT IF")
    shown.add_column("SAVING THEN", justify="right", no_wrap=True)
    shown.add_column("CHANGE", justify="right", no_wrap=True)
    for made in found.assumptions:
        shown.add_row(
            made.text,
            made.if_wrong,
            amount(made.saving, found.now),
            amount(made.change, found.now),
        )
    return shown
