"""The parts of a text that are looked at, so that a huge one costs no more than a large one."""

from __future__ import annotations


def ends(text: str, size: int) -> tuple[str, ...]:
    """The whole text, or its first and its last `size` characters."""
    return (text,) if len(text) <= 2 * size else (text[:size], text[-size:])
