"""Everything that `hybridllm cost` says of a month: the strategies, why the optimal one is lower,
caching, break-even, and what if."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from hybridllm.catalog.structs import Task
from hybridllm.config import Config
from hybridllm.planning.caching import Mark, marks
from hybridllm.planning.cost import Bought, CostLine, Strategy, summed, three_ways
from hybridllm.planning.month import Month, prepare
from hybridllm.planning.optimal import OPTIMAL, Below, assign, restricted
from hybridllm.planning.overhead import EASE, BreakEven, break_even, overhead_of
from hybridllm.planning.whatif import WhatIf, what_if
from hybridllm.planning.workload import STRATEGIES, Workload
from hybridllm.quality import Table


class Judged(Struct, frozen=True, kw_only=True):
    """A model of the optimal month at a task: its quality's lower bound, whether that was measured,
    and whose word it is."""

    model: str
    lower: float | None
    measured: bool
    source: str


class Reason(Struct, frozen=True, kw_only=True):
    """Why a line of the workload costs less in the optimal month than in the last of the others.

    Picodollars: `before` and `after`; of the difference, `by_buying` is what batches and marks save
    on the policy's own models, `by_moving` what other models save beyond that.
    """

    place: int
    task: str
    bar: float
    before: int
    after: int
    by_buying: int
    by_moving: int
    lines_before: tuple[CostLine, ...]
    lines_after: tuple[CostLine, ...]
    judged: tuple[Judged, ...]
    meets_bar: bool


class Comparison(Struct, frozen=True, kw_only=True):
    """`strategies` are those of `STRATEGIES` and then the optimal one; `break_even` is of each but
    the first, with the engineering at its least, middle and most; `what_if` begins with the month
    as it is."""

    day: str
    strategies: tuple[Strategy, ...]
    reasons: tuple[Reason, ...]
    below: tuple[Below, ...]
    marks: tuple[Mark, ...]
    break_even: dict[str, tuple[BreakEven, ...]]
    what_if: tuple[WhatIf, ...]


def compare(
    workload: Workload,
    config: Config,
    day: str,
    baseline: str | None = None,
) -> Comparison:
    """The month priced as on `day` (UTC, ISO). Raises ConfigError as `strategies` does."""
    month = prepare(workload, config, day)
    ways = three_ways(month, baseline)
    policy = ways[-1]
    best, below = assign(month, policy)
    found = _strategies((*ways, best))
    return Comparison(
        day=day,
        strategies=found,
        reasons=tuple(_reasons(month, policy, best, below)),
        below=tuple(below),
        marks=tuple(marks([*policy, *best])),
        break_even={
            ease: tuple(
                break_even(found[0], other, overhead_of(config.overhead, ease))
                for other in found[1:]
            )
            for ease in EASE
        },
        what_if=tuple(
            what_if(lambda changed: plan(workload, changed, day, baseline), config, found)
        ),
    )


def plan(
    workload: Workload, config: Config, day: str, baseline: str | None = None
) -> tuple[Strategy, ...]:
    """All four strategies and nothing else."""
    month = prepare(workload, config, day)
    ways = three_ways(month, baseline)
    return _strategies((*ways, assign(month, ways[-1])[0]))


def _strategies(ways: Sequence[list[Bought]]) -> tuple[Strategy, ...]:
    names = (*STRATEGIES, OPTIMAL)
    return tuple(
        Strategy(name=name, lines=summed(bought)) for name, bought in zip(names, ways, strict=True)
    )


def _reasons(
    month: Month, policy: list[Bought], best: list[Bought], below: list[Below]
) -> list[Reason]:
    known = Table(month.config.quality)
    unmet = {one.place for one in below}
    by_line = [_by_place(month, way) for way in (policy, restricted(policy), best)]
    reasons = []
    for load, before, kept, after in zip(month.loads, *by_line, strict=True):
        first, middle, last = (sum(one.cost for one in cells) for cells in (before, kept, after))
        models = dict.fromkeys(one.shelf.id for one in after)
        reasons.append(
            Reason(
                place=load.place,
                task=load.task.name,
                bar=load.task.bar,
                before=first,
                after=last,
                by_buying=first - middle,
                by_moving=middle - last,
                lines_before=summed(before),
                lines_after=summed(after),
                judged=tuple(_judged(known, model, load.task) for model in models),
                meets_bar=load.place not in unmet,
            )
        )
    return reasons


def _judged(known: Table, model: str, task: Task) -> Judged:
    quality = known.find(model, task)
    return Judged(
        model=model,
        lower=None if quality is None else quality.lower,
        measured=quality is not None and quality.samples > 0,
        source="" if quality is None else quality.source,
    )


def _by_place(month: Month, bought: list[Bought]) -> list[list[Bought]]:
    """One list a line of the workload."""
    found: list[list[Bought]] = [[] for _ in month.loads]
    for one in bought:
        found[one.load.place].append(one)
    return found
