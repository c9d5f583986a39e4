"""What every command prints with: tables for people, JSON for programs, exact dollars for both."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

PICO = Decimal(10) ** 12


def dollars(picodollars: int) -> str:
    """Exact dollars, without trailing zeros: 7_125_000_000_000 is "7.125"."""
    text = format(Decimal(picodollars) / PICO, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(picodollars: int, places: int = 2) -> str:
    """Dollars for a person: "$5,377.50". More places where so few would show zero."""
    amount = Decimal(picodollars) / PICO
    if amount and abs(amount) < Decimal(1).scaleb(-places):
        places = 6
    sign = "-" if amount < 0 else ""
    return f"{sign}${abs(amount):,.{places}f}"


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A header and rows, RFC 4180."""
    writer = csv.writer(sys.stdout)
    writer.writerow(columns)
    writer.writerows(rows)
