"""A month of work: which tasks, how many calls, how large. Read from a TOML file::

    [[tasks]]
    task = "classification"
    calls = 500_000
    input_tokens = 500       # of one call
    output_tokens = 50       # of one answer, reasoning included

A mistake in it is told with its file, line and key.
"""

from __future__ import annotations

from decimal import Decimal
from importlib.resources import files
from typing import Any

from msgspec import Struct

from hybridllm.config_file.convert import check_number, convert
from hybridllm.config_file.document import Document, Documents, did_you_mean, parse, read
from hybridllm.config_file.lines import Path
from hybridllm.money import PICODOLLARS

WORKLOADS = ("guide",)
"""The workloads that come with the package."""

STRATEGIES = ("single", "hybrid", "hybrid+batch")
"""All on the baseline model; routed; routed, and what can wait in batches."""

KEYS = ("tasks", "published")

_MOST_CALLS = 10**12
_MOST_TOKENS = 10**9


class Line(Struct, frozen=True, kw_only=True):
    """One kind of call: `calls` a month of task `task`, each of `input_tokens` in and
    `output_tokens` out. `where` is the `file:line` that says so."""

    task: str
    calls: int
    input_tokens: int
    output_tokens: int
    where: str = ""


class Published(Struct, frozen=True, kw_only=True):
    """Totals that `source` prints for this workload with preset `preset` and baseline `baseline`:
    picodollars a month by strategy. They are compared with ours, never used."""

    source: str
    preset: str
    baseline: str
    monthly: dict[str, int]


class Workload(Struct, frozen=True, kw_only=True):
    """A month. `name` is one of `WORKLOADS` or the file's path."""

    name: str
    tasks: tuple[Line, ...]
    published: Published | None = None

    @property
    def calls(self) -> int:
        """A month's calls of all tasks."""
        return sum(line.calls for line in self.tasks)


class SaidLine(Struct, frozen=True, kw_only=True):
    """What an entry of `tasks` may say."""

    task: str
    calls: int
    input_tokens: int
    output_tokens: int


class SaidPublished(Struct, frozen=True, kw_only=True):
    """What `[published]` may say; amounts are dollars a month."""

    source: str
    preset: str
    baseline: str
    monthly: dict[str, Decimal]


def load_workload(name_or_path: str) -> Workload:
    """The workload of that name, else the one in the TOML file at that path.

    Raises ConfigError with file, line and key; without a file, with the names there are.
    """
    if name_or_path in WORKLOADS:
        data = files("hybridllm.presets") / "workloads" / f"{name_or_path}.toml"
        document = parse(f"workload {name_or_path}", data.read_text("utf-8"))
    else:
        remedy = f"Give a TOML file, or a name: {', '.join(WORKLOADS)}."
        document = read(name_or_path, "workload", remedy)
    return _workload(name_or_path, document)


def _workload(name: str, document: Document) -> Workload:
    documents = Documents([document])
    for key in document.data:
        if key not in KEYS:
            raise documents.error((key,), "There is no such key.", did_you_mean(key, KEYS))
    entries = document.data.get("tasks", [])
    if not isinstance(entries, list) or not entries:
        raise documents.error(
            ("tasks",), "There are no tasks.", "Write each under [[tasks]]: task, calls, tokens."
        )
    said = document.data.get("published")
    return Workload(
        name=name,
        tasks=tuple(_line(data, ("tasks", i), documents) for i, data in enumerate(entries)),
        published=None if said is None else _published(said, documents),
    )


def _line(data: Any, path: Path, documents: Documents) -> Line:
    said = convert(SaidLine, data, path, documents)
    check_number(said.calls, 0, _MOST_CALLS, (*path, "calls"), documents)
    for key in ("input_tokens", "output_tokens"):
        check_number(getattr(said, key), 0, _MOST_TOKENS, (*path, key), documents)
    return Line(
        task=said.task,
        calls=said.calls,
        input_tokens=said.input_tokens,
        output_tokens=said.output_tokens,
        where=documents.where((*path, "task")) or "",
    )


def _published(data: Any, documents: Documents) -> Published:
    said = convert(SaidPublished, data, ("published",), documents)
    for name, amount in said.monthly.items():
        path = ("published", "monthly", name)
        if name not in STRATEGIES:
            raise documents.error(
                path, "There is no such strategy.", did_you_mean(name, STRATEGIES)
            )
        if not amount.is_finite():
            raise documents.error(path, f"{amount} is no amount of dollars.")
    return Published(
        source=said.source,
        preset=said.preset,
        baseline=said.baseline,
        monthly={name: int(amount * PICODOLLARS) for name, amount in said.monthly.items()},
    )
