"""A line plot for terminals, drawn with braille dots: two by four to a character."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from rich.text import Text

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of a braille character, by row and column of its dots."""


class Curve(Struct, frozen=True):
    """A name, a rich style, and y for each x that is asked."""

    name: str
    style: str
    y: Callable[[float], float]


def plot(
    curves: Sequence[Curve],
    xs: tuple[float, float],
    ys: tuple[float, float],
    size: tuple[int, int],
    ticks: Sequence[tuple[float, str]],
    levels: Sequence[tuple[float, str]],
) -> Text:
    """`curves` over `xs` within `ys`, in so many columns and rows of characters. `ticks` are (x,
    label) below, `levels` (y, label) to the left, each with a dotted line through."""
    columns, rows = size
    canvas = _Canvas(columns, rows)
    labels: dict[int, str] = {}
    for level, label in levels:
        row = canvas.row(level, ys)
        labels[row // 4] = label
        canvas.dotted(row)
    for curve in curves:
        canvas.draw(curve, xs, ys)
    gutter = max((len(label) for label in labels.values()), default=0)
    shown = Text()
    for row in range(rows):
        shown.append(f"{labels.get(row, ''):>{gutter}} ", style="dim")
        canvas.write(row, shown)
        shown.append("\n")
    shown.append(" " * (gutter + 1) + _axis(ticks, xs, columns) + "\n", style="dim")
    shown.append(" " * (gutter + 1))
    for curve in curves:
        shown.append("━━ ", style=curve.style)
        shown.append(f"{curve.name}   ")
    return shown


def _axis(ticks: Sequence[tuple[float, str]], xs: tuple[float, float], columns: int) -> str:
    line = [" "] * columns
    for x, label in ticks:
        middle = round((x - xs[0]) / (xs[1] - xs[0]) * (columns - 1))
        start = min(max(0, middle - len(label) // 2), columns - len(label))
        line[start : start + len(label)] = label
    return "".join(line)


class _Canvas:
    def __init__(self, columns: int, rows: int) -> None:
        self._columns, self._rows = columns, rows
        self._bits = [[0] * columns for _ in range(rows)]
        self._styles = [["dim"] * columns for _ in range(rows)]

    def row(self, y: float, ys: tuple[float, float]) -> int:
        """The dot row of a value, from the top; just outside of the canvas where it is outside,
        however far, so that a stroke to it is short."""
        last = self._rows * 4 - 1
        return min(max(round((ys[1] - y) / (ys[1] - ys[0]) * last), -1), last + 1)

    def dotted(self, row: int) -> None:
        for column in range(0, self._columns * 2, 4):
            self._dot(column, row, "dim")

    def draw(self, curve: Curve, xs: tuple[float, float], ys: tuple[float, float]) -> None:
        """A dot for every dot column, and a stroke to where the last one ended."""
        last: int | None = None
        dots = self._columns * 2
        for column in range(dots):
            x = xs[0] + (xs[1] - xs[0]) * column / (dots - 1)
            row = self.row(curve.y(x), ys)
            start = row if last is None else last + (row > last) - (row < last)
            for at in range(min(start, row), max(start, row) + 1):
                self._dot(column, at, curve.style)
            last = row

    def write(self, row: int, text: Text) -> None:
        for bits, style in zip(self._bits[row], self._styles[row], strict=True):
            text.append(chr(0x2800 + bits) if bits else " ", style=style)

    def _dot(self, column: int, row: int, style: str) -> None:
        if 0 <= row < self._rows * 4:
            self._bits[row // 4][column // 2] |= _DOTS[row % 4][column % 2]
            self._styles[row // 4][column // 2] = style
