"""Coding agents as their providers meet them: what they send, turn after turn, and what they keep.

`ClaudeCode` has the shape of Claude Code's traffic: a long system prompt in blocks with cache
breakpoints, some fifteen tools, streamed answers, thinking, parallel calls, results that are
errors or pictures, and a breakpoint that travels with the last message. `Minimal` is a loop over
OpenAI's chat that keeps of each answer no more than {role, content, tool_calls}.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import anthropic
import openai

from hybridllm.simulators.prose import prose
from tests.clients.talks import KEY, PNG
from tests.clients.tape import Tape
from tests.running import RunningGateway

SHORT = {"type": "ephemeral"}
NAMES = (
    *("Task", "Bash", "Glob", "Grep", "LS", "Read", "Edit", "MultiEdit", "Write"),
    *("NotebookEdit", "WebFetch", "TodoWrite", "BashOutput", "KillShell", "mcp__issues__list"),
)
SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {
        "file_path": {"type": "string", "enum": ["/work/a.py"], "description": "Where."},
        "offset": {"type": "number", "minimum": 10, "maximum": 10},
        "edits": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {"old": {"type": "string", "enum": ['x = "\\t1"']}},
                "required": ["old"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["file_path", "offset", "edits"],
    "additionalProperties": False,
}
ARGUMENTS = {"file_path": "/work/a.py", "offset": 10, "edits": [{"old": 'x = "\\t1"'}]}
"""The only arguments that the schema allows."""

ENABLED = {"type": "enabled", "budget_tokens": 2000}
UNSHOWN = {"type": "adaptive", "display": "omitted"}


class ClaudeCode:
    """One session. `model` and `thinking` may change between turns."""

    def __init__(
        self, gateway: RunningGateway, tape: Tape, name: str, model: str, thinking: dict[str, Any]
    ) -> None:
        self._client = anthropic.Anthropic(
            base_url=gateway.url, api_key=KEY, max_retries=0, http_client=tape.client()
        )
        self._name = name
        self.model = model
        self.thinking = thinking
        self.messages: list[dict[str, Any]] = []

    def ask(self, text: str) -> anthropic.types.Message:
        """The user says something, with a reminder before it as Claude Code adds one."""
        reminder = "<system-reminder>\nToday's date is 2026-11-25.\n</system-reminder>"
        blocks = [{"type": "text", "text": reminder}, {"type": "text", "text": text}]
        return self._send(blocks)

    def answer(self, *results: Any) -> anthropic.types.Message:
        """The results of the last turn's calls, in their order; an Exception is an error."""
        calls = [b for b in self.messages[-1]["content"] if b["type"] == "tool_use"]
        blocks: list[dict[str, Any]] = []
        for call, result in zip(calls, results, strict=True):
            block: dict[str, Any] = {"type": "tool_result", "tool_use_id": call["id"]}
            if isinstance(result, Exception):
                block |= {"content": str(result), "is_error": True}
            else:
                block["content"] = result
            blocks.append(block)
        return self._send(blocks)

    def _send(self, blocks: list[dict[str, Any]]) -> anthropic.types.Message:
        for message in self.messages:
            for block in message["content"]:
                block.pop("cache_control", None)
        blocks[-1]["cache_control"] = SHORT
        self.messages.append({"role": "user", "content": blocks})
        asked: dict[str, Any] = {
            "model": self.model,
            "max_tokens": 32_000,
            "system": [
                {"type": "text", "text": "You are Claude Code.", "cache_control": SHORT},
                {"type": "text", "text": prose(3_000, seed=5), "cache_control": SHORT},
            ],
            "tools": [
                {"name": name, "description": prose(60, seed=7), "input_schema": SCHEMA}
                for name in NAMES
            ],
            "messages": self.messages,
            "thinking": self.thinking,
            "metadata": {"user_id": f"user_1_account__session_{self._name}"},
            "extra_headers": {
                "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14",
                "x-session-id": self._name,
            },
            "extra_query": {"beta": "true"},
        }
        with self._client.messages.stream(**asked) as events:
            message = events.get_final_message()
        # Claude Code sends back exactly what it got.
        content = [block.model_dump(exclude_unset=True) for block in message.content]
        self.messages.append({"role": "assistant", "content": content})
        return message

    def thoughts(self) -> list[dict[str, Any]]:
        """Every block of thinking that it keeps."""
        return [
            block
            for message in self.messages
            for block in message["content"]
            if block["type"] in ("thinking", "redacted_thinking")
        ]


def picture() -> list[dict[str, Any]]:
    """A tool's result that is a text and a screenshot."""
    source = {
        "type": "base64",
        "media_type": "image/png",
        "data": base64.b64encode(PNG).decode(),
    }
    return [{"type": "text", "text": "The screen:"}, {"type": "image", "source": source}]


def calls_of(message: anthropic.types.Message) -> list[tuple[str, Any]]:
    return [(block.name, block.input) for block in message.content if block.type == "tool_use"]


class Minimal:
    """An agent loop as many are written: streamed, and it keeps the documented fields alone."""

    def __init__(self, gateway: RunningGateway, tape: Tape, model: str) -> None:
        self._client = openai.OpenAI(
            base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0, http_client=tape.client()
        )
        self._model = model
        self.messages: list[dict[str, Any]] = [{"role": "system", "content": "You use tools."}]

    def ask(self, text: str) -> list[tuple[str, Any]]:
        """The calls that the model makes."""
        self.messages.append({"role": "user", "content": text})
        return self._send()

    def answer(self, *results: str) -> list[tuple[str, Any]]:
        for call, result in zip(self.messages[-1]["tool_calls"], results, strict=True):
            self.messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
        return self._send()

    def _send(self) -> list[tuple[str, Any]]:
        text, calls = "", {}
        for chunk in self._client.chat.completions.create(
            model=self._model,
            messages=self.messages,
            tools=[
                {"type": "function", "function": {"name": name, "parameters": SCHEMA}}
                for name in NAMES
            ],
            reasoning_effort="medium",
            stream=True,
        ):
            for choice in chunk.choices:
                text += choice.delta.content or ""
                for piece in choice.delta.tool_calls or ():
                    call = calls.setdefault(piece.index, {"id": "", "name": "", "arguments": ""})
                    call["id"] += piece.id or ""
                    call["name"] += piece.function.name or ""
                    call["arguments"] += piece.function.arguments or ""
        kept: dict[str, Any] = {"role": "assistant", "content": text or None}
        if calls:
            kept["tool_calls"] = [
                {
                    "id": call["id"],
                    "type": "function",
                    "function": {"name": call["name"], "arguments": call["arguments"]},
                }
                for call in calls.values()
            ]
        self.messages.append(kept)
        return [(call["name"], json.loads(call["arguments"])) for call in calls.values()]
