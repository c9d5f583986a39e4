"""A line plot for terminals, drawn by plotext, of the extra `terminal`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from rich.text import Text

_POINTS_A_COLUMN = 2  # braille has two dots to a character


class Curve(Struct, frozen=True):
    """A name, a colour of the terminal's by its number, and y for each x that is asked."""

    name: str
    colour: int
    y: Callable[[float], float]


def plot(
    curves: Sequence[Curve],
    xs: tuple[float, float],
    ys: tuple[float, float],
    size: tuple[int, int],
    ticks: Sequence[tuple[float, str]],
    levels: Sequence[tuple[float, str]],
) -> Text | None:
    """`curves` over `xs` within `ys`, in so many columns and rows of characters. `ticks` are (x,
    label) below, `levels` (y, label) to the left, each with a dotted line through. None where
    plotext is not installed."""
    try:
        import plotext  # native code: not on the way to any other command
    except ImportError:
        return None
    figure = plotext.figure
    plotext.terminal.limit(False, False)  # the size is ours to choose
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(*size)
    number = size[0] * _POINTS_A_COLUMN
    along = [xs[0] + (xs[1] - xs[0]) * step / number for step in range(number + 1)]
    # plotext takes a step for each dot of a line, those far outside of the canvas too.
    room = (ys[1] - ys[0]) / 10
    for curve in curves:
        heights = [min(max(curve.y(x), ys[0] - room), ys[1] + room) for x in along]
        dots = plotext.marker("braille", curve.colour)
        figure.draw(figure.signal(along, heights, marker=dots).lines(True))
    for axis, bounds, marks in (("x", xs, ticks), ("y", ys, levels)):
        ruler = figure.ruler(axis)
        ruler.lim(*bounds)
        ruler.ticks([at for at, _ in marks], [label for _, label in marks])
    figure.ruler("y").grid(True, "dotted", plotext.pixel("gray", "default"))
    shown = Text.from_ansi(figure.build().string().rstrip("\n"))
    shown.append("\n" + " " * max(len(label) for _, label in levels))
    for curve in curves:
        shown.append(" ━━ ", style=f"color({curve.colour})").append(f"{curve.name}  ")
    return shown
