"""Which routes should change: the router itself is asked, with one more candidate at a time.

A model wins a task when the router puts it first, added to the policy's candidates under a stated
quality. It is judged at its dearest known price: one that is cheap for five more weeks does not win
by that. Where the present route's model is about to be withdrawn, that day decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

import msgspec
from msgspec import Struct

from hybridllm.catalog.structs import Catalog, Model, Quality, Task
from hybridllm.config import Config
from hybridllm.errors import RequestError
from hybridllm.quality import Table
from hybridllm.reports.review_catalog import withdrawn
from hybridllm.reports.review_mix import MixLine, cost_on
from hybridllm.reports.review_peers import Assumption, assume
from hybridllm.routing import Need, Router, World

HORIZON_DAYS = 365
"""Prices and withdrawals are looked at this far ahead."""

LASTING_DAYS = 180
"""A model that is withdrawn sooner is not proposed."""

_RIVALS = 4


class Outlook(Struct, frozen=True, kw_only=True):
    """What the month costs from day `since` on, picodollars: with the route as it is, which then
    leads to `model` (None: no model can serve it), and as proposed."""

    since: str
    model: str | None
    cost: int | None
    proposed: int


class Ahead(Struct, frozen=True, kw_only=True):
    """From day `since` on the route, left as it is, leads to `model` and costs `cost` a month."""

    since: str
    model: str | None
    cost: int | None


class Proposal(Struct, frozen=True, kw_only=True):
    """`model` as the route of a task: the month's `cost` with it today, and `saving` against the
    route as it is (below 0: dearer). `assumption`: None where the policy knows its quality, with
    `value` and the `samples` behind it. `outlook`: from each day on which a price changes or a
    model goes."""

    model: str
    cost: int
    saving: int
    assumption: Assumption | None
    value: float
    samples: int
    outlook: tuple[Outlook, ...] = ()


class Route(Struct, frozen=True, kw_only=True):
    """A task's route. `believed` is what the month costs by the policy's own prices, and
    `cost` by today's, on `model`, which the router chooses by those; None: none can serve it.
    `must`: why it cannot stay, "" where it can. `ahead`: what is known to change by itself.
    `rivals` would win as well, the best first."""

    task: str
    tier: str
    bar: float
    calls: int
    real: bool
    input_tokens: int
    output_tokens: int
    believed_model: str | None
    believed: int | None
    model: str | None
    cost: int | None
    must: str = ""
    ahead: tuple[Ahead, ...] = ()
    proposal: Proposal | None = None
    rivals: tuple[Proposal, ...] = ()


class Desk:
    """Asks the router about one policy at the prices of `now`, `then` being those that it was made
    with."""

    def __init__(self, config: Config, now: Catalog, day: str, *, alike: bool) -> None:
        self._config = config
        self._day = day
        self._then = config.catalog
        self._now = now
        self._alike = alike
        self._counted = {id(one): _counted(one) for one in (self._then, now)} if alike else {}
        self._known = Table(config.quality)
        self._last = (date.fromisoformat(day) + timedelta(days=HORIZON_DAYS)).isoformat()
        self._lasting = (date.fromisoformat(day) + timedelta(days=LASTING_DAYS)).isoformat()

    def route(self, task: Task, line: MixLine) -> Route:
        """The route as it is believed to be, as it is, and as it should be."""
        believed = self._first(task, line, self._then, self._day)
        known = _known(task, self._now)
        current = None if known is None else self._first(known, line, self._now, self._day)
        cost = None if current is None else cost_on(line, current, self._day)
        must, judged = self._must(known, line, current)
        winners = self._winners(task, known, line, current, cost, judged) if known else []
        best = winners[0] if winners else None
        return Route(
            task=task.name,
            tier=str(task.tier),
            bar=task.bar,
            calls=line.calls,
            real=line.real,
            input_tokens=line.input_tokens,
            output_tokens=line.output_tokens,
            believed_model=None if believed is None else believed.id,
            believed=None if believed is None else cost_on(line, believed, self._day),
            model=None if current is None else current.id,
            cost=cost,
            must=must,
            ahead=() if known is None else tuple(self._ahead(known, line, current, cost)),
            proposal=best,
            rivals=tuple(winners[1 : 1 + _RIVALS]),
        )

    def _must(self, task: Task | None, line: MixLine, current: Model | None) -> tuple[str, str]:
        """(why the route cannot stay, the day that decides)."""
        if task is None or current is None:
            return "no model of the task can serve it today", self._day
        gone = current.deprecated_on
        if gone is None or not self._day < gone <= self._last:
            return "", self._day
        then = self._first(task, line, self._now, gone)
        name = "nothing" if then is None else then.name
        return f"{current.name} is withdrawn on {gone}; then {name} answers", gone

    def _ahead(
        self, task: Task, line: MixLine, current: Model | None, cost: int | None
    ) -> Iterator[Ahead]:
        """Each known day on which the route leads elsewhere, or costs something else."""
        models = [self._now.models[id] for id in (*task.candidates, *task.fallbacks)]
        before = (None if current is None else current.id, cost)
        for day in self._changes(self._day, *models):
            then = self._first(task, line, self._now, day)
            after = (None, None) if then is None else (then.id, cost_on(line, then, day))
            if after != before:
                yield Ahead(since=day, model=after[0], cost=after[1])
            before = after

    def _winners(
        self,
        task: Task,
        known: Task,
        line: MixLine,
        current: Model | None,
        cost: int | None,
        judged: str,
    ) -> list[Proposal]:
        """Every model that wins the task on the day that decides, and still does on each day on
        which its price or the route's changes. First those that reach the bar, the cheapest at its
        dearest."""
        found = []
        for model in self._now.models.values():
            if model.id in known.candidates or not self._may_win(model):
                continue
            quality, assumption = self._quality(model, task)
            if quality is None:
                continue
            days = [judged, *self._changes(judged, model, current)]
            if not all(self._wins(model, quality, known, line, day) for day in days):
                continue
            dearest = max(cost_on(line, model, day) or 0 for day in days)
            found.append(
                (dearest, self._proposal(model, quality, assumption, known, line, current, cost))
            )
        found.sort(
            key=lambda pair: (pair[1].value < task.bar, pair[0], -pair[1].value, pair[1].model)
        )
        return [proposal for _, proposal in found]

    def _may_win(self, model: Model) -> bool:
        return model.kind == "chat" and not withdrawn(model, self._lasting)

    def _quality(self, model: Model, task: Task) -> tuple[Quality | None, Assumption | None]:
        """What is known of the model, else what may be assumed."""
        known = self._known.find(model.id, task)
        if known is not None:
            return known, None
        assumption = assume(model, task, self._known, self._then)
        if assumption is None:
            return None, None
        value = assumption.value
        return (
            Quality(model=model.id, task=task.name, value=value, lower=value, source="review"),
            assumption,
        )

    def _changes(self, after: str, *models: Model | None) -> list[str]:
        """The days after `after` on which a price of these changes, or one of them goes."""
        days: set[str] = set()
        for model in models:
            if model is not None:
                days |= {price.since for price in model.prices}
                days.add(model.deprecated_on or "")
        return sorted(day for day in days if after < day <= self._last)

    def _wins(self, model: Model, quality: Quality, task: Task, line: MixLine, day: str) -> bool:
        added = msgspec.structs.replace(task, candidates=(*task.candidates, model.id))
        first = self._first(added, line, self._now, day, quality)
        return first is not None and first.id == model.id

    def _proposal(
        self,
        model: Model,
        quality: Quality,
        assumption: Assumption | None,
        task: Task,
        line: MixLine,
        current: Model | None,
        cost: int | None,
    ) -> Proposal:
        ours = cost_on(line, model, self._day) or 0
        outlook = []
        for day in self._changes(self._day, model, current):
            then = self._first(task, line, self._now, day)
            outlook.append(
                Outlook(
                    since=day,
                    model=None if then is None else then.id,
                    cost=None if then is None else cost_on(line, then, day),
                    proposed=cost_on(line, model, day) or 0,
                )
            )
        return Proposal(
            model=model.id,
            cost=ours,
            saving=(cost or 0) - ours,
            assumption=assumption,
            value=quality.lower,
            samples=quality.samples,
            outlook=tuple(outlook),
        )

    def _first(
        self,
        task: Task,
        line: MixLine,
        catalog: Catalog,
        day: str,
        quality: Quality | None = None,
    ) -> Model | None:
        """The router's first choice; None where it refuses."""
        more = () if quality is None else (quality,)
        asked = msgspec.structs.replace(
            self._config,
            catalog=self._counted.get(id(catalog), catalog),
            tasks={task.name: task},
            quality=(*self._config.quality, *more),
        )
        need = Need(
            task=task, text_bytes=line.input_bytes, max_output_tokens=line.output_tokens or 1
        )
        world = World(
            providers=frozenset(model.provider for model in catalog.models.values()),
            day=day,
            output_tokens={task.name: line.output_tokens},
        )
        try:
            return catalog.models[Router(asked).plan(need, world).chain[0].id]
        except RequestError:
            return None


def routes(
    config: Config, now: Catalog, lines: Iterable[MixLine], day: str, *, alike: bool
) -> list[Route]:
    """The route of every line's task, in that order."""
    desk = Desk(config, now, day, alike=alike)
    return [
        desk.route(config.tasks[line.task], line) for line in lines if line.task in config.tasks
    ]


def _known(task: Task, catalog: Catalog) -> Task | None:
    """The task with those of its models alone that the catalogue has; None: it has none."""
    candidates = tuple(id for id in task.candidates if id in catalog.models)
    fallbacks = tuple(id for id in task.fallbacks if id in catalog.models)
    if not candidates and not fallbacks:
        return None
    return msgspec.structs.replace(task, candidates=candidates, fallbacks=fallbacks)


def _counted(catalog: Catalog) -> Catalog:
    """The catalogue with models that make one token of each byte, for sizes in tokens."""
    models = {
        id: msgspec.structs.replace(model, tokens_per_kbyte=1000)
        for id, model in catalog.models.items()
    }
    return msgspec.structs.replace(catalog, models=models)
