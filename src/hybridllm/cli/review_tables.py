"""A review for people at a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hybridllm.cli.tables import fits, table
from hybridllm.reports.review import Review
from hybridllm.reports.review_pages import about, closing
from hybridllm.reports.review_routes import Route
from hybridllm.reports.review_words import (
    ahead_words,
    limit_words,
    moved_words,
    price_words,
    short,
    summary,
    usd,
    withdrawal_words,
)

Pair = tuple[str, str]


def show(found: Review, out: Console) -> None:
    """The findings first, the routes after them, and the sum at the end, where the eye is."""
    out.print(f"[bold]Review of the routes[/bold], {found.day}")
    out.print(Text(about(found), style="dim"))
    reference = found.reference
    withdrawn = [(one.model, withdrawal_words(one)) for one in found.withdrawals]
    _facts("Withdrawn", withdrawn, out, style="yellow")
    _facts("Prices", [(one.model, price_words(one, reference)) for one in found.prices], out)
    future = [
        (one.model, price_words(one, reference) + ("" if one.tasks else " (no task uses it)"))
        for one in found.future
    ]
    _facts("Prices to come", future, out)
    _facts("Limits", [(one.model, limit_words(one)) for one in found.limits], out)
    moved = [(f"{short(one.model)} at {one.task}", moved_words(one)) for one in found.moved]
    _facts("Quality", moved, out)
    ahead = [(route.task, " ".join(ahead_words(route))) for route in found.routes if route.ahead]
    _facts("Routes that change by themselves", ahead, out)
    out.print()
    if found.changes:
        wide = _routes(found, wide=True)
        out.print(wide if fits(wide, out) else _routes(found, wide=False))
        _comparables(found, out)
    else:
        out.print("No route should change.")
    out.print()
    out.print(Text(summary(found), style="bold"))
    for said in closing(found):
        out.print(Text(said, style="dim"))


def _facts(heading: str, rows: list[Pair], out: Console, style: str = "") -> None:
    if not rows:
        return
    out.print(f"\n[bold]{heading}[/bold]")
    shown = table(footer=False)
    shown.show_header = False
    shown.add_column("", no_wrap=True, style=style or None)
    shown.add_column("", overflow="fold")
    for name, text in rows:
        shown.add_row(Text(short(name) if "/" in name else name), Text(text))
    out.print(shown)


def _routes(found: Review, *, wide: bool) -> Table:
    """A narrow one leaves out what the route costs, and what a model is taken to be as good as."""
    shown = table("Routes that should change", footer=False)
    shown.padding = (0, 2 if wide else 1, 0, 0)
    for name in ("TASK", "NOW", "PROPOSED"):
        shown.add_column(name, no_wrap=True, style="cyan" if name == "PROPOSED" else None)
    for name in (*(("COSTS", "WOULD COST") if wide else ()), "SAVES"):
        shown.add_column(name, justify="right", no_wrap=True)
    if wide:
        shown.add_column("AS GOOD AS", no_wrap=True)
    for route in found.changes:
        shown.add_row(*_row(route, wide=wide))
    return shown


def _row(route: Route, *, wide: bool) -> list[Text]:
    best = route.proposal
    if best is None:
        return []
    like = best.assumption
    if like is not None:
        basis = Text(f"{short(like.comparable)}?", style="yellow")
    else:
        basis = Text("measured" if best.samples else "known")
    costs = [usd(route.cost or 0), usd(best.cost)] if wide else []
    return [
        Text(route.task + ("" if route.real else " *") + (" !" if route.must else "")),
        Text(short(route.model)),
        Text(short(best.model)),
        *map(Text, costs),
        Text(usd(best.saving), style="red" if best.saving < 0 else "green"),
        *([basis] if wide else []),
    ]


def _comparables(found: Review, out: Console) -> None:
    """Why routes that cost more are proposed at all, and what the assumptions rest on."""
    for route in found.changes:
        if route.must:
            out.print(Text(f"! {route.task}: {route.must}.", style="yellow"))
    likes: dict[tuple[str, str], dict[str, None]] = {}
    for route in found.changes:
        best = route.proposal
        if best is not None and best.assumption is not None:
            key = (best.model, best.assumption.why)
            likes.setdefault(key, {})[short(best.assumption.comparable)] = None
    grounds = [
        (short(model), f"like {', '.join(like)}: {why}") for (model, why), like in likes.items()
    ]
    _facts("Assumed, not measured", grounds, out)
    rivals = [
        (route.task, ", ".join(f"{short(rival.model)} {usd(rival.cost)}" for rival in route.rivals))
        for route in found.routes
        if route.rivals
    ]
    _facts("Others that would win", rivals, out)
