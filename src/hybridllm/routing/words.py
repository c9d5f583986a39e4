"""A decision in words: one sentence for its reason, one verdict for each model."""

from __future__ import annotations

from functools import lru_cache

from hybridllm.money import dollars
from hybridllm.routing.candidates import Candidate, Look
from hybridllm.routing.choice import Standard
from hybridllm.routing.decision import Decision
from hybridllm.routing.plan import Verdict

_MICRODOLLAR = 10**6


def reason_of(decision: Decision) -> str:
    """Why the first model of the chain is first, in one sentence."""
    first = decision.chain[0]
    cost = f", {about(first.expected)} expected" if first.expected is not None else ""
    moved = decision.moved_from
    left = f"; moved from {_short(moved)}" if moved is not None else ""
    name = first.candidate.model.name
    return f"{decision.need.task.name}: {name} {_why(decision)}{cost}{left}{_passed(decision)}"


def _passed(decision: Decision) -> str:
    """Who would have been looked at, were they not degraded, or resting."""
    return decision.table.degraded + _resting(decision)


def _resting(decision: Decision) -> str:
    """The candidates that would have been looked at, were they not resting after failures."""
    if not decision.world.down:
        return ""
    names = [
        look.candidate.model.name
        for look in decision.looks[: decision.table.candidates]
        if look.block == "health" and look.candidate.meets_bar
    ]
    return f"; {', '.join(names)} rested after failures" if names else ""


def _why(decision: Decision) -> str:
    if decision.requested is not None:
        return "was asked for by name"
    if decision.stayed is not None:
        kept = f"keeps its conversation, of which it has {decision.stayed.cached:,} tokens cached"
        return kept + _spared(decision)
    choice = decision.choice
    if choice is None:
        raise ValueError("a decision without a choice has no reason")
    if choice.standard is Standard.BELOW_BAR:
        best, bar = choice.kept[0].candidate, _bar(decision)
        return f"is the best that can serve this, {_score(best)}, though nothing reaches {bar}"
    cheapest = _cheapest(decision, len(choice.kept))
    if choice.standard is Standard.CANDIDATES:
        return cheapest + _with_cached(decision.chain[0])
    if choice.standard is Standard.FALLBACKS:
        return f"is a fallback, since no candidate can serve this, and {cheapest}"
    return f"is slower than the task's limit, but nothing faster serves this, and {cheapest}"


def _spared(decision: Decision) -> str:
    """`; gpt-4o, nominally cheaper, would pay full price`."""
    spared = decision.spared
    if spared is None or spared.expected is None:
        return ""
    name, cost = spared.candidate.model.name, about(spared.expected)
    return f" ({name} is nominally cheaper, but would pay full price: {cost})"


def _with_cached(look: Look) -> str:
    return f", with {look.cached:,} tokens cached" if look.cached else ""


def _cheapest(decision: Decision, kept: int) -> str:
    """`is the cheapest of 3 that meet the 0.90 bar (assumed)`."""
    first = decision.chain[0].candidate
    ecosystem = decision.table.ecosystem if first.favoured else None
    return _cheapest_of(kept, ecosystem, decision.need.task.bar, _basis(first))


@lru_cache(maxsize=1_000)
def _cheapest_of(kept: int, ecosystem: str | None, bar: float, basis: str) -> str:
    which = f" of the preferred ecosystem {ecosystem}" if ecosystem is not None else ""
    what = f"the cheapest of {kept}" if kept > 1 else "the only one"
    verb, ending = ("meet" if bar > 0 else "fit"), ("" if kept > 1 else "s")
    against = f" {named_bar(bar)} ({basis})" if bar > 0 else ""
    return f"is {what}{which} that {verb}{ending}{against}"


def verdict_of(look: Look, decision: Decision) -> Verdict:
    """What became of one model of the task."""
    kept = decision.choice is not None and _holds(decision.choice.kept, look)
    return Verdict(
        model=look.candidate.id,
        kept=kept or look is decision.stayed or (look is decision.requested and not look.block),
        why=_verdict_why(look, decision, kept),
        expected=look.expected,
        nominal=None if look.expected is None else look.nominal,
        cached=look.cached,
        variant=look.candidate.variant,
    )


def _verdict_why(look: Look, decision: Decision, kept: bool) -> str:
    if decision.requested is not None and look.candidate.id == decision.requested.candidate.id:
        broken = decision.requested.why
        return f"asked for by name, but {broken}" if broken else "asked for by name"
    if decision.stayed is look:
        return f"keeps its conversation: {look.cached:,} tokens of it are cached"
    choice = decision.choice
    words = ["fallback"] if decision.is_fallback_only(look) else []
    if look.block:
        words.append(look.why)
    candidate = look.candidate
    if decision.need.task.bar > 0:
        words.append(_against(candidate, _bar(decision)))
    if kept and choice is not None:
        words.append(_standing(look, decision))
    elif not look.block and candidate.meets_bar and not decision.is_fallback_only(look):
        words.append(f"not of the preferred ecosystem {decision.table.ecosystem}")
    return "; ".join(words)


def _holds(looks: list[Look], look: Look) -> bool:
    return any(one is look for one in looks)


def _standing(look: Look, decision: Decision) -> str:
    """Where a kept model stands among the kept."""
    choice = decision.choice
    if choice is None or choice.kept[0] is not look:
        return _beside(look, decision)
    if choice.standard is Standard.BELOW_BAR:
        return "the best that can serve this"
    return "the cheapest" if look.expected is not None else "its price is unknown"


def _beside(look: Look, decision: Decision) -> str:
    """How a kept model compares with the first of the chain."""
    if look.expected is None:
        return "its price is unknown"
    first = decision.stayed or decision.chain[0]
    if first.cached and look.nominal < first.nominal:
        return "nominally cheaper than the choice, but would pay full price"
    return "dearer than the choice"


def _against(candidate: Candidate, bar: str) -> str:
    if candidate.quality is None:
        return f"nothing is known of its quality, so it does not meet {bar}"
    return f"{'meets' if candidate.meets_bar else 'below'} {bar} with {_score(candidate)}"


def _score(candidate: Candidate) -> str:
    quality = candidate.quality
    if quality is None:
        return "of unknown quality"
    if quality.samples:
        rests = f"{_basis(candidate)} over {quality.samples:,} samples"
        told = f"{quality.decline}; {rests}" if quality.decline else rests
        return f"{quality.lower:.3f} ({told})"
    return f"{quality.value:.2f} (assumed)"


def _basis(candidate: Candidate) -> str:
    quality = candidate.quality
    return "measured" if quality is not None and quality.samples else "assumed"


def _bar(decision: Decision) -> str:
    return named_bar(decision.need.task.bar)


def named_bar(bar: float) -> str:
    """`the 0.90 bar`; in full where two digits would say something else."""
    short = f"{bar:.2f}"
    return f"the {short if float(short) == bar else repr(bar)} bar"


def _short(id: str) -> str:
    return id.partition("/")[2] or id


def about(picodollars: int) -> str:
    """Dollars to the millionth, or exactly where that would be nothing."""
    near = (picodollars + _MICRODOLLAR // 2) // _MICRODOLLAR * _MICRODOLLAR
    return f"${dollars(near or picodollars)}"
