"""A body that leaves out what a cache holds is, with the cache, the body that it was."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridllm.wire.google.explicit import Parts, body_with, cache_body, parts_of

TOOLS = [{"functionDeclarations": [{"name": "look"}]}]


def content(text: str, role: str = "user") -> dict[str, Any]:
    return {"role": role, "parts": [{"text": text}]}


def parts(body: Any) -> Parts:
    found = parts_of(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert found is not None
    return found


@settings(max_examples=40)
@given(
    own=st.dictionaries(
        st.sampled_from(["systemInstruction", "system_instruction", "tools", "toolConfig"]),
        st.just([{"a": "b"}]),
        max_size=1,
    ),
    texts=st.lists(st.text(max_size=5), min_size=1, max_size=4),
    rest=st.dictionaries(st.sampled_from(["generationConfig", "safetySettings"]), st.just({})),
    indent=st.sampled_from([None, 2]),
)
def test_cache_and_remainder_are_the_whole(own: Any, texts: Any, rest: Any, indent: Any) -> None:
    whole = {**own, "contents": [content(text) for text in texts], **rest}
    found = parts(json.dumps(whole, indent=indent, ensure_ascii=False).encode())
    assert len(found.beginnings) == len(texts) - 1 + bool(own)
    for beginning in found.beginnings:
        cache = json.loads(cache_body(found, beginning, "gemini-2.5-pro", 300))
        body = json.loads(body_with(found, beginning, "cachedContents/x"))
        assert (cache.pop("model"), cache.pop("ttl")) == ("models/gemini-2.5-pro", "300s")
        assert body.pop("cachedContent") == "cachedContents/x"
        assert body["contents"], "a request without contents is refused"
        assert not {"systemInstruction", "system_instruction", "tools", "toolConfig"} & set(body)
        contents = cache.pop("contents", []) + body.pop("contents")
        assert contents == whole["contents"]
        assert body == rest
        assert list(cache.values()) == list(own.values())


def test_equal_beginnings_have_one_name_and_others_another() -> None:
    system = {"parts": [{"text": "Be brief."}]}
    one = parts({"systemInstruction": system, "contents": [content("a"), content("b")]})
    two = parts({"contents": [content("a"), content("c")], "systemInstruction": system})
    assert [b.digest for b in one.beginnings] == [b.digest for b in two.beginnings]
    other = parts({"systemInstruction": system, "tools": TOOLS, "contents": [content("a")]})
    assert other.beginnings[0].digest != one.beginnings[0].digest
    moved = parts({"tools": system, "contents": [content("a")]})
    assert moved.beginnings[0].digest != one.beginnings[0].digest


@pytest.mark.parametrize(
    "body",
    [
        b'{"contents": [{"parts": []}], "cachedContent": "cachedContents/mine"}',
        b'{"contents": [{"parts": []}], "cached_content": "cachedContents/mine"}',
        b'{"contents": {"parts": [{"text": "one"}]}}',
        b'{"contents": ["a", "b"]}',
        b'{"contents": []}',
        b'{"contents": [{}], "contents": [{}, {}]}',
        b'{"contents": [{}], "systemInstruction": {}, "system_instruction": {}}',
        b'{"tools": []}',
        b"[]",
    ],
)
def test_what_cannot_be_taken_apart_safely_stays_whole(body: bytes) -> None:
    assert parts_of(body) is None
