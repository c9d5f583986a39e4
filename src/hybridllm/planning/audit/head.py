"""The beginning of a usage file, from which its format is told: its kind, its columns, a record.

Names say nothing: an export may be called anything. Content is looked at, gzipped or not.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from hybridllm.errors import ConfigError

Kind = Literal["csv", "jsonl", "json", "parquet"]

_BYTES = 1 << 20
"""As much of a file as is looked at: a first record may hold a long prompt."""


class Head(Struct, frozen=True, kw_only=True):
    """A file's beginning. `columns` are a table's column names or the first record's keys, as
    written; `text` the first characters, for what is nested deeper. `kind` json is one document (an
    array, or pages of an API), jsonl a record a line. `delimiter` is that of a CSV."""

    path: str
    kind: Kind
    gzipped: bool
    columns: tuple[str, ...]
    text: str = ""
    delimiter: str = ","

    @property
    def lower(self) -> frozenset[str]:
        """The columns in lower case."""
        return frozenset(name.lower() for name in self.columns)

    def column(self, *names: str) -> str | None:
        """The first of `names` (lower case) that there is, as the file writes it."""
        by_name = {name.lower(): name for name in reversed(self.columns)}
        return next((by_name[name] for name in names if name in by_name), None)


def read_head(path: str) -> Head:
    """Raises ConfigError where the file cannot be read or holds nothing."""
    try:
        with Path(path).open("rb") as file:
            raw = file.read(_BYTES)
        if raw[:4] == b"PAR1":
            return Head(path=path, kind="parquet", gzipped=False, columns=())
        gzipped = raw[:2] == b"\x1f\x8b"
        if gzipped:
            with gzip.open(path) as opened:
                raw = opened.read(_BYTES)
    except (OSError, EOFError) as e:
        why = getattr(e, "strerror", None) or str(e)
        raise ConfigError(f"The file cannot be read: {why}.", where=path) from None
    text = raw.decode("utf-8", "replace").removeprefix("\ufeff")
    start = text.lstrip()[:1]
    if not start:
        raise ConfigError("The file is empty.", where=path)
    if start in "{[":
        return _json_head(path, gzipped, text)
    return _csv_head(path, gzipped, text)


def _csv_head(path: str, gzipped: bool, text: str) -> Head:
    first = text.lstrip("\r\n").partition("\n")[0].rstrip("\r")
    delimiter = max(",;\t|", key=first.count)
    columns = next(csv.reader(io.StringIO(first), delimiter=delimiter), [])
    names = tuple(name.strip() for name in columns)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ConfigError(f'The header names the column "{twice}" twice.', where=path)
    return Head(
        path=path,
        kind="csv",
        gzipped=gzipped,
        columns=names,
        text=text[:65536],
        delimiter=delimiter,
    )


def _json_head(path: str, gzipped: bool, text: str) -> Head:
    body = text.lstrip()
    is_array = body.startswith("[")
    first = _first_object(body[1:].lstrip() if is_array else body)
    kind: Kind = "json" if is_array else "jsonl"
    if not is_array and (first is None or body.partition("\n")[0].rstrip() in ("{", "")):
        kind = "json"  # written over several lines, or larger than what was read
    return Head(
        path=path,
        kind=kind,
        gzipped=gzipped,
        columns=tuple(first or ()),
        text=text[:65536],
    )


def _first_object(text: str) -> dict[str, Any] | None:
    try:
        found, _ = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
