"""A month of work: which tasks, how many calls, how large. Read from a TOML file::

    [[tasks]]
    task = "classification"
    calls = 500_000
    input_tokens = 500       # of one call
    output_tokens = 50       # of one answer, reasoning included

An entry may say more: sizes that differ from call to call, how much of the input is the same from
call to call, what share can wait, and another bar than the task's own (`docs/costs.md`). A mistake
in it is told with its file, line and key.
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
from hybridllm.planning.size_keys import check_share, finite, read_size
from hybridllm.planning.sizes import Size, mean_of

WORKLOADS = ("guide",)
"""The workloads that come with the package."""

STRATEGIES = ("single", "hybrid", "hybrid+batch")
"""All on the baseline model; routed; routed, and what can wait in batches."""

KEYS = ("tasks", "published")

_MOST_CALLS = 10**12
_MOST_REUSE = 10**9


class Reuse(Struct, frozen=True, kw_only=True):
    """How often a cached prefix is read for each time that it is written. None: not known, so that
    kind of cache is not counted on.

    `short` within the provider's default lifetime (Anthropic 5 minutes, OpenAI 30), `long` within
    the longer one (1 h, 12 h), `batch` within a batch, where providers promise nothing.
    """

    short: Decimal | None = None
    long: Decimal | None = None
    batch: Decimal | None = None


class Line(Struct, frozen=True, kw_only=True):
    """One kind of call: `calls` a month of task `task`, each of `input_tokens` in and
    `output_tokens` out; these are means where `input_size` or `output_size` is set.

    The first `cacheable_share` of the input is the same from call to call, and `reuse` says how
    often it is found in a cache. `async_share` can wait for a batch (None: all or nothing, as the
    task says). `bar` overrides the task's quality bar. `where` is the `file:line` that says so.
    """

    task: str
    calls: int
    input_tokens: int
    output_tokens: int
    input_size: Size | None = None
    output_size: Size | None = None
    cacheable_share: Decimal = Decimal(0)
    reuse: Reuse = Reuse()
    async_share: Decimal | None = None
    bar: float | None = None
    assumed: str = ""
    """What about this line is not its source's own word, and why it was taken to be so."""
    where: str = ""

    @property
    def sizes(self) -> tuple[Size, Size]:
        """Of input and output."""
        return (
            self.input_tokens if self.input_size is None else self.input_size,
            self.output_tokens if self.output_size is None else self.output_size,
        )


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
    input_tokens: Any
    output_tokens: Any
    cacheable_share: Decimal = Decimal(0)
    reuse: Any = None
    async_share: Decimal | None = None
    bar: float | None = None
    assumed: str = ""


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
    for key in ("cacheable_share", "async_share", "bar"):
        share = getattr(said, key)
        if share is not None:
            check_share(share, (*path, key), documents)
    taken = read_size(said.input_tokens, (*path, "input_tokens"), documents)
    given = read_size(said.output_tokens, (*path, "output_tokens"), documents)
    return Line(
        task=said.task,
        calls=said.calls,
        input_tokens=mean_of(taken),
        output_tokens=mean_of(given),
        input_size=None if isinstance(taken, int) else taken,
        output_size=None if isinstance(given, int) else given,
        cacheable_share=said.cacheable_share,
        reuse=_reuse(said.reuse, (*path, "reuse"), documents),
        async_share=said.async_share,
        bar=said.bar,
        assumed=said.assumed,
        where=documents.where((*path, "task")) or "",
    )


def _reuse(said: Any, path: Path, documents: Documents) -> Reuse:
    """A number is that of the default lifetime."""
    if said is None:
        return Reuse()
    if isinstance(said, int | Decimal) and not isinstance(said, bool):
        number = Decimal(said)
        check_number(finite(number, path, documents), 0, _MOST_REUSE, path, documents)
        return Reuse(short=number)
    if not isinstance(said, dict):
        raise documents.error(
            path,
            "This is no reuse.",
            "Write reads per write, 20, or a table: { short = 20, long = 90, batch = 0 }.",
        )
    reuse = convert(Reuse, said, path, documents)
    for key in Reuse.__struct_fields__:
        number = getattr(reuse, key)
        if number is not None:
            check_number(
                finite(number, (*path, key), documents), 0, _MOST_REUSE, (*path, key), documents
            )
    return reuse


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
