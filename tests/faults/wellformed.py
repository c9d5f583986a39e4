"""Whether what a caller was told is one well-formed answer, or one well-formed error, in its own
dialect."""

from __future__ import annotations

import json
from typing import Any

from tests.faults.load import ANTHROPIC, OPENAI, Told


def verdict(told: Told) -> str:
    """`answer`, `error` (by status) or `broken off` (a stream that ends with an error event).
    Raises AssertionError for anything else."""
    if told.status != 200:
        error(told.path, json.loads(told.body))
        return "error"
    if told.body[:1] == b"{":
        whole(told.path, json.loads(told.body))
        return "answer"
    return streamed(told.path, told.body)


def error(path: str, body: Any) -> None:
    """A documented error, with something to read."""
    if path == ANTHROPIC:
        assert body["type"] == "error" and body["error"]["type"] and body["error"]["message"]
    elif path == OPENAI:
        assert body["error"].keys() >= {"message", "type", "param", "code"}
        assert body["error"]["message"]
    else:
        assert body["error"]["code"] >= 400
        assert body["error"]["status"] and body["error"]["message"]


def whole(path: str, body: Any) -> None:
    """A complete reply with its reason to end and its usage."""
    if path == ANTHROPIC:
        assert body["type"] == "message" and body["stop_reason"]
        assert body["usage"]["output_tokens"] >= 0
    elif path == OPENAI:
        assert body["choices"][0]["finish_reason"]
        assert body["usage"]["completion_tokens"] >= 0
    else:
        assert body["candidates"][0]["finishReason"]
        # proto JSON leaves out what is zero
        assert body["usageMetadata"].get("candidatesTokenCount", 0) >= 0


def streamed(path: str, body: bytes) -> str:
    """A stream with exactly one end: the dialect's own, or an error after which nothing comes."""
    body = body.replace(b"\r\n", b"\n")
    assert body.endswith(b"\n\n"), body[-200:]
    events = [event for event in body.split(b"\n\n") if event]
    data = [_data(event) for event in events]
    ends = [i for i, event in enumerate(data) if _ends(path, event)]
    errors = [i for i, event in enumerate(data) if isinstance(event, dict) and "error" in event]
    assert len(ends) + len(errors) == 1, f"{len(ends)} ends and {len(errors)} errors"
    assert (ends or errors) == [len(events) - 1], "nothing comes after the end"
    if errors:
        error(path, data[-1])
        return "broken off"
    return "answer"


def _data(event: bytes) -> Any:
    text = b"\n".join(line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:"))
    return "[DONE]" if text == b"[DONE]" else json.loads(text)


def _ends(path: str, event: Any) -> bool:
    if path == OPENAI:
        return bool(event == "[DONE]")
    if path == ANTHROPIC:
        return bool(event["type"] == "message_stop")
    return any(candidate.get("finishReason") for candidate in event.get("candidates", ()))
