"""What scores say of every model at every task: sums in, qualities out.

A measurement takes the place of an assumption once it says something: as soon as its bounds decide
on the task's bar, or when `ENOUGH` answers were judged. Until then the assumption stands, so that
one bad answer does not end the route of a model that nothing else is known of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from typing import Protocol

from msgspec import Struct

from hybridllm.catalog.structs import Quality, Task
from hybridllm.quality.anytime import anytime
from hybridllm.quality.verdict import Verdict, verdict

CONFIDENCE = 0.95
ENOUGH = 200
COUNTED = frozenset({"benchmark", "production", "shadow"})
"""Sources whose scores decide. Feedback does not: those who give it are no sample of all."""
BENCHMARK = "benchmark"
_LEAST = 0.001
_MILLION = 1_000_000
_UNIT = 1_000 * _MILLION
"""A score of 1 with a weight of 1, in sums."""


class Summed(Protocol):
    """Sums of the scores of a cell, run and week, as the store keeps them: weights in thousandths,
    scores in millionths, `weight_squares` in millionths, `last_at` Unix microseconds."""

    @property
    def task(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def variant(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def run(self) -> str: ...
    @property
    def n(self) -> int: ...
    @property
    def weight(self) -> int: ...
    @property
    def weight_squares(self) -> int: ...
    @property
    def total(self) -> int: ...
    @property
    def squares(self) -> int: ...
    @property
    def cost(self) -> int: ...
    @property
    def last_at(self) -> int: ...


class Cell(Struct, frozen=True, kw_only=True):
    """A model at a task with a prompt's variant, measured. `value` is the mean score by weight,
    `lower` and `upper` its bounds, which hold whenever one looks. `n` answers were judged, of which
    `sources` says how many come from where; `feedback` others were judged by callers. `at` is the
    newest, in Unix microseconds, `cost` picodollars."""

    task: str
    model: str
    variant: str
    value: float
    lower: float
    upper: float
    n: int
    at: int
    cost: int
    sources: dict[str, int]
    feedback: int = 0

    def verdict(self, bar: float) -> Verdict:
        """What is proved of a bar."""
        return verdict(self.lower, self.upper, bar)


def cells(sums: Iterable[Summed], confidence: float = CONFIDENCE) -> list[Cell]:
    """The cells that anything is known of, by task, model and variant.

    A benchmark's samples are the same in every run, and would count twice: of its runs the one
    with the most samples counts, of equal ones the newest. Weighted answers count as so many equal
    ones as they are worth (L. Kish, Survey Sampling, 1965: the square of the sum of the weights
    over the sum of their squares).
    """
    ordered = sorted(sums, key=_cell)
    return [
        cell
        for key, rows in groupby(ordered, _cell)
        if (cell := _made(key, list(rows), confidence)) is not None
    ]


def qualities(
    found: Iterable[Cell],
    tasks: Mapping[str, Task],
    variant_of: Callable[[str, str], str] = lambda _task, _model: "",
) -> tuple[Quality, ...]:
    """Those cells as qualities that say something of a task's bar, for the prompt that a model gets
    there: `variant_of` a task and a model is the label of its variant, "" for the plain prompt."""
    return tuple(
        Quality(
            model=cell.model,
            task=cell.task,
            value=cell.value,
            lower=min(cell.lower, cell.value),
            samples=cell.n,
            source="+".join(sorted(cell.sources)),
            at=datetime.fromtimestamp(cell.at / _MILLION, UTC).date().isoformat(),
        )
        for cell in found
        if cell.variant == variant_of(cell.task, cell.model)
        and says_something(cell, tasks.get(cell.task))
    )


def says_something(cell: Cell, task: Task | None) -> bool:
    """Whether a cell takes the place of an assumption."""
    if task is None:
        return False
    return cell.n >= ENOUGH or (cell.n > 0 and cell.verdict(task.bar) is not Verdict.UNDECIDED)


def closest(found: Iterable[Cell], tasks: Mapping[str, Task]) -> list[Cell]:
    """The cells that more samples would decide, those first that are likely to need the fewest.

    Bounds narrow with the root of the number of samples, and decide once they are as near to the
    score as the bar is. The score of few samples is drawn towards the bar, as if two more had come
    out there.
    """
    open_ = [
        (_missing(cell, bar), cell)
        for cell in found
        if cell.task in tasks and cell.lower < (bar := tasks[cell.task].bar) <= cell.upper
    ]
    return [cell for _, cell in sorted(open_, key=lambda pair: (pair[0], _cell(pair[1])))]


def _missing(cell: Cell, bar: float) -> float:
    distance = max(abs(cell.value - bar) * cell.n / (cell.n + 2), _LEAST)
    reach = (cell.upper - cell.lower) / 2
    return cell.n * ((reach / distance) ** 2 - 1)


def _cell(row: Summed | Cell) -> tuple[str, str, str]:
    return row.task, row.model, row.variant


def _made(key: tuple[str, str, str], rows: Sequence[Summed], confidence: float) -> Cell | None:
    counted = [row for row in rows if row.source in COUNTED and row.source != BENCHMARK]
    counted += _benchmark([row for row in rows if row.source == BENCHMARK])
    feedback = sum(row.n for row in rows if row.source == "feedback")
    if not counted:
        return None
    weight = sum(row.weight for row in counted)
    worth = weight * weight // sum(row.weight_squares for row in counted)
    total, squares = sum(row.total for row in counted), sum(row.squares for row in counted)
    # Of integers to the end: the same sums give the same bounds, whatever they were added up from.
    lower, upper = _bounds(
        worth,
        total * worth / (weight * _MILLION),
        squares * worth / (weight * _MILLION),
        confidence,
    )
    sources: dict[str, int] = {}
    for row in counted:
        sources[row.source] = sources.get(row.source, 0) + row.n
    return Cell(
        task=key[0],
        model=key[1],
        variant=key[2],
        value=total / (weight * _MILLION),
        lower=lower,
        upper=upper,
        n=sum(row.n for row in counted),
        at=max(row.last_at for row in counted),
        cost=sum(row.cost for row in counted),
        sources=sources,
        feedback=feedback,
    )


def _benchmark(rows: Sequence[Summed]) -> list[Summed]:
    runs: dict[str, list[Summed]] = {}
    for row in rows:
        runs.setdefault(row.run, []).append(row)
    return max(
        runs.values(),
        key=lambda run: (sum(row.n for row in run), max(row.last_at for row in run)),
        default=[],
    )


@lru_cache(maxsize=65_536)
def _bounds(n: int, total: float, squares: float, confidence: float) -> tuple[float, float]:
    return anytime(n, min(total, n), min(squares, total), confidence)
