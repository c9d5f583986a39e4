"""Charts for pages of `hybridllm.planning.html`: inline SVG, readable in light and dark and in
print, with a title on each mark for those who hover."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from msgspec import Struct

PALETTE = (
    "#2f6fed", "#12a594", "#f5a524", "#8e4ec6", "#e5484d", "#5b8c2a", "#d6409f", "#6b7280",
)  # fmt: skip
"""Told apart also by those who cannot tell red from green: neighbours differ in lightness."""

_WIDTH, _ROW, _LABEL, _AFTER = 1100, 40, 150, 130
_MOST_NAMES = len(PALETTE)


class Stack(Struct, frozen=True):
    """One bar: its name, and the amount of each part by name."""

    name: str
    parts: Sequence[tuple[str, int]]


class Curve(Struct, frozen=True):
    """A named line through (x, y)."""

    name: str
    points: Sequence[tuple[float, float]]


def stacked(stacks: Sequence[Stack], shown: Callable[[int], str]) -> str:
    """Horizontal bars to one scale, each part in its own colour, the sum behind. Parts beyond the
    palette share its last colour."""
    names = list(dict.fromkeys(name for stack in stacks for name, _ in stack.parts))
    most = max((sum(n for _, n in stack.parts) for stack in stacks), default=0)
    room = _WIDTH - _LABEL - _AFTER
    marks = []
    for place, stack in enumerate(stacks):
        top, left = place * _ROW, float(_LABEL)
        marks.append(f'<text x="0" y="{top + 25}">{escape(stack.name)}</text>')
        for name, amount in stack.parts:
            length = room * amount / most if most else 0.0
            marks.append(
                f'<rect x="{left:.1f}" y="{top + 6}" width="{max(0.0, length - 1):.1f}" '
                f'height="{_ROW - 12}" style="fill:{_colour(names.index(name))}">'
                f"<title>{escape(f'{stack.name}: {name} {shown(amount)}')}</title></rect>"
            )
            left += length
        total = shown(sum(amount for _, amount in stack.parts))
        marks.append(f'<text x="{left + 8:.1f}" y="{top + 25}">{escape(total)}</text>')
    return _svg(marks, max(1, len(stacks)) * _ROW) + legend(names)


def legend(names: Sequence[str]) -> str:
    """The names with their colours; what shares a colour is counted."""
    own = names if len(names) <= _MOST_NAMES else names[: _MOST_NAMES - 1]
    entries = [(name, _colour(place)) for place, name in enumerate(own)]
    if len(own) < len(names):
        entries.append((f"{len(names) - len(own)} others", PALETTE[-1]))
    return (
        '<p style="display:flex;flex-wrap:wrap;gap:4px 20px">'
        + "".join(
            f'<span><i style="display:inline-block;width:11px;height:11px;border-radius:2px;'
            f'margin-right:7px;background:{colour}"></i>{escape(name)}</span>'
            for name, colour in entries
        )
        + "</p>"
    )


def curves(
    drawn: Sequence[Curve],
    ticks: Sequence[tuple[float, str]],
    levels: Sequence[tuple[float, str]],
    band: tuple[float, float] | None = None,
    height: int = 340,
) -> str:
    """Lines over the range of `ticks` (x, label) and of `levels` (y, label), cut off outside of it.
    `band` is shaded."""
    left, bottom, right = 60, 34, 12
    low_x, high_x = ticks[0][0], ticks[-1][0]
    low_y, high_y = min(y for y, _ in levels), max(y for y, _ in levels)

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            left + (x - low_x) / (high_x - low_x) * (_WIDTH - left - right),
            8 + (high_y - y) / (high_y - low_y) * (height - bottom - 8),
        )

    marks = [
        '<clipPath id="inside">' + _rect(place(low_x, high_y), place(high_x, low_y)) + "</clipPath>"
    ]
    if band is not None:
        shade = "fill:#12a594;opacity:.14"
        marks.append(_rect(place(low_x, band[1]), place(high_x, band[0]), shade))
    for y, label in levels:
        (x1, at), (x2, _) = place(low_x, y), place(high_x, y)
        dark = "var(--dim)" if y == 0 else "var(--line)"
        marks.append(f'<path d="M{x1:.1f} {at:.1f}H{x2:.1f}" style="stroke:{dark}"/>')
        marks.append(_label(left - 8, at + 5, label, "end"))
    for x, label in ticks:
        anchor = "start" if x == low_x else "end" if x == high_x else "middle"
        marks.append(_label(place(x, low_y)[0], height - 10, label, anchor))
    for number, curve in enumerate(drawn):
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in (place(*point) for point in curve.points))
        marks.append(
            f'<path d="M{path}" clip-path="url(#inside)" style="fill:none;stroke-width:2.5;'
            f'stroke:{_colour(number)}"><title>{escape(curve.name)}</title></path>'
        )
    return _svg(marks, height) + legend([curve.name for curve in drawn])


def _rect(top_left: tuple[float, float], end: tuple[float, float], style: str = "") -> str:
    x, y = top_left
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{end[0] - x:.1f}" height="{end[1] - y:.1f}" '
        f'style="{style}"/>'
    )


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" style="fill:var(--dim);font-size:13px;'
        f'text-anchor:{anchor}">{escape(text)}</text>'
    )


def _colour(place: int) -> str:
    return PALETTE[min(place, _MOST_NAMES - 1)]


def _svg(marks: Sequence[str], height: int) -> str:
    return f'<svg role="img" viewBox="0 0 {_WIDTH} {height}" width="100%">{"".join(marks)}</svg>'
