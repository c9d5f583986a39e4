"""A month's comparison as one HTML page that opens offline."""

from __future__ import annotations

from math import log10

from hybridllm.config import Config
from hybridllm.planning import cost_words as words
from hybridllm.planning.charts import Curve, Stack, curves, stacked
from hybridllm.planning.comparison import Comparison
from hybridllm.planning.cost import Strategy
from hybridllm.planning.cost_words import Money
from hybridllm.planning.html import Column, figures, page, paragraphs, table
from hybridllm.planning.optimal import ASSUMPTIONS
from hybridllm.planning.overhead import net_at
from hybridllm.planning.workload import Workload

_POINTS = 80


def render(month: Workload, settings: Config, found: Comparison, money: Money) -> str:
    """The page's text."""
    single = found.strategies[0].lines[0].model
    return page(
        f"A month of {month.calls:,} LLM calls",
        f"preset {settings.preset}, prices of {found.day}, catalogue as of "
        f"{settings.catalog.as_of}; single: all on {single}",
        [
            ("", figures(_headline(found, money))),
            ("A month's bill by task", stacked([_stack(s) for s in found.strategies], money)),
            ("Task by task", _tasks(month, found, money)),
            ("Why the optimal month is lower", _optimal(found, money)),
            ("Net saving by volume", _volume(month, settings, found)),
            ("Break-even", _break_even(found, money)),
            ("Where marking a shared prefix pays", _caching(month, found, money)),
            ("What if prices or volume change", _what_if(found, money)),
            ("What this assumes", paragraphs([*ASSUMPTIONS, *_assumed(month)])),
        ],
    )


def _headline(found: Comparison, money: Money) -> list[tuple[str, str]]:
    baseline = found.strategies[0].monthly
    shown = []
    for strategy in found.strategies:
        saved = (baseline - strategy.monthly) / baseline if baseline else 0.0
        less = "" if strategy is found.strategies[0] else f" (-{saved:.1%})"
        shown.append((strategy.name, money(strategy.monthly) + less))
    return shown


def _stack(strategy: Strategy) -> Stack:
    parts: dict[str, int] = {}
    for line in strategy.lines:
        parts[line.task] = parts.get(line.task, 0) + line.cost
    return Stack(strategy.name, list(parts.items()))


def _tasks(month: Workload, found: Comparison, money: Money) -> str:
    columns = [
        Column("task"),
        *(Column(name, number=True) for name in ("calls", "in", "out", "single", "hybrid")),
        Column("routed to"),
        Column("hybrid+batch", number=True),
        Column("optimal", number=True),
        Column("bought of"),
    ]
    rows = []
    for place, line in enumerate(month.tasks):
        single, hybrid, batched, optimal = (s.of(place) for s in found.strategies)
        costs = [money(sum(x.cost for x in way)) for way in (single, hybrid, batched, optimal)]
        rows.append(
            [
                line.task,
                *(f"{n:,}" for n in (line.calls, line.input_tokens, line.output_tokens)),
                costs[0],
                costs[1],
                words.model_of(hybrid),
                costs[2],
                costs[3],
                f"{words.model_of(optimal)}, {words.how(optimal)}",
            ]
        )
    return table(columns, rows)


def _optimal(found: Comparison, money: Money) -> str:
    columns = [
        Column("task"),
        Column("bar", number=True),
        Column("quality", number=True),
        Column("hybrid+batch", number=True),
        Column("optimal", number=True),
        Column("less by batch and marks", number=True),
        Column("less by other models", number=True),
    ]
    rows = [
        [
            one.task,
            f"{one.bar:.2f}",
            words.quality(one.judged),
            money(one.before),
            money(one.after),
            money(one.by_buying) if one.by_buying else "-",
            money(one.by_moving) if one.by_moving else "-",
        ]
        for one in found.reasons
    ]
    told = [words.why(one, found.marks, money) for one in found.reasons]
    notes = [text for text in told if text] or ["Nothing cheaper meets the bars."]
    return table(columns, rows) + paragraphs([*notes, f"{words.NOT_MEASURED}."])


def _volume(month: Workload, settings: Config, found: Comparison) -> str:
    single = found.strategies[0].monthly
    if not single or not month.calls:
        return paragraphs(["There is nothing to save of an empty month."])
    drawn = []
    for row in found.break_even["middle"]:
        needed = row.monthly + row.written_off
        xs = [-1 + 2 * n / _POINTS for n in range(_POINTS + 1)]
        points = [(x, net_at(single, row.gross, needed, 10**x)) for x in xs]
        drawn.append(Curve(row.strategy, points))
    ticks = [(log10(f), f"{round(month.calls * f):,} calls") for f in (0.1, 0.3, 1, 3, 10)]
    best = max(row.gross / single for row in found.break_even["middle"])
    steps = range(-2, max(2, int(best * 4) + 1) + 1)
    low, high = (percent / 100 for percent in settings.overhead.target_percent)
    return curves(drawn, ticks, [(n / 4, f"{n * 25}%") for n in steps], (low, high)) + paragraphs(
        [
            "What is saved of the single model's bill once the engineering is taken off, with a "
            "tenth to ten times the calls in the same mix (logarithmic). Shaded: the target of "
            f"{low:.0%} to {high:.0%}."
        ]
    )


def _break_even(found: Comparison, money: Money) -> str:
    columns = [
        Column(""),
        Column("engineering"),
        *(
            Column(name, number=True)
            for name in ("saved a month", "engineering a month", "once", "net a month")
        ),
        *(Column(name, number=True) for name in ("of single", "earned back in", "from calls")),
    ]
    rows = [
        [
            one.strategy,
            {"low": "at its least", "middle": "in the middle", "high": "at its most"}[ease],
            money(one.gross),
            money(one.monthly),
            money(one.one_off),
            money(one.net),
            "-" if one.share is None else words.share(float(one.share)),
            words.payback(one),
            words.calls(one),
        ]
        for place in range(len(found.strategies) - 1)
        for ease, of_ease in found.break_even.items()
        for one in (of_ease[place],)
    ]
    return table(columns, rows)


def _caching(month: Workload, found: Comparison, money: Money) -> str:
    columns = [
        Column("task"),
        Column("model"),
        Column("marked"),
        *(Column(name, number=True) for name in ("prefix", "pays from", "reads")),
        Column(""),
    ]
    rows = [
        [
            mark.task,
            mark.model,
            words.CACHES[mark.cache],
            f"{mark.prefix:,}",
            words.pays_from(mark),
            words.reads(mark),
            words.verdict(mark, money),
        ]
        for mark in found.marks
    ]
    nothing = words.nothing_shared(month)
    notes = ["Pays from, and reads: reads of a prefix for each time that it is written."]
    if nothing:
        notes.append(f"Nothing is shared, so there is nothing to mark: {nothing}.")
    return table(columns, rows) + paragraphs(notes)


def _what_if(found: Comparison, money: Money) -> str:
    names = [strategy.name for strategy in found.strategies]
    columns = [
        Column(""),
        *(Column(name, number=True) for name in (*names, "net of hybrid+batch", "of optimal")),
    ]
    rows = []
    for one in found.what_if:
        nets = (words.net_share(found, one, name) for name in ("hybrid+batch", "optimal"))
        rows.append(
            [
                words.change(one),
                *(money(one.monthly[name]) for name in names),
                *("-" if net is None else words.share(net) for net in nets),
            ]
        )
    return table(columns, rows) + paragraphs(
        ["Bills a month; where prices change the month is planned anew. Net: after engineering."]
    )


def _assumed(month: Workload) -> list[str]:
    return [f"Of {line.task}: {line.assumed}." for line in month.tasks if line.assumed]
