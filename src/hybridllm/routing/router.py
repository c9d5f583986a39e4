"""The router: a need and the state of the world in, an ordered chain of models and its reason out.

All that does not depend on the request is settled at construction, so that a plan on the way of a
request is a walk over a handful of candidates in integer arithmetic.
"""

from __future__ import annotations

from hybridllm.catalog.structs import Model
from hybridllm.config import Config
from hybridllm.errors import RequestError
from hybridllm.routing.caching import Mark
from hybridllm.routing.candidates import Look, Tables
from hybridllm.routing.cascade import cascading
from hybridllm.routing.choice import chain_of, choose
from hybridllm.routing.cost import DayPrices
from hybridllm.routing.decision import Decision
from hybridllm.routing.filters import ALL_CHECKS, HARD_CHECKS, Checks
from hybridllm.routing.looking import Looker
from hybridllm.routing.need import Need
from hybridllm.routing.plan import Plan, Verdict
from hybridllm.routing.refusals import no_candidate, not_as_asked
from hybridllm.routing.sheets import Sheets
from hybridllm.routing.words import about, reason_of, verdict_of
from hybridllm.routing.world import World

MARKED = "anthropic"
"""The dialect whose providers cache only what a request marks."""


class Router:
    """Plans by one configuration. Not shared between threads: it keeps the prices of the day."""

    def __init__(self, config: Config) -> None:
        self._catalog = config.catalog
        self._concrete_fallbacks = config.routing.concrete_fallbacks
        self._tables = Tables(config)
        specs = config.catalog.providers
        marked = {name for name, spec in specs.items() if spec.dialect == MARKED}
        marked |= {name for name, one in config.providers.items() if one.dialect == MARKED}
        self._prices = DayPrices(frozenset(marked))
        self._sheets = Sheets()

    def plan(self, need: Need, world: World) -> Plan:
        """The chain to try and why, without verdicts.

        Raises RequestError with a remedy: CONTEXT_EXCEEDED when no candidate has the context,
        UNSUPPORTED when none has the capability, UNAVAILABLE when none can be called.
        """
        return self._planned(self._decide(need, world))

    def explain(self, need: Need, world: World) -> Plan:
        """The same plan with a verdict on every model of the task. Raises as `plan` does."""
        decision = self._decide(need, world)
        plan = self._planned(decision)
        plan.verdicts = self._verdicts(decision)
        return plan

    def verdicts(self, need: Need, world: World) -> list[Verdict]:
        """The verdict on every model of the task, also where none can serve the request."""
        return self._verdicts(self._decide(need, world))

    def marks(self, need: Need, world: World, model: Model) -> tuple[Mark, ...]:
        """The cache breakpoints that pay, were the request sent to `model`; none where its provider
        caches by itself, or where nothing is known of the input's prefixes."""
        return Looker((), need, world, self._prices).marks(model)

    def _planned(self, decision: Decision) -> Plan:
        if not decision.chain:
            raise self._refusal(decision)
        plan = Plan(
            task=decision.need.task.name,
            chain=[look.candidate.model for look in decision.chain],
            reason=reason_of(decision),
            previous=decision.world.previous,
            moved_from=decision.moved_from,
        )
        if decision.need.task.cascade is not None:
            self._cascade(decision, plan)
        return plan

    def _cascade(self, decision: Decision, plan: Plan) -> None:
        """Put the task's cascade before the chain, where it pays; say why, or why not."""
        cascade = decision.need.task.cascade
        judge = None if cascade is None else self._catalog.models.get(cascade.judge or "")
        found = cascading(
            decision,
            lambda id: self._look_by_id(decision, id, ALL_CHECKS),
            self._prices.on(decision.world.day),
            judge,
            about,
        )
        plan.cascade = found
        if found is None:
            return
        if found.pays:
            plan.chain = found.chain
            plan.reason = f"{plan.task}: {found.words}"
        else:
            plan.reason += f"; {found.words}"

    def _decide(self, need: Need, world: World) -> Decision:
        table = self._tables[need.task.name]
        sheet = self._sheets.of(table, need, world, self._prices.on(world.day))
        looks = Looker(ALL_CHECKS, need, world, self._prices).over(sheet)
        decision = Decision(
            need=need,
            world=world,
            table=table,
            looks=looks,
            choice=choose(looks, table.candidates, table.fallbacks),
        )
        if need.requested is not None:
            self._obey(decision, need.requested)
        elif decision.choice is not None:
            decision.chain = chain_of(decision.choice.kept, decision.choice.rest)
            self._stay(decision)
        return decision

    def _obey(self, decision: Decision, requested: str) -> None:
        """The model that the caller asked for by name, first whatever its price, quality and
        health; behind it the task's own chain, where configuration grants fallbacks."""
        look = self._look_by_id(decision, requested, HARD_CHECKS)
        decision.requested = look
        if look.block:
            return
        rest: list[Look] = []
        if self._concrete_fallbacks and decision.choice is not None:
            rest = [*decision.choice.kept, *decision.choice.rest]
        decision.chain = chain_of([look], rest)

    def _stay(self, decision: Decision) -> None:
        """A conversation stays with its model while that one is warm, healthy, fits, is as good as
        the task asks, and costs no more with what it has cached than any other at full price: also
        where the task does not list it. What another might save later does not move it."""
        world = decision.world
        previous, first = world.previous, decision.chain[0]
        if previous is None or not _is_warm(world, previous):
            return
        if previous not in self._catalog.models:
            return  # a reload has taken the model out of the catalogue
        look = self._look_by_id(decision, previous, ALL_CHECKS)
        good = look.candidate.meets_bar or look.candidate.lower >= first.candidate.lower
        if look.block or not good or _is_dearer(look, decision):
            return
        spared = _nominal_rival(decision, look)
        if spared is None and look is first:
            return  # the task's choice in any case
        decision.stayed, decision.spared = look, spared
        decision.chain = chain_of([look], decision.chain)

    def _look_by_id(self, decision: Decision, id: str, checks: Checks) -> Look:
        for look in decision.looks:
            if look.candidate.id == id and checks is not HARD_CHECKS:
                return look
        named = checks is HARD_CHECKS
        candidate = self._tables.guest(decision.table, self._catalog.models[id], named=named)
        return Looker(checks, decision.need, decision.world, self._prices).look(candidate)

    def _verdicts(self, decision: Decision) -> list[Verdict]:
        looks = decision.looks
        first = decision.requested or decision.stayed
        if first is not None:
            looks = [first, *(one for one in looks if one.candidate.id != first.candidate.id)]
        looker = Looker((), decision.need, decision.world, self._prices)
        for look in looks:
            if look.expected is None:
                looker.price(look)
        return [verdict_of(look, decision) for look in looks]

    def _refusal(self, decision: Decision) -> RequestError:
        if decision.requested is not None:
            return not_as_asked(decision.requested, self._catalog)
        return no_candidate(decision, self._catalog)


def _is_warm(world: World, id: str) -> bool:
    if world.prospect is not None and id in world.prospect.warm:
        return True
    return world.warm_tokens > 0 and world.warm_model == id


def _is_dearer(look: Look, decision: Decision) -> bool:
    """Whether any kept model would serve this request for less than `look`."""
    if look.expected is None or decision.choice is None:
        return True
    kept = [each.expected for each in decision.choice.kept if each.expected is not None]
    return bool(kept) and min(kept) < look.expected


def _nominal_rival(decision: Decision, warm: Look) -> Look | None:
    """The kept model that is the cheapest where nothing is cached, if that is another."""
    if not warm.cached or decision.choice is None:
        return None
    rival = min(
        (look for look in decision.choice.kept if look.expected is not None),
        key=lambda look: (look.nominal, look.candidate.position),
        default=warm,
    )
    return rival if rival.nominal < warm.nominal else None
