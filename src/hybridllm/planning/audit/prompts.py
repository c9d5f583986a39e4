"""Prompts in an export, as the task namer reads a request; and what they have in common.

A prompt is plain text, or messages as JSON: OpenAI's and Anthropic's (`content`), OpenTelemetry's
(`parts`), alone or under `messages`.
"""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hybridllm.wire.dialect import Facts, Turn

_MOST_CHARACTERS = 200_000


def facts_of(prompt: str) -> Facts:
    """What the classifier looks at. Never raises: what is no JSON is text."""
    system, turns, tools = _read(prompt[:_MOST_CHARACTERS])
    return Facts(
        model="auto",
        system=system,
        turns=turns,
        text_bytes=len(prompt.encode()),
        tools=tools,
    )


def _read(prompt: str) -> tuple[str, list[Turn], int]:
    if prompt.lstrip()[:1] not in ("{", "["):
        return "", [Turn("user", prompt)], 0
    try:
        found = json.loads(prompt)
    except ValueError:
        return "", [Turn("user", prompt)], 0
    system, tools = "", 0
    if isinstance(found, dict):
        tools = len(found["tools"]) if isinstance(found.get("tools"), list) else 0
        system = _text(found.get("system"))
        found = found.get("messages", found.get("input", [found]))
    if isinstance(found, str):
        return system, [Turn("user", found)], tools
    turns = []
    for message in found if isinstance(found, list) else []:
        if not isinstance(message, dict):
            continue
        role = str(message.get("role", "user"))
        text = _text(message.get("content", message.get("parts", message.get("text"))))
        if role in ("system", "developer"):
            system = f"{system}\n{text}".strip()
        elif text:
            turns.append(Turn(role, text))
    return (system, turns, tools) if system or turns else ("", [Turn("user", prompt)], tools)


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(filter(None, map(_text, content)))
    if isinstance(content, dict):
        return _text(content.get("text", content.get("content")))
    return ""


def shared_share(prompts: list[str]) -> float | None:
    """The share of the prompts' characters that is a beginning shared with another of them, as a
    prompt cache could hold it: each is compared with its neighbours in order. None: too few."""
    if len(prompts) < 20:
        return None
    ordered = sorted(prompts)
    common = [_common(a, b) for a, b in pairwise(ordered)]
    shared = sum(max(left, right) for left, right in zip([0, *common], [*common, 0], strict=True))
    whole = sum(map(len, ordered))
    return shared / whole if whole else None


def _common(a: str, b: str) -> int:
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a.startswith(b[:middle]):
            low = middle
        else:
            high = middle - 1
    return low
