"""OpenAI's lists: `limit` and `after` in, `has_more` out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hybridllm.simulators.openai import errors


def page(items: Sequence[dict[str, Any]], query: Mapping[str, str], most: int) -> dict[str, Any]:
    """The items after the one that `query` names. Raises Refused."""
    given = query.get("limit", str(min(most, 10_000 if most > 100 else 20)))
    if not given.isdecimal() or not 1 <= int(given) <= most:
        raise errors.invalid(f"Invalid 'limit': expected an integer from 1 to {most}.", "limit")
    limit, start = int(given), 0
    if (after := query.get("after")) is not None:
        start = next((at + 1 for at, item in enumerate(items) if item["id"] == after), -1)
        if start < 0:
            raise errors.invalid(f"No such object: {after[:64]}", "after")
    shown = list(items[start : start + limit])
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": start + limit < len(items),
    }
