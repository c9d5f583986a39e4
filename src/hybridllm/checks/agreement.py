"""Do several answers to the same request say the same? (Self-consistency: Wang et al. 2023,
arXiv:2203.11171, which takes the answer that most samples agree on.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

import msgspec

from hybridllm.checks.text import json_of, normal

NUMBER = re.compile(
    r"(?<![\w.])[-+−]?(?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d{1,3})?"
)


def numbers(text: str) -> list[tuple[str, Decimal]]:
    """What is written and what it says; `1,234.5`, `-3`, `.5` and `1e6` are numbers."""
    found = []
    for match in NUMBER.finditer(text):
        written = match.group()
        plain = written.replace(",", "").replace("−", "-")
        try:
            found.append((written, Decimal(plain)))
        except InvalidOperation:
            continue
    return found


def gist(answer: str, compare: str, expression: str | None = None) -> str | None:
    """What an answer is held against others by: the last thing that `expression` finds in it (its
    first group, if it has one), or all of it, as `text` (case, punctuation and articles do not
    count), as `json` or as the last `number`. None: it has no such thing, and agrees with none."""
    if expression is not None:
        found = list(re.finditer(expression, answer))
        if not found:
            return None
        answer = found[-1].group(1 if found[-1].re.groups else 0) or ""
    if compare == "text":
        return normal(answer) or None
    if compare == "number":
        said = numbers(answer)
        return str(said[-1][1].normalize()) if said else None
    try:
        return msgspec.json.encode(json_of(answer), order="sorted").decode()
    except (ValueError, RecursionError):
        return None


def largest(gists: Sequence[str | None]) -> tuple[int, int]:
    """(place of its first member, size) of the largest group that agrees, of two as large the one
    that came first; size 0 where no answer has a gist."""
    best, most = 0, 0
    for place, one in enumerate(gists):
        if one is not None and one not in gists[:place]:
            size = sum(other == one for other in gists)
            if size > most:
                best, most = place, size
    return best, most
