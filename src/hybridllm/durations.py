"""Spans of time as people write them: `90s`, `30m`, `6h`, `2d`, `1w`, or a number of seconds."""

from __future__ import annotations

import re

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
MAX_DEADLINE_SECONDS = 30 * 86_400.0
"""The longest that a request may wait for its answer."""
_SPAN = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)\s*([smhdw]?)")


def seconds_of(text: str) -> float:
    """The span in seconds. Raises ValueError for what is none."""
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(f"'{text[:40]}' is no span of time.")
    return float(found[1]) * _UNITS[found[2]]
