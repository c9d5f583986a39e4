"""What bounds say of a bar."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """`meets`: the lower bound does. `below`: even the upper bound is. Else `undecided`."""

    MEETS = "meets"
    BELOW = "below"
    UNDECIDED = "undecided"


def verdict(lower: float, upper: float, bar: float) -> Verdict:
    """The verdict of a confidence interval on `bar`. A bar of 0 is met by anything."""
    if lower >= bar:
        return Verdict.MEETS
    return Verdict.BELOW if upper < bar else Verdict.UNDECIDED
