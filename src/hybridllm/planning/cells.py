"""A line of a workload as cells: calls that are alike, cut where any price or limit changes.

What is spread is cut at every threshold of the catalogue that day, so no cell lies across one.
Input and output are taken to vary independently of each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from math import ceil

from msgspec import Struct

from hybridllm.catalog.structs import Task
from hybridllm.planning.offers import Cell, Shelf
from hybridllm.planning.sizes import WHOLE, apportion, cut, units
from hybridllm.planning.workload import Line, Reuse


class Thresholds(Struct, frozen=True, kw_only=True):
    """Where something changes for any model, in tokens: an input's price, the room in a context
    window, the output that is possible, the prefix that a cache takes."""

    tiers: tuple[int, ...]
    windows: tuple[int, ...]
    outputs: tuple[int, ...]
    prefixes: tuple[int, ...]


def thresholds_of(shelves: Iterable[Shelf]) -> Thresholds:
    """Of all the models there are."""
    found = list(shelves)
    return Thresholds(
        tiers=tuple(sorted({above for shelf in found for above in shelf.thresholds})),
        windows=tuple(sorted({shelf.window for shelf in found})),
        outputs=tuple(sorted({shelf.most_output for shelf in found})),
        prefixes=tuple(sorted({shelf.least_prefix for shelf in found})),
    )


def cells_of(line: Line, task: Task, thresholds: Thresholds) -> list[Cell]:
    """At least one, and their calls sum to the line's."""
    shapes = _shapes(line, thresholds)
    waiting = units(_async_share(line, task))
    shares = [
        part for _, _, share in shapes for part in (share * (WHOLE - waiting), share * waiting)
    ]
    calls = apportion(line.calls, shares)
    cells = [
        _cell(line, calls[2 * n + waits], taken, given, can_wait=bool(waits))
        for n, (taken, given, _) in enumerate(shapes)
        for waits in (0, 1)
        if calls[2 * n + waits]
    ]
    if cells:
        return cells
    taken, given, _ = shapes[0]
    return [_cell(line, 0, taken, given, can_wait=waiting == WHOLE)]


def _async_share(line: Line, task: Task) -> Decimal:
    return Decimal(task.can_wait) if line.async_share is None else line.async_share


def _shapes(line: Line, thresholds: Thresholds) -> list[tuple[int, int, int]]:
    """(input, output, share); shares in any unit."""
    taken, given = line.sizes
    if isinstance(taken, int) and isinstance(given, int):
        return [(taken, given, 1)]
    cuts = {*thresholds.tiers, *_prefix_cuts(line.cacheable_share, thresholds)}
    shapes = []
    for tokens_out, share_out in cut(given, thresholds.outputs, max(thresholds.outputs)):
        rooms = {window - tokens_out for window in thresholds.windows}
        for tokens_in, share_in in cut(taken, cuts | rooms, max(rooms)):
            shapes.append((tokens_in, tokens_out, share_in * share_out))
    return shapes


def _prefix_cuts(share: Decimal, thresholds: Thresholds) -> set[int]:
    """The largest inputs whose prefix is still too short for some cache."""
    if not share:
        return set()
    return {ceil(least / share) - 1 for least in thresholds.prefixes}


def _cell(line: Line, calls: int, taken: int, given: int, *, can_wait: bool) -> Cell:
    prefix = int(taken * line.cacheable_share)
    return Cell(calls, taken, given, prefix, writes_of(calls, line.reuse), can_wait)


def writes_of(calls: int, reuse: Reuse) -> tuple[int | None, int | None, int | None]:
    """Of `calls`, how many write the prefix: one in reuse + 1, rounded up."""
    return (_writes(calls, reuse.short), _writes(calls, reuse.long), _writes(calls, reuse.batch))


def _writes(calls: int, reuse: Decimal | None) -> int | None:
    return None if reuse is None else ceil(calls / (reuse + 1))
