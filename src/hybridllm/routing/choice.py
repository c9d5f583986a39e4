"""From what every candidate looks like to the ones that are kept, and the chain behind them.

By what standard the kept ones were chosen, strictest first; the first that anything meets counts:

1. candidates within every limit that meet the bar;
2. fallbacks within every limit that meet the bar;
3. any of them that meets the bar, though slower than the task's latency limit;
4. the best quality of all that can serve the request at all, below the bar.

Raising the bar thus never lowers the chosen quality, and no request is refused for a bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from operator import attrgetter

from msgspec import Struct

from hybridllm.routing.candidates import Look

_ABLE = ("", "latency")
"""Blocks of a look that could serve the request: latency is judged last."""

_by_cost = attrgetter("lasting")
"""Expected cost, an unknown one last. Sorting is stable: of equals the task's own order stays."""


class Standard(IntEnum):
    """By what standard candidates were kept."""

    CANDIDATES = 1
    FALLBACKS = 2
    SLOW = 3
    BELOW_BAR = 4


class Choice(Struct):
    """`kept` are the looks that met `standard`, cheapest first; `rest` who else may serve, in
    order, when those fail."""

    standard: Standard
    kept: list[Look]
    rest: list[Look]


def choose(looks: list[Look], candidates: int, fallbacks: Sequence[int]) -> Choice | None:
    """The choice among `looks`, of which the first `candidates` are at candidates and those at the
    places `fallbacks` at fallbacks. None: no model can serve the request."""
    ready = [looks[place] for place in fallbacks if not looks[place].block]
    good = [look for look in looks[:candidates] if not look.block and look.candidate.meets_bar]
    if good:
        return _choice(Standard.CANDIDATES, good, ready)
    good = [look for look in ready if look.candidate.meets_bar]
    if good:
        return _choice(Standard.FALLBACKS, good, ready)
    able = [look for look in looks if look.block in _ABLE]
    good = [look for look in able if look.candidate.meets_bar]
    if good:
        return _choice(Standard.SLOW, good, ready)
    if not able:
        return None
    best = max(look.candidate.lower for look in able)
    top = [look for look in able if look.candidate.lower == best]
    able.sort(key=lambda look: (-look.candidate.lower, look.lasting))
    return Choice(Standard.BELOW_BAR, sorted(top, key=_by_cost), able)


def _choice(standard: Standard, good: list[Look], ready: list[Look]) -> Choice:
    """Cheapest first; where any is of the preferred ecosystem, the others only follow."""
    good.sort(key=_by_cost)
    favoured = [look for look in good if look.candidate.favoured]
    if favoured and len(favoured) < len(good):
        others = [look for look in good if not look.candidate.favoured]
        return Choice(standard, favoured, [*others, *ready])
    return Choice(standard, good, ready)


def chain_of(first: list[Look], rest: list[Look]) -> list[Look]:
    """`first` and then `rest`, each model once, with the second place given to the first model of
    another provider than the first's, so that an outage of one provider costs one failed attempt.
    """
    if rest:
        chain, seen = [], set()
        for look in (*first, *rest):
            if look.candidate.id not in seen:
                seen.add(look.candidate.id)
                chain.append(look)
    else:
        chain = first.copy()
    if len(chain) > 2:
        provider = chain[0].candidate.model.provider
        for place in range(1, len(chain)):
            if chain[place].candidate.model.provider != provider:
                chain.insert(1, chain.pop(place))
                break
    return chain
