"""What every command prints with: tables for people, JSON for programs, exact dollars for both."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from hybridllm.money import PICODOLLARS, dollars


def money(picodollars: int, places: int = 2) -> str:
    """Dollars for a person: "$5,377.50". More places where so few would show zero: six, or as many
    as two digits take."""
    amount = Decimal(picodollars) / PICODOLLARS
    if amount and abs(amount) < Decimal(1).scaleb(-places):
        places = max(6, 1 - amount.adjusted())
    sign = "-" if amount < 0 else ""
    return f"{sign}${abs(amount):,.{places}f}"


def cents(picodollars: int) -> str:
    """Exact dollars with two decimals at least: "7125.00", "0.0000126"."""
    whole, _, rest = dollars(picodollars).partition(".")
    return f"{whole}.{rest:0<2}"


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def print_json_line(value: Any) -> None:
    """One JSON document on one line, at once: for programs that wait for it."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A header and rows, RFC 4180."""
    writer = csv.writer(sys.stdout)
    writer.writerow(columns)
    writer.writerows(rows)


__all__ = ["cents", "dollars", "money", "print_csv", "print_json", "print_json_line"]
