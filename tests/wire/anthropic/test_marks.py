"""Breakpoints are put where they are wanted, and nothing else in the body is touched."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridllm.wire.anthropic.marks import mark
from hybridllm.wire.prefix import blocks_of

BODY = {
    "model": "claude",
    "tools": [{"name": "a", "input_schema": {}}, {"name": "b", "input_schema": {}}],
    "system": 'Rules, with "quotes" and é.',
    "messages": [
        {
            "role": "user",
            "content": [{"type": "text", "text": "A book."}, {"type": "text", "text": "?"}],
        },
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "Go on."},
    ],
    "temperature": 1.0,
}
SHORT, LONG = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}


def marked(body, *places, native=True):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return mark(raw, blocks_of(raw), places, native=native)


def unmarked(value):
    """The value as it was before: without breakpoints, a text that stood alone a text again."""
    if isinstance(value, list):
        if len(value) == 1 and isinstance(value[0], dict) and "cache_control" in value[0]:
            block = value[0]
            if set(block) == {"type", "text", "cache_control"}:
                return block["text"]
        return [unmarked(each) for each in value]
    if isinstance(value, dict):
        return {key: unmarked(each) for key, each in value.items() if key != "cache_control"}
    return value


@pytest.mark.parametrize("indent", [None, 1, 4])
@pytest.mark.parametrize("places", [(), (0,), (1,), (2,), (0, 1, 2, 5), (1, 5), (3, 4)])
def test_breakpoints_are_all_that_is_new(indent, places):
    raw = json.dumps(BODY, indent=indent).encode()
    body, done = marked(raw, *((after, False) for after in places))
    assert all(done)
    assert body.count(b'"cache_control"') == len(places)
    assert unmarked(json.loads(body)) == BODY
    if not places:
        assert body is raw


def test_each_is_put_after_its_block():
    body = json.loads(marked(BODY, (0, True), (1, True), (2, False), (5, False))[0])
    assert body["tools"][1]["cache_control"] == LONG and "cache_control" not in body["tools"][0]
    assert body["system"] == [{"type": "text", "text": BODY["system"], "cache_control": LONG}]
    assert body["messages"][0]["content"][0]["cache_control"] == SHORT
    assert body["messages"][2]["content"] == [
        {"type": "text", "text": "Go on.", "cache_control": SHORT}
    ]


def test_the_bytes_around_a_breakpoint_stay():
    raw = b'{ "system" : [ {"type":"text",  "text":"A"} ], "messages":[],"x":1.50e3 }'
    body, done = marked(raw, (0, False))
    assert done == [True]
    assert body == (
        b'{ "system" : [ {"type":"text",  "text":"A","cache_control":{"type":"ephemeral"}} ], '
        b'"messages":[],"x":1.50e3 }'
    )


def test_what_cannot_bear_one_passes_it_to_the_block_before():
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    said = [{"type": "text", "text": "A"}, thought, {"type": "text", "text": ""}]
    body = {"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": said}]}
    blocks = json.loads(marked(body, (1, False))[0])["messages"][1]["content"]
    assert ["cache_control" in block for block in blocks] == [True, False, False]


@pytest.mark.parametrize(
    "content", ["", [], [{"type": "thinking", "thinking": "", "signature": "s"}]]
)
def test_a_message_without_any_such_block_is_left_as_it_is(content):
    body = {"messages": [{"role": "user", "content": content}]}
    raw = json.dumps(body).encode()
    assert marked(raw, (0, False)) == (raw, [False])


def test_never_more_than_four():
    system = [{"type": "text", "text": str(n)} for n in range(6)]
    body, done = marked({"system": system, "messages": []}, *((n, False) for n in range(6)))
    assert body.count(b"cache_control") == 4
    assert done == [True] * 4 + [False] * 2


class TestTranslated:
    """A body that was written anew for Anthropic, from an OpenAI caller's."""

    CALLER: ClassVar = {
        "messages": [
            {"role": "system", "content": "Rules."},
            {"role": "user", "content": "Q"},
            {"role": "assistant", "content": None, "tool_calls": []},
            {"role": "tool", "tool_call_id": "1", "content": "one"},
            {"role": "tool", "tool_call_id": "2", "content": "two"},
            {"role": "assistant", "content": "Yes."},
            {"role": "user", "content": "Go on."},
        ]
    }
    WRITTEN: ClassVar = {
        "system": "Rules.",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Q"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "1"}]},
            {"role": "user", "content": [{"type": "tool_result"}, {"type": "tool_result"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "Yes."}]},
            {"role": "user", "content": [{"type": "text", "text": "Go on."}]},
        ],
    }

    def put(self, after):
        blocks = blocks_of(json.dumps(self.CALLER).encode())
        raw = json.dumps(self.WRITTEN).encode()
        body, done = mark(raw, blocks, [(after, False)], native=False)
        turns = json.loads(body)["messages"]
        found = [n for n, turn in enumerate(turns) if "cache_control" in turn["content"][-1]]
        return done[0], found

    @pytest.mark.parametrize(("after", "turn"), [(1, 0), (2, 1), (4, 2), (5, 3), (6, 4)])
    def test_the_ends_of_turns_are_where_they_were(self, after, turn):
        assert self.put(after) == (True, [turn])

    def test_the_middle_of_a_turn_is_not_guessed(self):
        assert self.put(3) == (False, [])

    def test_the_system_prompt_ends_where_it_ended(self):
        assert self.put(0) == (True, [])


texts = st.text(min_size=1, max_size=12)
contents = texts | st.lists(
    st.builds(lambda text: {"type": "text", "text": text}, texts), min_size=1, max_size=3
)


@given(
    st.lists(contents, min_size=1, max_size=5),
    contents,
    st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=4),
    st.sampled_from([None, 2]),
)
def test_any_body_is_itself_again_without_its_breakpoints(said, system, wanted, indent):
    body = {
        "system": system,
        "messages": [
            {"role": "assistant" if n % 2 else "user", "content": content}
            for n, content in enumerate(said)
        ],
    }
    raw = json.dumps(body, indent=indent).encode()
    blocks = blocks_of(raw)
    places = [(after, long) for after, long in wanted if after < len(blocks)]
    found, _ = mark(raw, blocks, places, native=True)
    assert plain(unmarked(json.loads(found))) == plain(body)
    assert found.count(b'"cache_control"') <= len(dict(places))


def plain(body):
    """A list of one text block and the text alone are the same."""

    def one(content):
        if isinstance(content, list) and len(content) == 1 and set(content[0]) == {"type", "text"}:
            return content[0]["text"]
        return content

    return {
        "system": one(body["system"]),
        "messages": [{**each, "content": one(each["content"])} for each in body["messages"]],
    }
