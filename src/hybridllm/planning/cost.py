"""What a month of work costs: all on one model, routed, and routed with batches.

There is no second table of who gets what. The routed month asks the router itself, told that every
provider can be called and how large each call is. None of the three marks a prefix for a cache;
what providers cache by themselves is in each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
from msgspec import Struct

from hybridllm.catalog.structs import Model, Task
from hybridllm.config import Config
from hybridllm.errors import ConfigError, RequestError
from hybridllm.planning.month import Load, Month, prepare
from hybridllm.planning.offers import (
    Cache,
    Cell,
    Mode,
    Offer,
    Shelf,
    applies,
    cost_of_cell,
    unmarked,
)
from hybridllm.planning.workload import STRATEGIES, Workload
from hybridllm.quality import Table, meets
from hybridllm.routing import Need, Router, World

_BYTES_PER_KBYTE = 1000


class CostLine(Struct, frozen=True, kw_only=True):
    """Calls of line `place` of the workload that go one way. Tokens are those of one call, the mean
    where calls differ; `cost` is picodollars for all calls of the month."""

    task: str
    model: str
    mode: Mode
    calls: int
    input_tokens: int
    output_tokens: int
    cost: int
    cache: Cache = "none"
    place: int = 0


class Strategy(Struct, frozen=True, kw_only=True):
    """A way of doing the month; `name` is one of `STRATEGIES`, or `optimal`."""

    name: str
    lines: tuple[CostLine, ...]

    @property
    def monthly(self) -> int:
        """Picodollars."""
        return sum(line.cost for line in self.lines)

    def of(self, place: int) -> list[CostLine]:
        """What became of one line of the workload."""
        return [line for line in self.lines if line.place == place]


class Bought(Struct, frozen=True, kw_only=True):
    """A cell of a line, and how it is bought. `cost` is picodollars for all of its calls."""

    load: Load
    cell: Cell
    shelf: Shelf
    offer: Offer
    cost: int


def strategies(
    workload: Workload, config: Config, day: str, baseline: str | None = None
) -> list[Strategy]:
    """The month priced as on `day` (UTC, ISO), in the order of `STRATEGIES`.

    `single` is all of it on `baseline` (any of a chat model's names; None: the configuration's
    own), whether or not that model could take each call: it is what one compares with.

    Raises ConfigError where the workload names an unknown task, no model can take a call of that
    size, a model has no price on that day, or `baseline` is no chat model.
    """
    return [
        Strategy(name=name, lines=summed(bought))
        for name, bought in zip(
            STRATEGIES, three_ways(prepare(workload, config, day), baseline), strict=True
        )
    ]


def three_ways(month: Month, baseline: str | None = None) -> tuple[list[Bought], ...]:
    """The strategies of `STRATEGIES`, cell by cell."""
    single = _baseline(month.config, baseline)
    routed = Routed(month)
    return (
        _buy(month, lambda load, cell: single, batch=False),
        _buy(month, routed.model, batch=False),
        _buy(month, routed.model, batch=True),
    )


def below_bar(workload: Workload, config: Config, model: str) -> list[str]:
    """The tasks of the month whose quality bar `model` (an id) is not known to meet: there a
    comparison with it is one of different goods."""
    known = Table(config.quality)
    below = []
    for line in workload.tasks:
        task = config.tasks[line.task]
        bar = task.bar if line.bar is None else line.bar
        quality = known.find(model, task)
        if bar > 0 and (quality is None or not meets(quality, bar)):
            below.append(line.task)
    return list(dict.fromkeys(below))


def summed(bought: Iterable[Bought]) -> tuple[CostLine, ...]:
    """Cells that go the same way, as one line each, in order."""
    ways: dict[tuple[int, str, Mode, Cache], list[Bought]] = {}
    for one in bought:
        cache = one.offer.cache if applies(one.cell, one.shelf, one.offer) else "none"
        key = (one.load.place, one.shelf.id, one.offer.mode, cache)
        ways.setdefault(key, []).append(one)
    return tuple(
        CostLine(
            task=same[0].load.task.name,
            model=model,
            mode=mode,
            calls=sum(one.cell.calls for one in same),
            input_tokens=_mean([(one.cell.calls, one.cell.input_tokens) for one in same]),
            output_tokens=_mean([(one.cell.calls, one.cell.output_tokens) for one in same]),
            cost=sum(one.cost for one in same),
            cache=cache,
            place=place,
        )
        for (place, model, mode, cache), same in ways.items()
    )


def _mean(sizes: list[tuple[int, int]]) -> int:
    """Of (calls, tokens), rounded."""
    calls = sum(n for n, _ in sizes)
    return round(sum(n * tokens for n, tokens in sizes) / calls) if calls else sizes[0][1]


def _buy(month: Month, model_for: Callable[[Load, Cell], Model], *, batch: bool) -> list[Bought]:
    """Unmarked; what can wait in batches, where `batch` says so and the model has batch rates."""
    bought = []
    for load in month.loads:
        for cell in load.cells:
            shelf = month.shelf(model_for(load, cell), load)
            mode: Mode = "batch" if batch and cell.can_wait else "sync"
            offer = unmarked(shelf.offers(cell.input_tokens), mode)
            cost = cost_of_cell(cell, shelf, offer)
            bought.append(Bought(load=load, cell=cell, shelf=shelf, offer=offer, cost=cost))
    return bought


class Routed:
    """The router, asked in tokens.

    It estimates a request's tokens from its bytes, for each model by that model's tokenizer. A
    workload counts tokens already, the same for all models. So its models are told to make one
    token of each byte, and limits, price tiers and costs are exactly those of the workload.
    """

    def __init__(self, month: Month) -> None:
        catalog = month.config.catalog
        models = {
            id: msgspec.structs.replace(model, tokens_per_kbyte=_BYTES_PER_KBYTE)
            for id, model in catalog.models.items()
        }
        counted = msgspec.structs.replace(catalog, models=models)
        self._config = msgspec.structs.replace(month.config, catalog=counted)
        self._everyone = frozenset(model.provider for model in models.values())
        self._day = month.day
        self._routers: dict[tuple[str, float], Router] = {}
        self._chosen: dict[tuple[str, float, int, int], Model] = {}

    def model(self, load: Load, cell: Cell) -> Model:
        """The first of the chain. Raises ConfigError where the router refuses the call."""
        task = load.task
        key = (task.name, task.bar, cell.input_tokens, cell.output_tokens)
        found = self._chosen.get(key)
        if found is None:
            found = self._chosen[key] = self._ask(load, cell)
        return found

    def _ask(self, load: Load, cell: Cell) -> Model:
        task = load.task
        need = Need(task=task, text_bytes=cell.input_tokens, max_output_tokens=cell.output_tokens)
        world = World(
            providers=self._everyone,
            day=self._day,
            output_tokens={task.name: cell.output_tokens},
        )
        try:
            return self._router(task).plan(need, world).chain[0]
        except RequestError as e:
            raise ConfigError(
                f"No model of {task.name} can take such a call. {e.message}",
                where=load.line.where,
                field="task",
                remedy=e.remedy,
            ) from None

    def _router(self, task: Task) -> Router:
        """One a task and bar: a line may set a bar of its own."""
        key = (task.name, task.bar)
        found = self._routers.get(key)
        if found is None:
            only = msgspec.structs.replace(self._config, tasks={task.name: task})
            found = self._routers[key] = Router(only)
        return found


def _baseline(config: Config, name: str | None) -> Model:
    catalog = config.catalog
    wanted = name or config.routing.baseline
    found = catalog.models.get(catalog.names.get(wanted, wanted))
    if found is None or found.kind != "chat":
        raise ConfigError(
            f'The baseline "{wanted}" is no chat model of the catalogue as of {catalog.as_of}.',
            field="baseline",
            remedy="See hybridllm models.",
        )
    return found
