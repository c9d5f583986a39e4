"""What a format says of itself: how it is known, and which of its fields are which of ours.

All of it is SQL over the file as DuckDB reads it, so that no row ever passes through Python.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from msgspec import Struct

from hybridllm.planning.audit.head import Head

NUMBERS = ("input", "cached", "written", "written_long", "output", "reasoning", "requests")
"""The canonical columns that count. `input` is described by `Mapping.input_is_all`; `cached` is
read from a cache, `written` and `written_long` written to one; `reasoning` is a part of `output`;
`requests` is how many calls the row sums up."""

MOST_OBJECT_BYTES = 64 * 1024 * 1024
"""The largest JSON document that is read whole: a page of an API. Arrays and lines are streamed.
DuckDB takes twice as much for each thread that reads."""

_USUAL_OBJECT_BYTES = 16 * 1024 * 1024


class Mapping(Struct, frozen=True, kw_only=True):
    """A file in our terms. `relation` is what stands after FROM. The other texts are expressions
    over it, None where the format has no such thing.

    `numbers` maps `NUMBERS` to expressions and `names` them to what the file calls them, for
    messages. `input_is_all` says that input counts what was read from or written to a cache too.
    `requests` missing means one call a row, unless `sums` says that rows sum up an unknown number.
    `size` bounds the input of one call for its price tier, where the file knows better than the
    mean. One unit of `cost` is 10^`cost_power` picodollars: 12 dollars, 10 cents, 0 picodollars.
    `skip` are rows that are no usage to price: a reason, and its condition. `macros` are statements
    to run before.
    """

    relation: str
    model: str
    numbers: dict[str, str]
    names: dict[str, str]
    at: str | None = None
    label: str | None = None
    batch: str | None = None
    cost: str | None = None
    cost_power: int = 12
    prompt: str | None = None
    size: str | None = None
    input_is_all: bool = True
    sums: bool = False
    required: tuple[str, ...] = ("input",)
    skip: tuple[tuple[str, str], ...] = ()
    macros: tuple[str, ...] = ()


class Format(Struct, frozen=True, kw_only=True):
    """One kind of file. `holds` is usage (tokens) or costs (what a provider says it charged)."""

    name: str
    title: str
    matches: Callable[[Head], bool]
    mapping: Callable[[Head], Mapping]
    holds: Literal["usage", "costs"] = "usage"
    provider: str = ""


def text(value: str) -> str:
    """`value` as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def table(head: Head, json_types: dict[str, str] | None = None, *, page: bool = False) -> str:
    """The file as a table, after FROM. CSV columns are texts, so that a bad value costs a row and
    not the file. Of JSON records the keys of `json_types` are read, or all of the first's as text.
    `page` says that they are under a key of one document, or of several one after the other.
    """
    path = text(head.path)
    packed = ", compression='gzip'" if head.gzipped else ""
    if head.kind == "parquet":
        return f"read_parquet({path})"
    if head.kind == "csv":
        columns = ", ".join(f"{text(name)}: 'VARCHAR'" for name in head.columns)
        return (
            f"read_csv({path}, auto_detect=false, header=true, delim={text(head.delimiter)}, "
            f"quote='\"', escape='\"', columns={{{columns}}}, ignore_errors=true, "
            f"store_rejects=true, max_line_size=16777216{packed})"
        )
    types = json_types or dict.fromkeys(head.columns, "VARCHAR")
    columns = ", ".join(f"{text(name)}: {text(kind)}" for name, kind in types.items())
    if head.kind == "jsonl" and not page:
        form = "format='newline_delimited', ignore_errors=true"
    else:
        form = f"format='{'array' if is_array(head) else 'unstructured'}'"
    return (
        f"read_json({path}, {form}, columns={{{columns}}}, "
        f"maximum_object_size={_object_bytes(head) if page else _USUAL_OBJECT_BYTES}{packed})"
    )


def _object_bytes(head: Head) -> int:
    """Room for the largest object: an array's elements and lines are small, a page is the file."""
    if is_array(head):
        return _USUAL_OBJECT_BYTES
    size = Path(head.path).stat().st_size * (20 if head.gzipped else 1)
    return min(max(size, _USUAL_OBJECT_BYTES), MOST_OBJECT_BYTES)


def is_array(head: Head) -> bool:
    """Whether a JSON document is an array."""
    return head.text.lstrip().startswith("[")


def results(head: Head) -> str:
    """An admin API's pages after FROM: a row for each result (`r`) of each bucket (`bucket`), both
    JSON. One page, several one after the other, or an array of them."""
    path = text(head.path)
    packed = ", compression='gzip'" if head.gzipped else ""
    form = "array" if is_array(head) else "unstructured"
    read = (
        f"read_json({path}, format='{form}', columns={{data: 'JSON[]'}}, "
        f"maximum_object_size={_object_bytes(head)}{packed})"
    )
    buckets = f"(SELECT unnest(data) AS bucket FROM {read})"
    return f"(SELECT bucket, unnest(CAST(bucket->'results' AS JSON[])) AS r FROM {buckets})"


def epoch(expression: str) -> str:
    """A Unix time as text or number, in seconds, milli-, micro- or nanoseconds (told by its size),
    as a timestamp."""
    number = f"TRY_CAST({expression} AS DECIMAL(38, 6))"
    return (
        f"make_timestamp(CAST(CASE WHEN {number} < 100000000000 THEN {number} * 1000000 "
        f"WHEN {number} < 100000000000000 THEN {number} * 1000 "
        f"WHEN {number} < 100000000000000000 THEN {number} "
        f"ELSE {number} / 1000 END AS BIGINT))"
    )
