"""Whether a cascade pays for this request: the cheap model's answer and its check, and the stronger
model's answer as often as the check is expected to fail, against the plain route.

    expected = first + check + (1 - pass rate) x stronger

The pass rate is the lower bound of what was seen, with the task's own expectation as a prior, so a
cascade that is not sure to pay is not gone through; what was seen fades, so it is tried again.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from hybridllm.catalog.structs import Cascade, Model
from hybridllm.pricing import plain_cost, rates_for
from hybridllm.quality.passing import MILLION, PassRate, pass_rate
from hybridllm.routing.candidates import Candidate, Look
from hybridllm.routing.cost import Offers
from hybridllm.routing.decision import Decision

JUDGE_FRAME_TOKENS = 250
"""What a judge is told besides the request and the answer."""

JUDGE_OUTPUT_TOKENS = 80
"""A score and a sentence."""


class Cascading(Struct, kw_only=True):
    """What became of a task's cascade for one request. `first` is asked first; `chain` are those
    who may answer what fails, in order. `pays` says that it is gone through, and `words` says why,
    or why not. Costs are in picodollars: `expected` of the cascade, `plain` without it."""

    first: Model | None = None
    chain: list[Model] = []
    pays: bool = False
    words: str = ""
    rate: PassRate | None = None
    expected: int | None = None
    plain: int | None = None


Guest = Callable[[str], Look]
"""A look at any model of the catalogue, by its id, by all limits."""


def cascading(
    decision: Decision,
    guest: Guest,
    offers: Offers,
    judge: Model | None,
    about: Callable[[int], str],
) -> Cascading | None:
    """None where the task has no cascade, or none is looked for. `judge` is the model that checks,
    if one does; `about` puts money in words."""
    cascade, world = decision.need.task.cascade, decision.world
    if cascade is None or world.passing is None or decision.requested is not None:
        return None
    look = guest(cascade.first)
    name = look.candidate.model.name
    stronger = [one for one in decision.chain if _is_stronger(one.candidate, look.candidate)]
    why = _hindrance(decision, cascade, look, stronger, judge)
    if why:
        return Cascading(words=f"no cascade from {name}: {why}")
    plain, strong = decision.chain[0].expected, stronger[0].expected
    check = _check_cost(cascade, look, offers, judge)
    if look.expected is None or plain is None or strong is None or check is None:
        return Cascading(words=f"no cascade from {name}: a price is not known")
    rate = pass_rate(world.passing, cascade.expected_pass, cascade.prior_checks)
    expected = look.expected + check + (MILLION - rate.lower) * strong // MILLION
    found = Cascading(
        first=look.candidate.model,
        chain=[one.candidate.model for one in _fallbacks_last(stronger, decision.chain, look)],
        pays=cascade.force or expected < plain,
        rate=rate,
        expected=expected,
        plain=plain,
    )
    passes = _passes(rate)
    rival = decision.chain[0].candidate.model.name
    if found.pays:
        found.words = (
            f"{name} is asked first and checked by {cascade.check}, which {passes}; "
            f"{stronger[0].candidate.model.name} answers what fails: "
            f"{about(expected)} expected against {about(plain)} of {rival} alone"
        )
    else:
        found.words = (
            f"no cascade from {name}, since its check {passes}: "
            f"{about(expected)} expected against {about(plain)}"
        )
    return found


def _passes(rate: PassRate) -> str:
    seen = f"{rate.mean / MILLION:.0%} of {rate.checks}" if rate.checks else "assumed"
    return f"at least {rate.lower / MILLION:.0%} pass ({seen})"


def _is_stronger(one: Candidate, first: Candidate) -> bool:
    return one.id != first.id and one.lower > first.lower


def _hindrance(
    decision: Decision, cascade: Cascade, look: Look, stronger: list[Look], judge: Model | None
) -> str:
    """Why this request cannot go through the cascade, "" where it can."""
    world, need = decision.world, decision.need
    if need.batch:
        return "a batch asks once"
    if need.choices > 1:
        return "several answers are wanted, and the check is of one"
    if look.block:
        return look.why
    if decision.chain[0].candidate.id == look.candidate.id:
        return "it is the choice by itself"
    if not stronger:
        return "nobody behind it is stronger"
    if cascade.check != "judge" or judge is None:
        return ""
    if judge.provider not in world.providers:
        return f"{judge.name}, its judge, cannot be called"
    return f"{judge.name}, its judge, rests after failures" if judge.id in world.down else ""


def _fallbacks_last(stronger: list[Look], chain: list[Look], first: Look) -> list[Look]:
    """The stronger ones, then who else may serve when those fail; the cheap one has been asked."""
    held = {one.candidate.id for one in stronger} | {first.candidate.id}
    return [*stronger, *(one for one in chain if one.candidate.id not in held)]


def _check_cost(cascade: Cascade, look: Look, offers: Offers, judge: Model | None) -> int | None:
    """What checking one answer is expected to cost; None where no price is known."""
    if cascade.check == "self-consistency":
        return None if look.expected is None else (cascade.samples - 1) * look.expected
    if cascade.check != "judge":
        return 0
    offer = None if judge is None else offers.of(judge, judge.id)
    if offer is None:
        return None
    tokens = look.input_tokens + look.output_tokens + JUDGE_FRAME_TOKENS
    return plain_cost(rates_for(offer.price, tokens), tokens, 0, JUDGE_OUTPUT_TOKENS)
