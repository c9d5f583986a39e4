"""A month's comparison in words: shared by the terminal and the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from hybridllm.planning.caching import Mark
from hybridllm.planning.comparison import Comparison, Judged, Reason
from hybridllm.planning.cost import CostLine
from hybridllm.planning.offers import Cache
from hybridllm.planning.overhead import BreakEven
from hybridllm.planning.whatif import WhatIf
from hybridllm.planning.workload import Workload

Money = Callable[[int], str]
"""Picodollars as text for a person."""

CACHES: dict[Cache, str] = {
    "none": "none",
    "auto": "itself",
    "short": "short",
    "long": "long",
    "batch": "batch",
}

NOT_MEASURED = "* assumed, not measured"


def model_of(lines: Sequence[CostLine], *, short: bool = False) -> str:
    """The model that most is spent on, and how many others there are."""
    models = list(dict.fromkeys(line.model for line in sorted(lines, key=lambda x: -x.cost)))
    first = models[0].partition("/")[2] if short else models[0]
    return first if len(models) == 1 else f"{first} +{len(models) - 1}"


def how(lines: Sequence[CostLine]) -> str:
    """`batch`, `part batch`, `live`; and `marked` where a prefix is."""
    batched = sum(line.mode == "batch" for line in lines)
    mode = "live" if not batched else "batch" if batched == len(lines) else "part batch"
    marked = any(line.cache in ("short", "long", "batch") for line in lines)
    return f"{mode}, marked" if marked else mode


def quality(judged: Sequence[Judged]) -> str:
    """The least of the models', `*` where that was not measured."""
    worst = min(judged, key=lambda one: -1.0 if one.lower is None else one.lower)
    if worst.lower is None:
        return "unknown"
    return f"{worst.lower:.2f}" + ("" if worst.measured else "*")


def why(reason: Reason, marks: Sequence[Mark], money: Money) -> str:
    """Why this line costs less than in hybrid+batch, or why not."""
    if not reason.meets_bar:
        return (
            f"{reason.task}: no model that has room is known to meet {reason.bar:g}, so the "
            "policy's own is kept."
        )
    if reason.before == reason.after:
        return ""
    if reason.before < reason.after:
        return (
            f"{reason.task}: {money(reason.after - reason.before)} more. The policy's own model is "
            f"below the bar of {reason.bar:g}; this is the cheapest that is not."
        )
    saved = f"{reason.task}: {money(reason.before - reason.after)} less"
    buying = f"by {_buying(reason, marks)}"
    moving = f"by moving from {model_of(reason.lines_before)} to {model_of(reason.lines_after)}"
    if not reason.by_moving:
        return f"{saved} {buying}."
    if not reason.by_buying:
        return f"{saved} {moving}."
    return (
        f"{saved}: {money(reason.by_moving)} {moving}, {money(reason.by_buying)} {buying} there "
        "already."
    )


def _buying(reason: Reason, marks: Sequence[Mark]) -> str:
    caches = {line.cache for line in reason.lines_after} - {"none", "auto"}
    used = [
        mark
        for mark in marks
        if mark.place == reason.place and mark.cache in caches and mark.verdict == "pays"
    ]
    if not used:
        return "buying live or in batches, whichever is cheaper"
    mark = used[0]
    kind = {"short": "", "long": " for the longer lifetime", "batch": " in batches"}[mark.cache]
    return (
        f"marking the first {mark.prefix:,} tokens{kind}, read {_reads(mark.reuse)} times for each "
        f"write"
    )


def verdict(mark: Mark, money: Money) -> str:
    """Whether marking pays, in a few words."""
    return {
        "pays": f"pays {money(mark.gain)}",
        "costs": f"costs {money(-mark.gain)}",
        "even": "no difference",
        "too short": f"under {mark.least:,}",
        "reuse unknown": "unknown",
        "by itself": f"saves {money(mark.gain)}",
        "no cache": "no cache",
    }[mark.verdict]


def pays_from(mark: Mark) -> str:
    """Reads per write."""
    if mark.break_even is None:
        return "never"
    return f"> {float(mark.break_even):.2f}"


def reads(mark: Mark) -> str:
    """Reads per write that the workload says."""
    return "-" if mark.reuse is None else _reads(mark.reuse)


def _reads(number: Fraction | None) -> str:
    return "-" if number is None else f"{float(number):,.10g}"


def nothing_shared(month: Workload) -> str:
    """The tasks in which there is nothing to mark."""
    names = [line.task for line in month.tasks if not line.cacheable_share]
    return ", ".join(dict.fromkeys(names))


def payback(one: BreakEven) -> str:
    """When the one-off cost has been earned back."""
    return "never" if one.payback_months is None else f"{one.payback_months:.1f} months"


def calls(one: BreakEven) -> str:
    """From how many calls a month nothing is lost."""
    return "never" if one.calls is None else f"{one.calls:,}"


def share(number: float) -> str:
    return f"{number:.1%}"


def change(one: WhatIf) -> str:
    """`volume x 2`, `openai prices x 1/2`."""
    if one.kind == "as it is":
        return "as it is"
    return f"{'volume' if one.kind == 'volume' else f'{one.of} prices'} x {one.factor}"


def net_share(found: Comparison, one: WhatIf, strategy: str) -> float | None:
    """The saving after engineering, as a share of the single bill of that case."""
    single = one.monthly["single"]
    middle = next(x for x in found.break_even["middle"] if x.strategy == strategy)
    needed = middle.monthly + middle.written_off
    return (single - one.monthly[strategy] - needed) / single if single else None
