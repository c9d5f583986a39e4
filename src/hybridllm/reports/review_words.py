"""A review in words: the lines that its table, its Markdown and its page have in common."""

from __future__ import annotations

from hybridllm.catalog.structs import Rates
from hybridllm.money import PICODOLLARS
from hybridllm.reports.review import Moved, Review
from hybridllm.reports.review_catalog import LimitChange, PriceChange, Withdrawal
from hybridllm.reports.review_routes import Proposal, Route
from hybridllm.routing.words import named_bar

_RATE = 1_000_000
"""Picodollars a token of one dollar per million tokens."""

_NAMES = {
    "context_window": "context window",
    "max_output_tokens": "output limit",
    "min_cache_tokens": "least prefix that is cached",
    "json_schema": "JSON schema",
}
_FLAGS = ("tools", "vision", "documents", "json_schema", "reasoning", "reasoning_required")


def short(model: str | None) -> str:
    """A model without its provider."""
    return "nothing" if model is None else model.partition("/")[2]


def in_out(rates: Rates) -> str:
    """`0.30/2.50`: dollars per million tokens of input and output."""
    return f"{_mtok(rates.input)}/{_mtok(rates.output)}"


def _mtok(rate: int) -> str:
    whole, part = divmod(rate, _RATE)
    return f"{whole}.{f'{part:06d}'.rstrip('0'):0<2}"


def usd(picodollars: int) -> str:
    """Dollars and cents; more places below a cent."""
    amount = abs(picodollars) / PICODOLLARS
    places = 2 if amount >= 0.01 or not amount else 6
    return f"{'-' if picodollars < 0 else ''}${amount:,.{places}f}"


def price_words(change: PriceChange, reference: str) -> str:
    """What happened to a price, without the model's name."""
    was, now = in_out(change.before), in_out(change.after)
    if change.future:
        return f"{was} until then, {now} from {change.since}"
    tiers = "; ".join(f"{in_out(rates)} above {start:,} input" for start, rates in change.tiers)
    parts = []
    if was != now:
        parts.append(f"costs {now}, not {was}")
    elif not change.new_tiers:
        parts.append(f"caches at other prices beside {now}")
    if change.new_tiers:
        parts.append(tiers or "has no price tiers any more")
    if not change.since:
        parts.append("for as long as our source knows it")
    elif change.since <= reference:
        parts.append(f"since {change.since}, before the policy's own catalogue of {reference}")
    else:
        parts.append(f"since {change.since}")
    return ", ".join(parts)


def withdrawal_words(one: Withdrawal) -> str:
    """What becomes of a model and whom it touches, without its name."""
    if not one.on:
        when = "is not in today's catalogue"
    elif one.days < 0:
        when = f"was withdrawn on {one.on}"
    else:
        when = f"is withdrawn on {one.on}, in {one.days} days"
    roles = []
    if one.use.candidate_of:
        roles.append(f"candidate of {', '.join(one.use.candidate_of)}")
    if one.use.fallback_of:
        roles.append(f"fallback of {', '.join(one.use.fallback_of)}")
    if one.use.baseline:
        roles.append("the baseline")
    return f"{when}; {'; '.join(roles)}"


def limit_words(change: LimitChange) -> str:
    """`output limit 64,000, now 128,000`."""
    name = _NAMES.get(change.what, change.what.replace("_", " "))
    if change.what in _FLAGS:
        return f"{name}: {'yes' if change.after else 'no'} now"
    return f"{name} {change.before:,}, now {change.after:,}"


def moved_words(one: Moved) -> str:
    """A measured quality beside what was assumed."""
    before = "" if one.assumed is None else f"assumed {one.assumed:.2f}, "
    bar = "" if one.bar is None else f", {'meets' if one.meets else 'below'} {named_bar(one.bar)}"
    when = f" on {one.at}" if one.at else ""
    return (
        f"{before}measured {one.value:.3f} (at least {one.lower:.3f}, {one.samples:,} samples"
        f"{when}){bar}"
    )


def risk_words(best: Proposal) -> str:
    """How sure its quality is."""
    if best.assumption is None:
        if best.samples:
            return f"measured: at least {best.value:.3f} over {best.samples:,} samples"
        return f"assumed by the policy: {best.value:.2f}"
    like = best.assumption
    below = (
        f"{best.value:.2f}"
        if best.value == like.comparable_value
        else f"{best.value:.2f}, near {like.comparable_value:.2f}"
    )
    return f"assumed as good as {short(like.comparable)} ({below}): {like.why}"


def ahead_words(route: Route) -> list[str]:
    """What is known to happen to a route that is left as it is, a sentence a day."""
    of = "a month" if route.real else f"per {route.calls:,} calls"
    return [
        f"From {one.since} {short(one.model)} answers"
        + ("." if one.cost is None else f", for {usd(one.cost)} {of}.")
        for one in route.ahead
    ]


def summary(found: Review) -> str:
    """One sentence on the money."""
    saved = found.today - found.proposed
    share = f" ({100 * saved / found.today:.1f}%)" if found.today else ""
    drift = ""
    if found.believed != found.today:
        drift = f" By the policy's own prices it would be {usd(found.believed)}."
    return (
        f"The routes as they are cost {usd(found.today)} a month at today's prices; with every "
        f"proposal {usd(found.proposed)}, {usd(saved)}{share} less.{drift}"
    )


ASSUMED = (
    "A quality marked as assumed was not measured on your tasks: evaluate the model on 200 samples "
    "of the task before you move it."
)
"""Said wherever a proposal rests on an assumption."""
