"""The audit: the bill as it was, the same calls routed, batched and cached, and on what that rests.

Money is picodollars. `bill` is priced at each call's own day. What is compared is all at the prices
of one day (`day`): `now` is today's models, `hybrid` the router's, `batched` with batches.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from msgspec import Struct

from hybridllm.config import Config
from hybridllm.errors import ConfigError
from hybridllm.planning.audit.cells import Cell, Pricer, cells_of
from hybridllm.planning.audit.engine import Progress, open_engine
from hybridllm.planning.audit.groups import FileScan, Scan
from hybridllm.planning.audit.levers import BatchLever, CacheLever, cache_lever
from hybridllm.planning.audit.prompts import shared_share
from hybridllm.planning.audit.routed import Routed
from hybridllm.planning.audit.scan import scan
from hybridllm.planning.audit.sensitivity import Assumption, WhatIf
from hybridllm.planning.audit.sizes import Grid, grid_of
from hybridllm.planning.audit.tasks import How, Namer


class TaskLine(Struct, kw_only=True):
    """Calls of one name. `models` are today's and `routed` tomorrow's, dearest first. `how` says by
    what the task is known; `now`, `hybrid`, `batched` are what it costs."""

    name: str
    task: str
    how: How
    why: str
    rows: int = 0
    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    models: dict[str, int]
    routed: dict[str, int]
    now: int = 0
    hybrid: int = 0
    batched: int = 0
    can_wait: bool = False

    @property
    def saving(self) -> int:
        return self.now - self.batched


class ModelLine(Struct, kw_only=True):
    """Today's bill of one model. `id` is the catalogue's, "" where it is not known; `bill` None
    where it cannot be priced. `stated` is the file's own figure for `stated_rows` rows, and
    `stated_bill` ours for the same."""

    written: str
    id: str
    rows: int = 0
    calls: int = 0
    bill: int | None = None
    stated: int = 0
    stated_rows: int = 0
    stated_bill: int = 0


class Charged(Struct, frozen=True, kw_only=True):
    """What a provider's cost report states for its days, beside our bill for all of its models."""

    file: str
    provider: str
    first: str
    last: str
    stated: int
    bill: int


class Audit(Struct, kw_only=True):
    """Everything that is shown. `unpriced_rows` are on models that nobody prices here and are in no
    total. `compared` says how many rows the comparison covers."""

    day: str
    preset: str
    as_of: str
    files: list[FileScan]
    first: str
    last: str
    days: int
    rows: int
    calls: int
    bill: int
    now: int
    hybrid: int
    batched: int
    tasks: list[TaskLine]
    models: list[ModelLine]
    charged: list[Charged]
    batch: BatchLever
    cache: CacheLever
    assumptions: list[Assumption]
    notes: list[str]
    unpriced_rows: int

    @property
    def saving(self) -> int:
        return self.now - self.batched

    @property
    def monthly_saving(self) -> int | None:
        """Thirty days of it; None where no row has a date."""
        return self.saving * 30 // self.days if self.first else None


def audit(
    paths: list[str],
    config: Config,
    day: str,
    *,
    format: str | None = None,
    mapping: Mapping[str, str] | None = None,
    sample: int = 2000,
    progress: Progress | None = None,
    threads: int | None = None,
) -> Audit:
    """Reads the files and reports. `day` (ISO) is the day whose prices tomorrow's bill is at;
    `mapping` gives tasks of labels; `sample` is how many prompts of a file are read.

    Raises ConfigError where a file or an option cannot be used, HybridError without DuckDB.
    """
    for label, task in (mapping or {}).items():
        if task not in config.tasks:
            raise ConfigError(
                f'There is no task "{task}" for the label "{label}".',
                field="task",
                remedy=f"The tasks are: {', '.join(config.tasks)}.",
            )
    grid = grid_of(config.catalog, day)
    namer = Namer(config, mapping)
    with open_engine(threads) as engine:
        found = scan(
            engine, paths, grid, namer.prompt, format=format, sample=sample, progress=progress
        )
    return report(found, config, day, grid, namer)


def report(found: Scan, config: Config, day: str, grid: Grid, namer: Namer) -> Audit:
    """The report of what was read."""
    routed = Routed(config, day)
    pricer = Pricer(grid, day)
    cells = cells_of(found.groups, config, namer, routed)
    priced = [(cell, now) for cell in cells if (now := _now(cell, pricer)) is not None]
    what_if = WhatIf(priced, config, routed, pricer)
    tasks = _tasks(priced, what_if, config)
    models = _models(cells, pricer)
    first, last, days = _span(found.files)
    kept = [cell for cell, _ in priced if cell.routed]
    seen = len(kept)
    cache = cache_lever(kept, config, grid, day, days, shared_share(found.prompts))
    result = Audit(
        day=day,
        preset=config.preset,
        as_of=config.catalog.as_of,
        files=found.files,
        first=first,
        last=last,
        days=days,
        rows=sum(cell.total("rows") for cell in cells),
        calls=sum(cell.total("calls") for cell in cells),
        bill=sum(line.bill or 0 for line in models),
        now=sum(line.now for line in tasks),
        hybrid=sum(line.hybrid for line in tasks),
        batched=sum(line.batched for line in tasks),
        tasks=tasks,
        models=models,
        charged=_charged(found.files, cells, pricer),
        batch=_batch(priced, what_if, config),
        cache=cache,
        assumptions=what_if.all() if seen else [],
        notes=[],
        unpriced_rows=sum(cell.total("rows") for cell in cells)
        - sum(cell.total("rows") for cell, _ in priced),
    )
    result.notes = _notes(found, result, models)
    return result


def _now(cell: Cell, pricer: Pricer) -> int | None:
    """What the cell's calls cost on today's models at the day's prices. Where the model is not
    known: what the file states, if it does for every row."""
    price = pricer.cell(cell, cell.model)
    if price is not None or cell.model is not None:
        return price
    if all(group.stated_rows == group.rows for group in cell.groups):
        return cell.total("stated")
    return None


def _tasks(priced: list[tuple[Cell, int]], what_if: WhatIf, config: Config) -> list[TaskLine]:
    lines: dict[tuple[str, str, str], TaskLine] = {}
    for cell, now in priced:
        naming = cell.naming
        key = (naming.name, naming.task, naming.how)
        if key not in lines:
            lines[key] = TaskLine(
                name=naming.name,
                task=naming.task,
                how=naming.how,
                why=naming.why,
                models={},
                routed={},
                can_wait=bool(cell.routed) and config.tasks[naming.task].can_wait,
            )
        line = lines[key]
        hybrid = what_if.after(cell, now, batch=False)
        line.rows += cell.total("rows")
        line.calls += cell.total("calls")
        line.input_tokens += cell.total("total_input")
        line.cached_tokens += cell.total("cached")
        line.output_tokens += cell.total("output")
        line.now += now
        line.hybrid += hybrid
        line.batched += what_if.after(cell, now)
        today = cell.model.id if cell.model else cell.written
        target = cell.target.id if cell.target else cell.written
        line.models[today] = line.models.get(today, 0) + now
        line.routed[target] = line.routed.get(target, 0) + hybrid
    for line in lines.values():
        line.models = _dearest(line.models)
        line.routed = _dearest(line.routed)
    return sorted(lines.values(), key=lambda line: (-line.now, line.name))


def _dearest(amounts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(amounts.items(), key=lambda item: (-item[1], item[0])))


def _models(cells: list[Cell], pricer: Pricer) -> list[ModelLine]:
    lines: dict[str, ModelLine] = {}
    for cell in cells:
        id = cell.model.id if cell.model else ""
        line = lines.setdefault(id or cell.written, ModelLine(written=cell.written, id=id))
        for group in cell.groups:
            line.rows += group.rows
            line.calls += group.calls
            bill = None if cell.model is None else pricer.price(group, cell.model, dated=True)
            if bill is not None:
                line.bill = (line.bill or 0) + bill
            if group.stated_rows:
                line.stated += group.stated
                line.stated_rows += group.stated_rows
                if group.stated_rows == group.rows:
                    line.stated_bill += bill or 0
    return sorted(lines.values(), key=lambda line: (-(line.bill or line.stated), line.written))


def _batch(priced: list[tuple[Cell, int]], what_if: WhatIf, config: Config) -> BatchLever:
    calls = eligible = before = saving = 0
    for cell, now in priced:
        live = sum(group.calls for group in cell.groups if not group.batch)
        calls += cell.total("calls")
        if cell.routed and config.tasks[cell.task].can_wait:
            hybrid = what_if.after(cell, now, batch=False)
            eligible += live
            before += hybrid
            saving += hybrid - what_if.after(cell, now)
    return BatchLever(calls=calls, eligible_calls=eligible, before=before, saving=saving)


def _span(files: list[FileScan]) -> tuple[str, str, int]:
    """First and last day of usage and how many that are; thirty where nothing has a date."""
    dated = [file for file in files if file.first and file.costs is None]
    if not dated:
        return "", "", 30
    first = min(file.first for file in dated)
    last = max(file.last for file in dated)
    return first, last, (date.fromisoformat(last) - date.fromisoformat(first)).days + 1


def _charged(files: list[FileScan], cells: list[Cell], pricer: Pricer) -> list[Charged]:
    bills: dict[str, int] = {}
    for cell in cells:
        if cell.model is not None:
            bill = pricer.cell(cell, cell.model, dated=True) or 0
            bills[cell.model.provider] = bills.get(cell.model.provider, 0) + bill
    return [
        Charged(
            file=file.path,
            provider=file.provider,
            first=file.first,
            last=file.last,
            stated=file.costs,
            bill=bills.get(file.provider, 0),
        )
        for file in files
        if file.costs is not None
    ]


def _notes(found: Scan, result: Audit, models: list[ModelLine]) -> list[str]:
    """What one must know to read the figures, a sentence each."""
    notes = []
    unknown = [line for line in models if not line.id]
    if unknown:
        names = ", ".join(line.written for line in unknown[:5])
        notes.append(
            f"Not in the catalogue: {names}{', ...' if len(unknown) > 5 else ''}. Their calls "
            "count at the file's own cost where every row has one, else not at all "
            f"({result.unpriced_rows:,} rows)."
        )
    undated = sum(file.undated for file in found.files if file.costs is None)
    if undated:
        notes.append(f"{undated:,} rows have no date and are priced as on {result.day}.")
    if any(file.summed for file in found.files):
        notes.append(
            "Where a row sums up several calls, their price tier is that of their mean input, or "
            "what the export says of the context window."
        )
    if result.bill != result.now and not unknown:
        notes.append(
            f"The bill is at each day's own prices; the comparison at those of {result.day}."
        )
    if found.names_cut:
        notes.append(
            "Labels differ from call to call: all but the most frequent were put together."
        )
    if found.sampled:
        notes.append(
            f"The classifier read {found.sampled:,} prompts; calls like them follow these."
        )
    dearer = [line.name for line in result.tasks if line.batched > line.now and line.routed]
    if dearer:
        notes.append(
            f"Routed, {', '.join(dearer)} cost more: some of today's models are not known to meet "
            "the bar of that work. Lower the bar, or measure them."
        )
    stayed = sum(line.rows for line in result.tasks if line.why == "stays")
    if stayed:
        notes.append(f"{stayed:,} rows are embeddings, which are not routed.")
    return notes


__all__ = ["Audit", "Charged", "ModelLine", "TaskLine", "audit", "report"]
