"""The SQL of one file's scan: its fields as typed columns, the row's faults, and the sums."""

from __future__ import annotations

from msgspec import Struct

from hybridllm.planning.audit.formats.shape import NUMBERS, Mapping, epoch
from hybridllm.planning.audit.sizes import Grid, bucket_sql, period_sql

BAD, FIRST_SKIP = -1, -2
"""Keys of what is left out: faulty rows, and from -2 downward the mapping's reasons to skip."""

_TRUE = "('true', 't', '1', 'yes', 'batch')"
_NO_MODEL = "coalesce(model, '') = ''"
_WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}


class Typed(Struct, frozen=True, kw_only=True):
    """`select` yields model, label, prompt, batch, at, cost, size and the `numbers` that the file
    has, as our types, NULL where the file says nothing or nothing sensible. `faults` are what can
    be wrong of a row: the field as the file calls it, what is wrong, the condition."""

    select: str
    numbers: frozenset[str]
    faults: tuple[tuple[str, str, str], ...]
    has_at: bool
    has_cost: bool
    has_prompt: bool
    has_label: bool


def raw_select(mapping: Mapping) -> str:
    """The file's own values under our names."""
    parts = [f"{mapping.model} AS model"]
    parts += [f"{expression} AS {key}" for key, expression in mapping.numbers.items()]
    for name in ("at", "label", "batch", "cost", "prompt", "size"):
        expression = getattr(mapping, name)
        if expression is not None:
            parts.append(f'{expression} AS "{name}"')
    cases = [
        f"WHEN {condition} THEN {place}" for place, (_, condition) in enumerate(mapping.skip, 1)
    ]
    if cases:
        parts.append(f"CASE {' '.join(cases)} ELSE 0 END AS skipped")
    return f"SELECT {', '.join(parts)} FROM {mapping.relation}"


def typed(mapping: Mapping, types: dict[str, str]) -> Typed:
    """`types` are those of `raw_select`'s columns."""
    names = mapping.names
    parts = ["CAST(model AS VARCHAR) AS model"]
    faults = [(names.get("model", "model"), "is empty", _NO_MODEL)]
    if mapping.numbers == {}:
        faults = []  # a file of costs names no models
    for key in NUMBERS:
        if key in mapping.numbers:
            name = names.get(key, key)
            column, wrong = _number(key, types[key], name, key in mapping.required)
            parts.append(column)
            faults += wrong
    for key, make in (("at", _at), ("cost", _cost)):
        if key in types:
            column, wrong = make(types[key], names.get(key, key), mapping)
            parts.append(column)
            faults += wrong
    if "label" in types:
        parts.append("CAST(label AS VARCHAR) AS label")
    if "prompt" in types:
        parts.append("nullif(CAST(prompt AS VARCHAR), '') AS prompt")
    if "batch" in types:
        is_true = "batch" if types["batch"] == "BOOLEAN" else f"lower(batch::VARCHAR) IN {_TRUE}"
        parts.append(f"coalesce({is_true}, false) AS batch")
    parts += [name for name in ("size", "skipped") if name in types]
    faults += _overlaps(mapping)
    return Typed(
        select=f"SELECT {', '.join(parts)} FROM ({raw_select(mapping)})",
        numbers=frozenset(mapping.numbers),
        faults=tuple(faults),
        has_at="at" in types,
        has_cost="cost" in types,
        has_prompt="prompt" in types,
        has_label="label" in types,
    )


def _number(
    key: str, kind: str, name: str, required: bool
) -> tuple[str, list[tuple[str, str, str]]]:
    if kind in _WHOLE:
        value, nonsense = f"CAST({key} AS BIGINT)", ""
    else:
        value = f"TRY_CAST({key} AS BIGINT)"
        blank = f"trim(CAST({key} AS VARCHAR)) = ''"
        nonsense = f"({value} IS NULL AND {key} IS NOT NULL AND NOT ({blank}))"
    faults = [(name, "is negative", f"coalesce({key} < 0, false)")]
    columns = f"{value} AS {key}"
    if nonsense:
        columns += f", {nonsense} AS bad_{key}"
        faults.insert(0, (name, "is no whole number", f"bad_{key}"))
    if required:
        faults.append((name, "is empty", f"{key} IS NULL"))
    return columns, faults


def _at(kind: str, name: str, mapping: Mapping) -> tuple[str, list[tuple[str, str, str]]]:
    """A time without an offset is UTC. A cast to TIMESTAMP would drop an offset in silence."""
    at = '"at"'
    if kind in ("VARCHAR", "JSON"):
        value = f"coalesce(make_timestamp(epoch_us(TRY_CAST({at} AS TIMESTAMPTZ))), {epoch(at)})"
        bad = f"({value} IS NULL AND {at} IS NOT NULL AND trim({at}::VARCHAR) <> '')"
        return f"{value} AS {at}, {bad} AS bad_at", [(name, "is no date or time", "bad_at")]
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"make_timestamp(epoch_us({at})) AS {at}", []
    if kind in _WHOLE or kind.startswith(("DECIMAL", "DOUBLE", "FLOAT", "HUGEINT", "UBIGINT")):
        return f"{epoch(at)} AS {at}", []
    return f"CAST({at} AS TIMESTAMP) AS {at}", []


def _cost(kind: str, name: str, mapping: Mapping) -> tuple[str, list[tuple[str, str, str]]]:
    """Exact decimals: a float is taken at twelve places, a picodollar."""
    places = 12 if mapping.cost_power else 0
    value = f"TRY_CAST(cost AS DECIMAL(38, {places}))"
    bad = f"({value} IS NULL AND cost IS NOT NULL AND trim(cost::VARCHAR) <> '')"
    return f"{value} AS cost, {bad} AS bad_cost", [(name, "is no amount", "bad_cost")]


def _overlaps(mapping: Mapping) -> list[tuple[str, str, str]]:
    """Parts that exceed their whole."""
    names, numbers = mapping.names, mapping.numbers
    faults = []
    parts = [key for key in ("cached", "written", "written_long") if key in numbers]
    if mapping.input_is_all and "input" in numbers and parts:
        total = " + ".join(f"coalesce({key}, 0)" for key in parts)
        faults.append(
            (names[parts[0]], f"exceeds {names['input']}", f"coalesce({total} > input, false)")
        )
    if "reasoning" in numbers and "output" in numbers:
        faults.append(
            (
                names.get("reasoning", "reasoning"),
                f"exceeds {names['output']}",
                "coalesce(reasoning > output, false)",
            )
        )
    return faults


def span_select(row: Typed) -> str:
    """The first and the last time in the file."""
    return f'SELECT min("at"), max("at") FROM ({row.select})'


def sums_select(
    mapping: Mapping, row: Typed, grid: Grid, *, said: bool, span: tuple[str, str] | None = None
) -> str:
    """Rows, calls, tokens and costs by model, label, task read from the prompt (`said`: there is a
    table of them) and packed key. Sums of BIGINT are HUGEINT, of DECIMAL exact. `span` are
    the file's first and last day, where they are known already.
    """

    def number(key: str) -> str:
        if key in mapping.required:
            return key  # a row without it is left out
        return f"coalesce({key}, 0)" if key in row.numbers else "0"

    own = ("input", "cached", "written", "written_long")
    total = number("input") if mapping.input_is_all else " + ".join(map(number, own))
    calls = f"greatest({number('requests')}, 1)" if "requests" in row.numbers else "1"
    size = f"({total}) // {calls}" if "requests" in row.numbers else f"({total})"
    output = f"{number('output')} // {calls}" if "requests" in row.numbers else number("output")
    if mapping.sums:
        calls, size, output = "0", "size" if mapping.size else "0", "0"
    counted = {"0": "0", "1": "count(*)"}.get(calls, f"sum({calls})")
    packed = grid.pack(
        period_sql('"at"', grid, *(span or ())) if row.has_at else str(grid.undated),
        bucket_sql("size_in", grid.inputs),
        bucket_sql("size_out", grid.outputs),
        "batch::INTEGER" if mapping.batch else "0",
    )
    # An empty model is seen in the sums, since it is a key of them: no text is looked at here.
    conditions = [condition for _, _, condition in row.faults if condition != _NO_MODEL]
    left_out = " OR ".join(conditions) or "false"
    cases = [f"WHEN {left_out} THEN {BAD}"]
    if mapping.skip:
        cases.insert(0, f"WHEN skipped > 0 THEN {FIRST_SKIP + 1} - skipped")
    key = f"CASE {' '.join(cases)} ELSE {packed} END"
    sums = [f"sum({name})" if name in row.numbers else "0" for name in NUMBERS[:-1]]
    sums.append("sum(cost), count(cost)" if row.has_cost else "NULL, 0")
    sums.append('min("at"), max("at")' if row.has_at and span is None else "NULL, NULL")
    joined = "LEFT JOIN said ON hash(prompt) = said.h" if said else ""
    return (
        f"SELECT model, {'label' if row.has_label else 'NULL'} AS label, "
        f"{'said.task' if said else 'NULL'} AS task, {key} AS k, count(*) AS n, "
        f"{counted} AS calls, {', '.join(sums)} FROM "
        f"(SELECT *, {size} AS size_in, {output} AS size_out FROM ({row.select})) {joined} "
        "GROUP BY ALL"
    )


def faults_select(mapping: Mapping, row: Typed, most: int) -> str:
    """The first faulty rows in the file's order: number (from 1), field, what is wrong."""
    cases = " ".join(
        f"WHEN {condition} THEN {place}" for place, (_, _, condition) in enumerate(row.faults)
    )
    left = "skipped = 0" if mapping.skip else "true"
    numbered = f"SELECT *, row_number() OVER () AS place FROM ({row.select})"
    found = f"SELECT place, CASE WHEN {left} THEN CASE {cases} END END AS fault FROM ({numbered})"
    return f"SELECT place, fault FROM ({found}) WHERE fault IS NOT NULL LIMIT {most}"
