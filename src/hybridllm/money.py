"""Picodollars as text. Inside, money is integers of picodollars (1e-12 dollar) throughout."""

from __future__ import annotations

PICODOLLARS = 10**12


def dollars(picodollars: int) -> str:
    """Exact dollars without trailing zeros: 7_125_000_000_000 is "7.125"."""
    sign = "-" if picodollars < 0 else ""
    whole, rest = divmod(abs(picodollars), PICODOLLARS)
    if not rest:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{rest:012d}".rstrip("0")
