"""The look of every command's tables. Loads neither the store nor the server."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from hybridllm.cli.output import money

_BAR = 18
_EIGHTHS = " ▏▎▍▌▋▊▉"


def console() -> Console:
    """A terminal's own width; wide enough not to fold a table where there is no terminal."""
    return Console(width=None if sys.stdout.isatty() else 140, highlight=False)


def table(heading: str | None = None, *, footer: bool = True) -> Table:
    """An empty table in the house's look; with `footer` its columns have a row of totals."""
    return Table(
        title=heading,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        header_style="dim",
        footer_style="bold",
        show_footer=footer,
    )


def bar(share: float) -> str:
    """A bar of up to 18 cells for a share of 0..1, to the eighth of a cell."""
    eighths = round(max(0.0, min(share, 1.0)) * _BAR * 8)
    whole, part = divmod(eighths, 8)
    return "█" * whole + (_EIGHTHS[part] if part else "")


def amount(picodollars: int, whole_bill: int) -> str:
    """Money with the places that fit the bill: cents in the thousands, more for a small one."""
    return money(picodollars, 2 if abs(whole_bill) >= 1000 * 10**12 else 4)


def counted(number: int, thing: str) -> str:
    """`1 attempt`, `1,200 attempts`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def fits(shown: Table, out: Console) -> bool:
    """Whether the table can be printed without cutting a column short."""
    unbounded = out.options.update(max_width=10_000)
    return Measurement.get(out, unbounded, shown).maximum <= out.width
