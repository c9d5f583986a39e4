"""Where marking a shared prefix for a provider's cache pays, and where it does not.

A prefix that is marked is written once, at the write rate, and then read, at the read rate.
Unmarked it costs the input rate each time. With r reads for each write marking pays when

    write + r x read  <  (1 + r) x input,   that is   r  >  (write - input) / (input - read)

which for Anthropic's 1.25x writes and 0.1x reads is 0.28, and for its 2x writes of the longer
lifetime 1.11. Models that cache by themselves have nothing to mark.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Literal

from msgspec import Struct

from hybridllm.planning.cost import Bought
from hybridllm.planning.month import Load
from hybridllm.planning.offers import Cache, Cell, Offer, Shelf, cost_of_cell, unmarked

Verdict = Literal["pays", "costs", "even", "too short", "reuse unknown", "by itself", "no cache"]


class Mark(Struct, frozen=True, kw_only=True):
    """What marking the prefix of a line's calls on `model` comes to, were all of them bought in
    this way. `prefix` is the mean, in tokens, `least` what the model's cache takes at least.

    `break_even` is the reads per write from which it pays (None: never), `reuse` what the workload
    says. `gain` is picodollars a month against not marking (negative: it costs), or against full
    price where the model caches by itself.
    """

    task: str
    place: int
    model: str
    cache: Cache
    prefix: int
    least: int
    break_even: Fraction | None
    reuse: Fraction | None
    gain: int
    verdict: Verdict


def marks(bought: Iterable[Bought]) -> list[Mark]:
    """For every line with something to share, on each model that serves it, each kind of mark."""
    groups: dict[tuple[int, str], tuple[Load, Shelf, dict[tuple[int, int, bool], Cell]]] = {}
    for one in bought:
        if one.load.line.cacheable_share and one.cell.calls:
            key = (one.load.place, one.shelf.id)
            cells = groups.setdefault(key, (one.load, one.shelf, {}))[2]
            shape = (one.cell.input_tokens, one.cell.output_tokens, one.cell.can_wait)
            cells[shape] = one.cell
    found = []
    for (_, _), (load, shelf, cells) in sorted(groups.items(), key=lambda item: item[0]):
        found += _of_line(load, shelf, list(cells.values()))
    return found


def _of_line(load: Load, shelf: Shelf, cells: list[Cell]) -> list[Mark]:
    kinds = [offer.cache for offer in shelf.bands[0] if offer.cache not in ("none", "auto")]
    waiting = [cell for cell in cells if cell.can_wait]
    if not kinds:
        auto = any(offer.cache == "auto" for offer in shelf.bands[0])
        return [_mark(load, shelf, cells, "auto" if auto else "none")]
    return [
        _mark(load, shelf, waiting if kind == "batch" else cells, kind)
        for kind in kinds
        if kind != "batch" or waiting
    ]


def _mark(load: Load, shelf: Shelf, cells: list[Cell], cache: Cache) -> Mark:
    reuse = load.line.reuse
    said = {"long": reuse.long, "batch": reuse.batch}.get(cache, reuse.short)
    gain = sum(_gain(cell, shelf, cache) for cell in cells)
    calls = sum(cell.calls for cell in cells)
    break_even = _break_even(shelf, cache)
    return Mark(
        task=load.task.name,
        place=load.place,
        model=shelf.id,
        cache=cache,
        prefix=round(sum(cell.calls * cell.prefix for cell in cells) / calls),
        least=shelf.least_prefix,
        break_even=break_even,
        reuse=None if said is None else Fraction(said),
        gain=gain,
        verdict=_verdict(shelf, cells, cache, said is not None, gain),
    )


def _verdict(shelf: Shelf, cells: list[Cell], cache: Cache, known: bool, gain: int) -> Verdict:
    if cache == "none":
        return "no cache"
    if all(cell.prefix < shelf.least_prefix for cell in cells):
        return "too short"
    if not known:
        return "reuse unknown"
    if cache == "auto":
        return "by itself"
    return "pays" if gain > 0 else "costs" if gain < 0 else "even"


def _gain(cell: Cell, shelf: Shelf, cache: Cache) -> int:
    """Picodollars that all calls of the cell save by it, in the same mode."""
    offers = shelf.offers(cell.input_tokens)
    offer = next((offer for offer in offers if offer.cache == cache), None)
    if offer is None:
        return 0
    plain = unmarked(offers, offer.mode)
    full = Offer(plain.mode, "none", plain.input, plain.output)
    return cost_of_cell(cell, shelf, full) - cost_of_cell(cell, shelf, offer)


def _break_even(shelf: Shelf, cache: Cache) -> Fraction | None:
    """In the first price tier; in the others rates rise alike."""
    for offer in shelf.bands[0]:
        if offer.cache == cache and cache != "none" and offer.read < offer.input:
            return Fraction(max(0, offer.write - offer.input), offer.input - offer.read)
    return None
