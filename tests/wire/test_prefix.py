"""A request's blocks, in the order in which providers cache them, from every dialect."""

from __future__ import annotations

import json

import pytest

from hybridllm.wire.prefix import Section, blocks_of

TOOLS, SYSTEM, MESSAGES = Section.TOOLS, Section.SYSTEM, Section.MESSAGES

BODIES = {
    "openai": {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Rules."},
            {"role": "user", "content": [{"type": "text", "text": "A book."}, {"type": "text"}]},
            {"role": "assistant", "content": "Yes."},
        ],
        "tools": [{"type": "function"}],
    },
    "anthropic": {
        "system": "Rules.",
        "tools": [{"name": "f"}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "A book."}, {"type": "text"}]},
            {"role": "assistant", "content": "Yes."},
        ],
    },
    "google": {
        "contents": [
            {"role": "user", "parts": [{"text": "A book."}, {"text": "And?"}]},
            {"role": "model", "parts": [{"text": "Yes."}]},
        ],
        "systemInstruction": {"parts": [{"text": "Rules."}]},
        "tools": [{"functionDeclarations": []}],
    },
    "responses": {
        "instructions": "Rules.",
        "tools": [{"type": "function"}],
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "A book."}, {}]},
            {"role": "assistant", "content": "Yes."},
        ],
    },
}


def places(body):
    return [
        (block.section, block.index, block.inner, block.last)
        for block in blocks_of(json.dumps(body).encode())
    ]


@pytest.mark.parametrize("dialect", BODIES)
def test_tools_come_first_then_the_system_prompt_then_the_messages(dialect):
    assert places(BODIES[dialect]) == [
        (TOOLS, 0, -1, True),
        (SYSTEM, 0, -1, True),
        (MESSAGES, 0, 0, False),
        (MESSAGES, 0, -1, False),
        (MESSAGES, 1, -1, True),
    ]


@pytest.mark.parametrize("dialect", BODIES)
def test_a_longer_conversation_begins_with_the_blocks_of_the_shorter(dialect):
    body = BODIES[dialect]
    key = next(name for name in ("messages", "contents", "input") if name in body)
    longer = {**body, key: [*body[key], {"role": "user", "content": "Go on."}]}
    short = [block.raw for block in blocks_of(json.dumps(body).encode())]
    long = [block.raw for block in blocks_of(json.dumps(longer).encode())]
    assert long[: len(short)] == short
    assert len(long) == len(short) + 1


def test_the_callers_own_marks_do_not_make_another_prefix():
    plain = {"type": "text", "text": "Rules."}
    marked = {**plain, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    bodies = [{"system": [block], "messages": []} for block in (plain, marked)]
    first, second = (
        [block.raw for block in blocks_of(json.dumps(body).encode(), marked=True)]
        for body in bodies
    )
    assert first == second


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"messages": "x"}', b'{"tools": null}'])
def test_what_is_no_chat_has_no_blocks(body):
    assert blocks_of(body) == []
