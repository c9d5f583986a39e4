"""`hybridllm quality`: how good each model is at each task, how sure that is, and why."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter
from msgspec import Struct
from rich.text import Text

from hybridllm.catalog.prompts import label_for
from hybridllm.catalog.structs import Quality, Task
from hybridllm.cli.output import dollars, print_csv, print_json
from hybridllm.cli.tables import console, table
from hybridllm.config import Config
from hybridllm.config_file import load_config
from hybridllm.engine.measured import Measured, measured_in, with_measured
from hybridllm.errors import ErrorKind, RequestError
from hybridllm.ledger.paths import store_url
from hybridllm.quality import Table, Verdict, meets, verdict
from hybridllm.quality.measured import ENOUGH, Cell, closest

_DAY = 86_400
_STATES = {Verdict.MEETS: "meets", Verdict.BELOW: "below", Verdict.UNDECIDED: "undecided"}


class Row(Struct, kw_only=True):
    """A model at a task. `value`, `lower` and `source` are what routing goes by (None where nothing
    is known), `measured` says whether that was measured. The figures of `n` answers that were
    judged are in `score`, `score_lower` and `score_upper`, whether they decide yet or not. `next`
    is its place among those whose verdict more samples would settle, 0 for none. `decline` says in
    words since when the model is degraded: `value` and `lower` are then what it is worth since."""

    task: str
    model: str
    variant: str
    bar: float
    value: float | None
    lower: float | None
    measured: bool
    source: str
    state: str
    n: int = 0
    score: float | None = None
    score_lower: float | None = None
    score_upper: float | None = None
    feedback: int = 0
    age_days: float | None = None
    cost_usd: str = "0"
    next: int = 0
    decline: str = ""


def quality(
    *,
    task: str | None = None,
    preset: str | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
    csv: Annotated[bool, Parameter(negative="")] = False,
    config: Path | None = None,
    ledger: Path | None = None,
    store: str | None = None,
) -> None:
    """Show how good each model is at each task, and what that rests on. Examples:

        hybridllm quality
        hybridllm quality --task classification --json

    A model is routed to where its lower bound meets the task's bar. Bounds are of 95%, and hold
    however often one looks. Until they decide, or 200 answers were judged, an assumption stands.

    Parameters
    ----------
    task
        This task alone.
    preset
        The tasks and assumptions to start from: default or guide.
    json
        Print JSON.
    csv
        Print CSV.
    config
        The configuration file [default: $HYBRIDLLM_CONFIG, else ./hybridllm.toml if it is there].
    ledger
        The directory of the ledger, as given to serve.
    store
        The URL of another store to read.
    """
    settings = load_config(str(config) if config else None, preset)
    if task is not None and task not in settings.tasks:
        raise RequestError(
            f"There is no task '{task}'.",
            kind=ErrorKind.NOT_FOUND,
            field="--task",
            remedy=f"Tasks are {', '.join(settings.tasks)}.",
        )
    where = settings.ledger
    if ledger is not None:
        where = msgspec.structs.replace(where, directory=str(ledger))
    found = measured_in(store or store_url(where), settings, task)
    rows = rows_of(settings, found, time.time(), task)
    if json:
        print_json({"rows": rows})
    elif csv:
        print_csv(Row.__struct_fields__, [msgspec.structs.astuple(row) for row in rows])
    else:
        _print(rows)


def rows_of(config: Config, found: Measured, now: float, only: str | None = None) -> list[Row]:
    """A row for each model that a task lists or that was measured there. `now` is Unix time."""
    known = Table(with_measured(config, found).quality)
    ranked = closest(found.cells, config.tasks)
    near = {(c.task, c.model, c.variant): i for i, c in enumerate(ranked, 1)}
    cells = {(cell.task, cell.model, cell.variant): cell for cell in found.cells}
    made = []
    for name, task in config.tasks.items():
        if only is None or name == only:
            for model, variant in _of_task(config, task, cells):
                key = (name, model, variant)
                applied = label_for(config.variants, name, model)
                in_force = known.find(model, task) if variant == applied else None
                made.append(_row(task, key, in_force, cells.get(key), near.get(key, 0), now))
    return made


def _of_task(
    config: Config, task: Task, cells: Iterable[tuple[str, str, str]]
) -> list[tuple[str, str]]:
    names = config.catalog.names
    ids = [names.get(id, id) for id in (*task.candidates, *task.fallbacks)]
    listed = [(id, label_for(config.variants, task.name, id)) for id in ids]
    measured = [(model, variant) for name, model, variant in cells if name == task.name]
    return list(dict.fromkeys([*listed, *measured]))


def _row(
    task: Task,
    key: tuple[str, str, str],
    known: Quality | None,
    cell: Cell | None,
    near: int,
    now: float,
) -> Row:
    row = Row(
        task=key[0],
        model=key[1],
        variant=key[2],
        bar=task.bar,
        value=known.value if known else None,
        lower=known.lower if known else None,
        measured=known is not None and known.samples > 0,
        source=(known.source or "config") if known else "",
        state="unknown",
        next=near,
        decline=known.decline if known else "",
    )
    if cell is not None:
        row.n, row.feedback, row.cost_usd = cell.n, cell.feedback, dollars(cell.cost)
        row.score, row.score_lower, row.score_upper = cell.value, cell.lower, cell.upper
        row.age_days = max(0.0, round((now - cell.at / 1e6) / _DAY, 2))
    if known is not None and known.decline:
        row.state = "meets" if meets(known, task.bar) else "degraded"
    elif row.measured and cell is not None:
        row.state = _STATES[cell.verdict(task.bar)]
    elif known is not None:
        # The upper end of a figure from the configuration is not known.
        row.state = _STATES[verdict(known.lower, known.value, task.bar)]
    return row


def _print(rows: list[Row]) -> None:
    out = console()
    shown = table("Quality", footer=False)
    for name in ("TASK", "BAR", "MODEL"):
        shown.add_column(name, no_wrap=True)
    for name in ("VALUE", "BOUND", "N", "AGE"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("SOURCE", no_wrap=True)
    shown.add_column("")
    before = ""
    for row in rows:
        head = (row.task, f"{row.bar:.2f}") if row.task != before else ("", "")
        before = row.task
        shown.add_row(*map(Text, head), Text(_name(row)), *_figures(row))
    out.print(shown)
    measured = sum(row.measured for row in rows)
    out.print(
        f"\n[dim]{measured:,} measured, {len(rows) - measured:,} assumed or unknown. A bound that "
        "meets the bar is green, one that does not is red; assumptions are pale. What was judged "
        f"counts with a clear verdict, or from {ENOUGH} answers on.[/dim]"
    )


def _name(row: Row) -> str:
    return f"{row.model} ({row.variant})" if row.variant else row.model


def _figures(row: Row) -> list[Text]:
    value, lower = row.value, row.lower
    if value is None:
        value, lower = row.score, row.score_lower
    style = heat(lower, row.bar, pale=not row.measured)
    said = row.state
    if row.n and not row.measured:
        said += f"; judged {row.score:.3f} of {row.n}"
    if row.decline:
        said = f"{'meets; ' if row.state == 'meets' else ''}{row.decline}"
    if row.next:
        said += f"; to sample next: {row.next}"
    return [
        Text("-" if value is None else f"{value:.3f}", style),
        Text("-" if lower is None else f"{lower:.3f}", style),
        Text(f"{row.n:,}" if row.n else "-"),
        Text("-" if row.age_days is None else _age(row.age_days)),
        Text("assumed" if row.source and not row.measured else row.source or "-"),
        Text(said, "bold red" if row.decline else "dim"),
    ]


def heat(lower: float | None, bar: float, *, pale: bool) -> str:
    """A style from red (ten points or more below the bar) over yellow to green (five above)."""
    if lower is None:
        return "dim"
    share = max(0.0, min(1.0, (lower - bar + 0.1) / 0.15))
    red, green = (200, round(200 * share * 1.5)) if lower < bar else (round(240 * (1 - share)), 170)
    return f"{'dim ' if pale else ''}rgb({red},{min(green, 200)},60)"


def _age(days: float) -> str:
    return f"{days:.0f}d" if days >= 2 else f"{days * 24:.0f}h"
