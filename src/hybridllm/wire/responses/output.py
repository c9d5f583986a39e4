"""The pieces that a response is made of: its frame and its output items, in streams and whole.

Format: https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

from secrets import token_hex
from typing import Any

Item = dict[str, Any]

_PREFIX = "resp_"


def response_id(provider_id: str) -> str:
    """A response's id, which begins as OpenAI's do; a random one where the provider gave none."""
    if provider_id.startswith(_PREFIX):
        return provider_id
    return _PREFIX + (provider_id or token_hex(16))


def item_id(kind: str, reply_id: str, number: int) -> str:
    """The id of output item `number` of the response `reply_id`: unlike any other's."""
    return f"{kind}_{reply_id.removeprefix(_PREFIX)}_{number}"


def frame(reply_id: str, model: str, created: int, status: str) -> dict[str, Any]:
    """A response without output. What repeats the request is left at its default: a reply is
    translated without the request at hand. Nothing is kept by a provider of another dialect."""
    return {
        "id": reply_id,
        "object": "response",
        "created_at": created,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "model": model,
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": False,
        "temperature": None,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "truncation": "disabled",
        "usage": None,
    }


def text_part(text: str) -> Item:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def refusal_part(text: str) -> Item:
    return {"type": "refusal", "refusal": text}


def summary_part(text: str) -> Item:
    return {"type": "summary_text", "text": text}


def message_item(own_id: str, content: list[Item], status: str) -> Item:
    return {
        "id": own_id,
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": content,
    }


def reasoning_item(own_id: str, text: str, encrypted: str | None) -> Item:
    summary = [summary_part(text)] if text else []
    return {
        "id": own_id,
        "type": "reasoning",
        "summary": summary,
        "encrypted_content": encrypted,
    }


def call_item(own_id: str, call_id: str, name: str, arguments: str, status: str) -> Item:
    return {
        "id": own_id,
        "type": "function_call",
        "status": status,
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    }
