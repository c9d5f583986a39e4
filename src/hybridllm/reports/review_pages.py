"""A review as Markdown and as a page of HTML that needs nothing but itself."""

from __future__ import annotations

from hybridllm.planning import html as page_html
from hybridllm.reports.review import Review
from hybridllm.reports.review_routes import Route
from hybridllm.reports.review_words import (
    ASSUMED,
    ahead_words,
    limit_words,
    moved_words,
    price_words,
    risk_words,
    short,
    summary,
    usd,
    withdrawal_words,
)

Section = tuple[str, list[str], list[list[str]]]
"""A heading, columns, rows. A row's first cell names what it is about."""

_NUMBERS = ("cost", "saves")
"""Columns that are set flush right."""


def sections(found: Review) -> list[Section]:
    """The whole report as tables; those with nothing to tell are left out."""
    all_of_it: list[Section] = [
        (
            "Routes that should change",
            ["task", "now", "cost", "proposed", "cost", "saves", "risk"],
            [_route_row(route) for route in found.changes],
        ),
        ("Why a route cannot stay", ["task", "why"], [[r.task, r.must] for r in _forced(found)]),
        (
            "Models that are withdrawn",
            ["model", "when, and where it is used"],
            [[one.model, withdrawal_words(one)] for one in found.withdrawals],
        ),
        (
            "Prices that are not what the policy says",
            ["model", "dollars per million tokens, in/out"],
            [[one.model, price_words(one, found.reference)] for one in found.prices],
        ),
        (
            "Prices that change on a known day",
            ["model", "dollars per million tokens, in/out", "used by"],
            [
                [one.model, price_words(one, found.reference), ", ".join(one.tasks) or "no task"]
                for one in found.future
            ],
        ),
        (
            "What happens to routes that are left as they are",
            ["task", "what"],
            [[route.task, " ".join(ahead_words(route))] for route in found.routes if route.ahead],
        ),
        (
            "Limits that changed",
            ["model", "what"],
            [[one.model, limit_words(one)] for one in found.limits],
        ),
        (
            "Quality that was measured",
            ["model", "task", "what"],
            [[one.model, one.task, moved_words(one)] for one in found.moved],
        ),
        (
            "Others that would win",
            ["task", "models, and the month's cost"],
            [
                [route.task, ", ".join(f"{short(r.model)} {usd(r.cost)}" for r in route.rivals)]
                for route in found.routes
                if route.rivals
            ],
        ),
    ]
    return [section for section in all_of_it if section[2]]


def about(found: Review) -> str:
    """What was compared, on which day, on which mix."""
    return (
        f"{found.day}. Preset {found.preset}, prices as of {found.reference}, against today's as "
        f"of {found.current} ({found.source}). Mix: {found.mix}. Quality: {found.measured} "
        f"measured, {found.assumed} assumed."
    )


def closing(found: Review) -> list[str]:
    """What must be said of the proposals."""
    said = []
    if any(r.proposal is not None and r.proposal.assumption is not None for r in found.routes):
        said.append(ASSUMED)
    if any(not route.real for route in found.changes):
        said.append(
            "* No traffic: the figures are for 1,000 calls with 1,000 tokens of input, and are in "
            "no sum."
        )
    return said


def markdown(found: Review) -> str:
    """The report as Markdown."""
    parts = ["# Review of the routes", about(found), f"**{summary(found)}**"]
    for heading, columns, rows in sections(found):
        lines = [
            f"## {heading}",
            "",
            "| " + " | ".join(columns) + " |",
            "| " + " | ".join("---" for _ in columns) + " |",
            *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows),
        ]
        parts.append("\n".join(lines))
    return "\n\n".join([*parts, *closing(found)]) + "\n"


def html(found: Review) -> str:
    """The report as a page that opens offline."""
    money = page_html.figures(
        [
            ("by the policy's own prices", usd(found.believed)),
            ("as it is, at today's", usd(found.today)),
            ("with every proposal", usd(found.proposed)),
            ("less a month", usd(found.today - found.proposed)),
        ]
    )
    body = [("", money + page_html.paragraphs([summary(found), *closing(found)]))]
    for heading, columns, rows in sections(found):
        shown = [page_html.Column(name, name in _NUMBERS) for name in columns]
        body.append((heading, page_html.table(shown, rows)))
    return page_html.page(f"Review of {found.day}", about(found), body)


def _forced(found: Review) -> list[Route]:
    return [route for route in found.routes if route.must]


def _route_row(route: Route) -> list[str]:
    best = route.proposal
    if best is None:
        return []
    return [
        route.task if route.real else f"{route.task} *",
        short(route.model),
        "" if route.cost is None else usd(route.cost),
        short(best.model),
        usd(best.cost),
        usd(best.saving),
        risk_words(best),
    ]
