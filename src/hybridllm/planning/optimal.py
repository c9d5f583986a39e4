"""The cheapest way to do a month that meets every quality bar.

Every chat model of the catalogue is considered, not the task's candidates alone, for each group of
like calls: live, or in a batch where they can wait, with its prefix marked for a cache or not. What
one call is bought by changes nothing for another, so the cheapest of each is the cheapest of all,
and this is exact. (No limit here is shared between calls: no budget, no rate limit, no volume
discount. With one, this would be an integer programme.)
"""

from __future__ import annotations

from msgspec import Struct

from hybridllm.catalog.structs import Quality, Task
from hybridllm.planning.cost import Bought
from hybridllm.planning.month import Load, Month
from hybridllm.planning.offers import Cell, Floor, Offer, Shelf, cost_of_cell, lower_floor
from hybridllm.quality import Table, meets

OPTIMAL = "optimal"

ASSUMPTIONS = (
    "Every chat model of the catalogue that its provider still offers can be called, and is "
    "considered where its quality meets the task's bar; a quality that was not measured is "
    "somebody's assumption, and a model of which nothing is known meets no bar.",
    "Calls make the same tokens on every model, and prompts work on each as they are.",
    "Only what can wait goes into batches. Latency is not looked at: nothing was measured here.",
    "Prefixes are read as often as the workload says, on whichever model and cell they run; in "
    "batches only where it says so.",
    "No limit is shared between calls (budgets, rate limits, discounts by volume), so the cheapest "
    "of each is the cheapest of all.",
)


class Below(Struct, frozen=True, kw_only=True):
    """A line of the workload at `place` that no model is known to do well enough and to have room
    for: there the policy's own model is kept."""

    place: int
    task: str
    bar: float


def assign(month: Month, policy: list[Bought]) -> tuple[list[Bought], list[Below]]:
    """The cheapest of every cell. Where two cost the same: the policy's own model (`policy` is a
    strategy of the same month), then the task's candidates in order, then by name; and unmarked
    before marked, live before batch."""
    qualified = _Qualified(month)
    chosen, below = [], []
    place = 0
    for load in month.loads:
        able = qualified.able(load)
        lacking = False
        for cell in load.cells:
            kept = policy[place].shelf
            place += 1
            found = _cheapest(cell, able, kept)
            if found is None:
                lacking = True
                found = _cheapest_of(cell, kept)
            cost, shelf, offer = found
            chosen.append(Bought(load=load, cell=cell, shelf=shelf, offer=offer, cost=cost))
        if lacking:
            below.append(Below(place=load.place, task=load.task.name, bar=load.task.bar))
    return chosen, below


def restricted(policy: list[Bought]) -> list[Bought]:
    """The policy's own models, each cell with the cheapest of batch and marks: what is saved
    without moving anything."""
    bought = []
    for one in policy:
        cost, shelf, offer = _cheapest_of(one.cell, one.shelf)
        bought.append(Bought(load=one.load, cell=one.cell, shelf=shelf, offer=offer, cost=cost))
    return bought


Found = tuple[int, Shelf, Offer]


class _Able(Struct, frozen=True, gc=False):
    """A model that meets a task's bar. `rank` decides between two that cost the same; `rest` is the
    floor of this model and all that stand behind it."""

    rank: int
    shelf: Shelf
    rest: Floor


def _cheapest(cell: Cell, able: list[_Able], kept: Shelf) -> Found | None:
    """None: none of them has room for such a call. `kept` wins where it costs as little.

    Models come roughly cheapest first, so the walk soon ends: once the floor of all that are left
    is above what was found. This is the inner loop, and so goes without Shelf.fits and
    cost_of_cell.
    """
    taken, given = cell.input_tokens, cell.output_tokens
    calls, can_wait = cell.calls, cell.can_wait
    total_in, total_out, shared = calls * taken, calls * given, calls * cell.prefix
    plain = total_in - shared
    best: Found | None = None
    least, best_rank = 0, 0
    for one in able:
        rest = one.rest
        if best is not None and (
            plain * rest.input + shared * rest.prefix + total_out * rest.output > least
        ):
            break
        shelf = one.shelf
        if given > shelf.most_output or taken + given > shelf.window:
            continue
        rank = -1 if shelf is kept else one.rank
        prefix = cell.prefix if cell.prefix >= shelf.least_prefix else 0
        for offer in shelf.offers(taken) if shelf.thresholds else shelf.bands[0]:
            if offer.mode == "batch" and not can_wait:
                break
            cost = total_in * offer.input + total_out * offer.output
            if prefix and offer.cache != "none":
                writes = cell.writes[offer.lifetime]
                if writes is not None:
                    cost += prefix * (
                        writes * (offer.write - offer.input)
                        + (calls - writes) * (offer.read - offer.input)
                    )
            if best is None or cost < least or (cost == least and rank < best_rank):
                least, best_rank, best = cost, rank, (cost, shelf, offer)
    return best


def _cheapest_of(cell: Cell, shelf: Shelf) -> Found:
    """On that model, whether it has room or not."""
    offers = shelf.offers(cell.input_tokens)
    ways = [
        (cost_of_cell(cell, shelf, offer), place, offer)
        for place, offer in enumerate(offers)
        if cell.can_wait or offer.mode == "sync"
    ]
    cost, _, offer = min(ways, key=lambda way: way[:2])
    return cost, shelf, offer


class _Qualified:
    """Which models meet a task's bar."""

    def __init__(self, month: Month) -> None:
        self._known = Table(month.config.quality)
        self._names = month.config.catalog.names
        self._by_task: dict[str, list[tuple[int, Shelf, Quality | None]]] = {}
        self._offered = [
            shelf
            for shelf in sorted(month.shelves.values(), key=lambda shelf: shelf.id)
            if shelf.model.deprecated_on is None or shelf.model.deprecated_on > month.day
        ]

    def able(self, load: Load) -> list[_Able]:
        """Roughly the cheapest first."""
        bar = load.task.bar
        found: list[_Able] = []
        rest: Floor | None = None
        for rank, shelf, quality in reversed(self._of_task(load.task)):
            if bar <= 0 or (quality is not None and meets(quality, bar)):
                rest = shelf.floor if rest is None else lower_floor(rest, shelf.floor)
                found.append(_Able(rank, shelf, rest))
        found.reverse()
        return found

    def _of_task(self, task: Task) -> list[tuple[int, Shelf, Quality | None]]:
        """All models with their ranks (the task's candidates in order, then the others by name) and
        what is known of them."""
        found = self._by_task.get(task.name)
        if found is None:
            listed = {
                self._names.get(name, name): place for place, name in enumerate(task.candidates)
            }
            ranked = sorted(self._offered, key=lambda shelf: listed.get(shelf.id, len(listed)))
            found = [
                (rank, shelf, self._known.find(shelf.id, task)) for rank, shelf in enumerate(ranked)
            ]
            found.sort(key=lambda one: 4 * one[1].floor.input + one[1].floor.output)
            self._by_task[task.name] = found
        return found
