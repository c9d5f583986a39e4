"""What the reports' commands share: finding the ledger, and the look of their tables."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from sqlalchemy import Engine

from hybridllm.cli.output import money
from hybridllm.config_file import load_config
from hybridllm.reports import open_ledger

_BAR = 18
_EIGHTHS = " ▏▎▍▌▋▊▉"


def find_ledger(config: Path | None, ledger: Path | None, store: str | None) -> Engine:
    """The store that the options name. Raises HybridError if there is none yet, ConfigError."""
    settings = load_config(str(config) if config else None).ledger
    if ledger is not None:
        settings = msgspec.structs.replace(settings, directory=str(ledger))
    return open_ledger(settings, store)


def console() -> Console:
    """A terminal's own width; wide enough not to fold a table where there is no terminal."""
    return Console(width=None if sys.stdout.isatty() else 140, highlight=False)


def table(heading: str) -> Table:
    """An empty table in the house's look; it is given a footer's row of totals."""
    return Table(
        title=heading,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        header_style="dim",
        footer_style="bold",
        show_footer=True,
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


def title(what: str, since: str, until: str) -> str:
    """What, and of when."""
    return f"{what}, up to {until}" if since.startswith("1970-") else f"{what}, {since} to {until}"


def caveats(unknown: int, estimated: int, unpriced: int) -> list[str]:
    """What keeps the figures from being exact, a sentence each."""
    said = []
    if estimated > unknown:
        said.append(f"{counted(estimated - unknown, 'attempt')} with estimated usage.")
    if unknown:
        said.append(
            f"{counted(unknown, 'attempt')} of unknown outcome (the gateway was killed), booked "
            "at the upper bound."
        )
    if unpriced:
        said.append(
            f"{counted(unpriced, 'attempt')} on models without a known price, booked as $0."
        )
    return said


def fits(shown: Table, out: Console) -> bool:
    """Whether the table can be printed without cutting a column short."""
    unbounded = out.options.update(max_width=10_000)
    return Measurement.get(out, unbounded, shown).maximum <= out.width
