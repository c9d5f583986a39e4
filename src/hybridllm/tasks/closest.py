"""Names that a caller may have meant. Bounded: an absurdly long name costs nothing."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_COMPARED = 80
_SHOWN = 200


def close_to(name: str, known: Iterable[str]) -> str:
    """`Did you mean 'x' or 'y'?`, or nothing."""
    if not name or len(name) > _COMPARED:
        return ""
    near = get_close_matches(name, known, n=3, cutoff=0.7)
    return f"Did you mean {' or '.join(repr(one) for one in near)}?" if near else ""


def shown(name: str) -> str:
    """The name as it may stand in an error message."""
    return name if len(name) <= _SHOWN else name[:_SHOWN] + "…"
