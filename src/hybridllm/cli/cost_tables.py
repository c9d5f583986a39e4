"""What `hybridllm cost` shows in the terminal, section by section."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import log10

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from hybridllm.cli.output import money
from hybridllm.cli.plot import Curve, plot
from hybridllm.cli.tables import amount, counted, fits, table
from hybridllm.config import Config
from hybridllm.planning import cost_words as words
from hybridllm.planning.comparison import Comparison
from hybridllm.planning.cost import CostLine, Strategy, below_bar
from hybridllm.planning.overhead import BreakEven, net_at
from hybridllm.planning.workload import Published, Workload

_ASSUMED = (
    "Considered is every chat model of the catalogue that is still offered. Same tokens, same "
    "prompts; batches for what can wait alone; latency is not looked at; no limits are shared "
    "between calls, so the cheapest of each is the cheapest of all."
)
_NO_PLOT = "The plot needs plotext: pip install 'hybridllm[terminal]'"
_COLOURS = {"hybrid": 3, "hybrid+batch": 6, "optimal": 2}


def show(out: Console, month: Workload, settings: Config, found: Comparison) -> None:
    """All of it."""
    single = found.strategies[0].lines[0].model
    out.print(
        f"[bold]A month of {counted(month.calls, 'call')}[/bold], "
        f"preset {escape(settings.preset)}, prices as of {settings.catalog.as_of}"
    )
    below = below_bar(month, settings, single)
    remark = f", which is below the bar of {', '.join(below)}" if below else ""
    out.print(f"[dim]single: all on {escape(single)}{escape(remark)}[/dim]\n")
    out.print(_widest(out, *(_side_by_side(month, found, width) for width in (3, 2, 1))))
    for note in _notes(month, settings, found):
        out.print(f"\n{escape(note)}")
    _show_optimal(out, month, found)
    _show_caching(out, month, found)
    _show_break_even(out, found, settings)
    _show_what_if(out, month, found)


def _widest(out: Console, *tables: Table) -> Table:
    """The first that fits, else the last."""
    return next((shown for shown in tables if fits(shown, out)), tables[-1])


def _heading(out: Console, text: str, remark: str = "") -> None:
    out.print(f"\n[bold]{text}[/bold]" + (f"[dim]: {escape(remark)}[/dim]" if remark else ""))


def _side_by_side(month: Workload, found: Comparison, width: int) -> Table:
    """The strategies side by side. The narrowest leaves out who it is routed to, the next one the
    sizes and the models' providers."""
    bill = max(strategy.monthly for strategy in found.strategies)
    shown = table(footer=False)
    shown.add_column("TASK", no_wrap=True)
    for name in (*(("CALLS", "IN", "OUT") if width == 3 else ()), "SINGLE"):
        shown.add_column(name, justify="right", no_wrap=True)
    if width > 1:
        shown.add_column("ROUTED TO", style="cyan", no_wrap=True)
    for name in ("HYBRID", "HYBRID+BATCH", "OPTIMAL"):
        shown.add_column(name, justify="right", no_wrap=True)
    for place, line in enumerate(month.tasks):
        single, hybrid, batched, optimal = (s.of(place) for s in found.strategies)
        sizes = (f"{n:,}" for n in (line.calls, line.input_tokens, line.output_tokens))
        shown.add_row(
            Text(line.task),
            *(sizes if width == 3 else ()),
            amount(_cost(single), bill),
            *([Text(words.model_of(hybrid, short=width < 3))] if width > 1 else []),
            amount(_cost(hybrid), bill),
            _mode(batched, shortly=width == 1) + amount(_cost(batched), bill),
            amount(_cost(optimal), bill),
        )
    shown.add_row()
    for heading, figure in _sums(found.strategies, bill):
        single_sum, *sums = (figure(strategy) for strategy in found.strategies)
        between = [""] if width > 1 else []
        shown.add_row(heading, *([""] * 3 if width == 3 else []), single_sum, *between, *sums)
    return shown


def _cost(lines: list[CostLine]) -> int:
    return sum(line.cost for line in lines)


def _mode(lines: list[CostLine], *, shortly: bool) -> str:
    batched = sum(line.mode == "batch" for line in lines)
    if not batched or shortly:
        return ""
    return "[dim]batch[/dim] " if batched == len(lines) else "[dim]part[/dim] "


def _sums(
    strategies: tuple[Strategy, ...], bill: int
) -> list[tuple[str, Callable[[Strategy], str]]]:
    """The rows below the tasks: a heading, and the figure of each strategy."""
    first, baseline = strategies[0], strategies[0].monthly

    def total(strategy: Strategy) -> str:
        return f"[bold]{amount(strategy.monthly, bill)}[/bold]"

    def saved(times: int) -> Callable[[Strategy], str]:
        def text(strategy: Strategy) -> str:
            less = (baseline - strategy.monthly) * times
            return "" if strategy is first else amount(less, bill)

        return text

    def share(strategy: Strategy) -> str:
        if strategy is first or not baseline:
            return ""
        part = (baseline - strategy.monthly) / baseline
        return f"[{'green' if part >= 0 else 'red'}]{part:.1%}[/]"

    return [
        ("[bold]a month[/bold]", total),
        ("saved a month", saved(1)),
        ("saved a year", saved(12)),
        ("saved of single", share),
    ]


def _show_optimal(out: Console, month: Workload, found: Comparison) -> None:
    batched, optimal = found.strategies[2:]
    less = batched.monthly - optimal.monthly
    told = {0: "costs as much as hybrid+batch"}.get(
        less, f"is {money(abs(less))} {'below' if less > 0 else 'above'} hybrid+batch"
    )
    _heading(out, f"Optimal {told}", "the cheapest that meets every bar")
    shown = table(footer=False)
    for name in ("TASK", "BEST BOUGHT OF", "HOW"):
        shown.add_column(name, no_wrap=True)
    for name in ("QUALITY", "BAR", "LESS"):
        shown.add_column(name, justify="right", no_wrap=True)
    for reason in found.reasons:
        shown.add_row(
            Text(reason.task),
            Text(words.model_of(reason.lines_after, short=True), style="cyan"),
            words.how(reason.lines_after),
            words.quality(reason.judged),
            f"{reason.bar:.3g}" if reason.bar * 100 % 1 else f"{reason.bar:.2f}",
            "-" if reason.before == reason.after else money(reason.before - reason.after),
        )
    out.print(shown)
    for reason in found.reasons:
        told = words.why(reason, found.marks, money)
        if told:
            out.print(escape(told))
    for line in month.tasks:
        if line.assumed:
            out.print(f"[dim]Assumed of {escape(line.task)}: {escape(line.assumed)}.[/dim]")
    out.print(f"[dim]{words.NOT_MEASURED}. {_ASSUMED}[/dim]")


def _show_caching(out: Console, month: Workload, found: Comparison) -> None:
    nothing = words.nothing_shared(month)
    if not found.marks:
        _heading(out, "Caching", "nothing is shared between calls: there is no prefix to mark")
        return
    _heading(out, "Caching", "what marking the shared prefix comes to, a month")
    out.print(_widest(out, *(_marks(found, wide=wide) for wide in (True, False))))
    out.print(
        "[dim]PAYS FROM and READS: reads of the prefix for each time it is written; unknown reads "
        "are not counted on.[/dim]"
    )
    if nothing:
        out.print(f"[dim]Nothing is shared, so there is nothing to mark: {escape(nothing)}.[/dim]")


def _marks(found: Comparison, *, wide: bool) -> Table:
    """A narrow one leaves out how long the prefixes are."""
    shown = table(footer=False)
    for name in ("TASK", "MODEL", "MARKED"):
        shown.add_column(name, no_wrap=True)
    for name in (*(("PREFIX",) if wide else ()), "PAYS FROM", "READS"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("", no_wrap=True)
    for mark in found.marks:
        shown.add_row(
            Text(mark.task),
            Text(mark.model.partition("/")[2], style="cyan"),
            words.CACHES[mark.cache],
            *((f"{mark.prefix:,}",) if wide else ()),
            words.pays_from(mark),
            words.reads(mark),
            words.verdict(mark, money),
        )
    return shown


def _show_break_even(out: Console, found: Comparison, settings: Config) -> None:
    middle, low, high = (found.break_even[ease] for ease in ("middle", "low", "high"))
    one = middle[0]
    _heading(out, "Break-even", "after engineering, at the middle of each range")
    out.print(_widest(out, *(_nets(middle, wide=wide) for wide in (True, False))))
    from_to = ", ".join(
        f"{a.strategy} {words.share(float(b.share or 0))} to {words.share(float(a.share or 0))}"
        for a, b in zip(low, high, strict=True)
    )
    target = "{:g} to {:g}%".format(*settings.overhead.target_percent)
    out.print(
        f"[dim]{money(one.monthly)} a month, and {money(one.one_off)} once for set-up and "
        f"{counted(one.adaptations, 'adapted prompt')}, written off over "
        f"{settings.overhead.amortise_months:g} months. From the dearest to the cheapest "
        f"engineering: {from_to}; the target is {target}.[/dim]"
    )


def _nets(rows: tuple[BreakEven, ...], *, wide: bool) -> Table:
    """A narrow one leaves out what is taken off."""
    shown = table(footer=False)
    shown.add_column("", no_wrap=True)
    headings = ("NET A MONTH", "OF SINGLE", "EARNED BACK", "FROM CALLS")
    for name in ("SAVED", *(("ENGINEERING",) if wide else ()), *headings):
        shown.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        shown.add_row(
            row.strategy,
            money(row.gross),
            *((money(row.monthly + row.written_off),) if wide else ()),
            f"[{'green' if row.net >= 0 else 'red'}]{money(row.net)}[/]",
            "-" if row.share is None else words.share(float(row.share)),
            words.payback(row),
            words.calls(row),
        )
    return shown


def _show_what_if(out: Console, month: Workload, found: Comparison) -> None:
    _heading(out, "What if", "bills a month, planned anew where prices change")
    bill = max(cost for one in found.what_if for cost in one.monthly.values())
    places = 2 if bill >= 1000 * 10**12 else 4
    shown = table(footer=False)
    shown.add_column("", no_wrap=True)
    for name in (*(s.name.upper() for s in found.strategies), "NET"):
        shown.add_column(name, justify="right", no_wrap=True)
    for one in found.what_if:
        net = words.net_share(found, one, "hybrid+batch")
        shown.add_row(
            words.change(one),
            *(money(cost, places) for cost in one.monthly.values()),
            "-" if net is None else f"[{'green' if net >= 0 else 'red'}]{net:.0%}[/]",
        )
    out.print(shown)
    out.print("[dim]NET: saved by hybrid+batch after engineering, of the single bill.[/dim]")
    if found.strategies[0].monthly and month.calls:
        _heading(out, "Net saving of the single bill, by calls a month")
        out.print(_plot(out, month, found) or f"[dim]{escape(_NO_PLOT)}[/dim]")


def _plot(out: Console, month: Workload, found: Comparison) -> Text | None:
    """A tenth to ten times the calls, on a logarithmic scale."""
    single = found.strategies[0].monthly
    rows = found.break_even["middle"]
    nets = [Curve(row.strategy, _COLOURS[row.strategy], _net_by_log(single, row)) for row in rows]
    top = max(0.5, *(row.gross / single for row in rows))
    ticks = [
        (log10(factor), f"{_shortly(month.calls * factor)}")
        for factor in (Fraction(1, 10), Fraction(1, 3), Fraction(1), Fraction(3), Fraction(10))
    ]
    levels = [(-0.25, "-25%"), (0.0, "0%"), (0.25, "25%"), (0.4, "40%")]
    size = (min(out.width, 100), 14)
    return plot(nets, (-1.0, 1.0), (-0.3, top), size, ticks, levels)


def _net_by_log(single: int, row: BreakEven) -> Callable[[float], float]:
    needed = row.monthly + row.written_off

    def net(x: float) -> float:
        return net_at(single, row.gross, needed, 10.0**x)

    return net


def _shortly(number: Fraction) -> str:
    for size, sign in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{float(number / size):.3g}{sign}"
    return f"{float(number):.3g}"


def _notes(month: Workload, settings: Config, found: Comparison) -> list[str]:
    """Where somebody's printed totals for the same month, models and prices differ from ours."""
    said = month.published
    if said is None or not _comparable(said, settings, found.strategies):
        return []
    first = found.strategies[0]
    notes = []
    for strategy in found.strategies:
        printed = said.monthly.get(strategy.name, strategy.monthly)
        if printed != strategy.monthly:
            notes.append(
                f"{said.source[:1].upper()}{said.source[1:]} prints {money(printed)} for "
                f"{strategy.name}; its own lines, which are those above, sum to "
                f"{money(strategy.monthly)}, a saving of "
                f"{money(first.monthly - strategy.monthly)}."
            )
    return notes


def _comparable(said: Published, settings: Config, strategies: tuple[Strategy, ...]) -> bool:
    """Whether the printed totals are of what we priced: the same preset and baseline, unaltered."""
    names = settings.catalog.names
    baseline = names.get(said.baseline, said.baseline)
    return (
        said.preset == settings.preset
        and settings.path is None
        and all(line.model == baseline for line in strategies[0].lines)
    )
