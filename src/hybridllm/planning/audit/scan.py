"""Reads the files, each in one pass of DuckDB over it, and a second only where rows are faulty."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from hybridllm.errors import ConfigError
from hybridllm.planning.audit.engine import Engine, Progress
from hybridllm.planning.audit.formats import Format, format_of, mapping_of
from hybridllm.planning.audit.formats.shape import Mapping, table
from hybridllm.planning.audit.groups import FileScan, Group, Problem, Scan
from hybridllm.planning.audit.head import Head, read_head
from hybridllm.planning.audit.query import (
    BAD,
    FIRST_SKIP,
    Typed,
    faults_select,
    raw_select,
    span_select,
    sums_select,
    typed,
)
from hybridllm.planning.audit.sizes import Grid

NAMED_PROBLEMS = 5
"""Faulty rows of a file that are named; the others are counted."""

MOST_GROUPS = 200_000
MOST_NAMES = 500
"""A label that differs from call to call (an id) would make a group of each: past `MOST_GROUPS`
groups the most frequent names of models and labels are kept and the others put together."""

OTHERS = "(others)"

Classify = Callable[[str], str]
"""A prompt's text to a task's name."""


def scan(
    engine: Engine,
    paths: list[str],
    grid: Grid,
    classify: Classify,
    *,
    format: str | None = None,
    sample: int = 2000,
    progress: Progress | None = None,
) -> Scan:
    """Raises ConfigError where a file cannot be read at all or its format is not known."""
    result = Scan(groups=[], files=[], prompts=[])
    heads = [_whole_head(engine, path) for path in paths]
    chosen = [format_of(head, format) for head in heads]
    for place, (head, kind) in enumerate(zip(heads, chosen, strict=True)):
        share = _share(progress, place, len(heads))
        try:
            _scan_file(engine, head, kind, grid, classify, sample, result, share)
        except ConfigError as e:
            if e.where is None:
                e.where = head.path
            raise
    return result


def _share(progress: Progress | None, place: int, files: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done: progress((place + done) / files)


def _whole_head(engine: Engine, path: str) -> Head:
    head = read_head(path)
    if head.kind == "parquet":
        columns = engine.columns(f"SELECT * FROM {table(head)}")
        return replace(head, columns=tuple(columns))
    return head


def _scan_file(
    engine: Engine,
    head: Head,
    format: Format,
    grid: Grid,
    classify: Classify,
    sample: int,
    result: Scan,
    progress: Progress | None,
) -> None:
    mapping = mapping_of(format, head)
    for macro in mapping.macros:
        engine.run(macro)
    row = typed(mapping, engine.columns(raw_select(mapping)))
    file = FileScan(
        path=head.path,
        format=format.name,
        title=format.title,
        provider=format.provider,
        skipped={},
        problems=[],
        sums_only=mapping.sums,
        summed=mapping.sums or "requests" in mapping.numbers,
    )
    result.files.append(file)
    said = _read_prompts(engine, row, classify, sample, result, file)
    engine.run("SET preserve_insertion_order = false")
    if head.kind == "csv":
        engine.run("DROP TABLE IF EXISTS reject_errors")
        engine.run("DROP TABLE IF EXISTS reject_scans")
    span = _span(engine, head, row, file)
    sums = sums_select(mapping, row, grid, said=said, span=span)
    engine.run(f"CREATE OR REPLACE TEMP TABLE found AS {sums}", progress)
    rejected = _rejected(engine, head, file)
    result.names_cut |= _bound(engine)
    for line in engine.run("FROM found"):
        _take(line, mapping, format, grid, result, file)
    file.rows += len(rejected)
    file.bad += len(rejected)
    if file.bad:
        _name_problems(engine, mapping, row, rejected, file)


def _span(engine: Engine, head: Head, row: Typed, file: FileScan) -> tuple[str, str] | None:
    """The first and last day of a Parquet file, whose one column is read in no time. Elsewhere that
    would be a pass of its own over the file, and the sums tell it."""
    if head.kind != "parquet" or not row.has_at:
        return None
    ((first, last),) = engine.run(span_select(row))
    if first is None:
        return None
    _stretch(file, first, last)
    return file.first, file.last


def _read_prompts(
    engine: Engine, row: Typed, classify: Classify, sample: int, result: Scan, file: FileScan
) -> bool:
    """Whether a table `said` holds tasks of prompts by their hash."""
    if not row.has_prompt or sample <= 0:
        return False
    unlabelled = "AND coalesce(trim(label), '') = ''" if row.has_label else ""
    prompts = engine.run(
        f"SELECT prompt FROM (SELECT prompt FROM ({row.select}) WHERE prompt IS NOT NULL "
        f"{unlabelled}) USING SAMPLE reservoir({sample} ROWS) REPEATABLE (7)"
    )
    if not prompts:
        return False
    texts = list(dict.fromkeys(str(prompt) for (prompt,) in prompts))
    engine.run("CREATE OR REPLACE TEMP TABLE said_of (prompt VARCHAR, task VARCHAR)")
    engine.many("INSERT INTO said_of VALUES (?, ?)", [(text, classify(text)) for text in texts])
    engine.run("CREATE OR REPLACE TEMP TABLE said AS SELECT hash(prompt) AS h, task FROM said_of")
    result.prompts += [str(prompt) for (prompt,) in prompts]
    result.sampled += len(prompts)
    file.has_prompts = True
    return True


def _bound(engine: Engine) -> bool:
    """Cuts the names down where there are too many groups. Whether it did."""
    ((groups,),) = engine.run("SELECT count(*) FROM found")
    if groups <= MOST_GROUPS:
        return False
    for column in ("model", "label"):
        engine.run(
            f"CREATE OR REPLACE TEMP TABLE kept AS SELECT {column} AS name FROM found "
            f"WHERE {column} IS NOT NULL GROUP BY ALL ORDER BY sum(n) DESC LIMIT {MOST_NAMES}"
        )
        engine.run(
            f"UPDATE found SET {column} = '{OTHERS}' WHERE {column} IS NOT NULL "
            f"AND {column} NOT IN (SELECT name FROM kept)"
        )
    columns = list(engine.columns("SELECT * FROM found"))
    keys, sums = columns[:4], columns[4:]
    by = [
        f"min({_q(c)})"
        if c.startswith("min(")
        else f"max({_q(c)})"
        if c.startswith("max(")
        else f"sum({_q(c)})"
        for c in sums
    ]
    engine.run(
        f"CREATE OR REPLACE TEMP TABLE found AS SELECT {', '.join(keys)}, {', '.join(by)} "
        "FROM found GROUP BY ALL"
    )
    return True


def _q(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _take(
    line: tuple[Any, ...],
    mapping: Mapping,
    format: Format,
    grid: Grid,
    result: Scan,
    file: FileScan,
) -> None:
    model, label, said, packed, rows, calls, *tokens = line
    tokens, (cost, costs, first, last) = tokens[:6], tokens[6:]
    file.rows += rows
    if packed == BAD or (not model and format.holds == "usage" and packed >= 0):
        file.bad += rows
        return
    if packed < BAD:
        reason = mapping.skip[FIRST_SKIP - packed][0]
        file.skipped[reason] = file.skipped.get(reason, 0) + rows
        return
    period, size_in, size_out, batch = grid.unpack(packed)
    file.undated += rows if period == grid.undated else 0
    _stretch(file, first, last)
    stated = _picodollars(cost, mapping.cost_power)
    if format.holds == "costs":
        file.costs = (file.costs or 0) + stated
        return
    whole, cached, written, written_long, output, reasoning = (int(n or 0) for n in tokens)
    parts = cached + written + written_long
    result.groups.append(
        Group(
            model=model,
            label=(label or "").strip(),
            said=said or "",
            period=period,
            size_in=size_in,
            size_out=size_out,
            batch=batch,
            rows=rows,
            calls=int(calls),
            input_tokens=whole - parts if mapping.input_is_all else whole,
            cached=cached,
            written=written,
            written_long=written_long,
            output=output,
            reasoning=reasoning,
            stated=stated,
            stated_rows=costs,
        )
    )


def _stretch(file: FileScan, first: Any, last: Any) -> None:
    if first is not None:
        days = (first.date().isoformat(), last.date().isoformat())
        file.first = min(file.first or days[0], days[0])
        file.last = max(file.last, days[1])


def _picodollars(cost: Decimal | int | None, power: int) -> int:
    """A sum of exact decimals; what is below a picodollar (only of cents) is dropped."""
    return 0 if cost is None else int(Decimal(cost).scaleb(power))


def _rejected(engine: Engine, head: Head, file: FileScan) -> list[tuple[int, str, str]]:
    """Lines of a CSV that are no rows at all: line, column, what is wrong."""
    if head.kind != "csv":
        return []
    found = engine.run(
        "SELECT line, min(coalesce(column_name, '')), min(error_type::VARCHAR) "
        "FROM reject_errors GROUP BY line ORDER BY line"
    )
    return [
        (int(line), str(column), str(kind).replace("_", " ").lower())
        for line, column, kind in found
    ]


def _name_problems(
    engine: Engine,
    mapping: Mapping,
    row: Typed,
    rejected: list[tuple[int, str, str]],
    file: FileScan,
) -> None:
    """The first few by place. A second pass, in the file's order."""
    problems = [
        Problem(file=file.path, row=line - 1, field=column or "the line", why=kind)
        for line, column, kind in rejected[:NAMED_PROBLEMS]
    ]
    if row.faults:
        engine.run("SET preserve_insertion_order = true")
        for place, fault in engine.run(faults_select(mapping, row, NAMED_PROBLEMS)):
            field, why, _ = row.faults[fault]
            number = place
            for line, _, _ in rejected:  # rows that DuckDB dropped stand before it
                number += line - 1 <= number
            problems.append(Problem(file=file.path, row=number, field=field, why=why))
    problems.sort(key=lambda problem: problem.row)
    file.problems = problems[:NAMED_PROBLEMS]
