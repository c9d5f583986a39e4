"""Editing top-level values of a body touches no other byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridllm.errors import RequestError
from hybridllm.wire.splice import splice

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["model", "stream", "a", "b", 'qu"ote', "sla\\sh", "é", "", "tab\t", "\ud800"]
)
SPACE = st.sampled_from(["", " ", "\n  ", "\t", "\r\n"])


@st.composite
def written(draw: st.DrawFn) -> tuple[dict[str, Any], bytes]:
    """An object, and one of the ways to write it: any white space, keys escaped or not."""
    value = draw(st.dictionaries(KEYS.filter(lambda k: k != "\ud800"), JSON, max_size=6))
    members = []
    for key, one in value.items():
        name = json.dumps(key, ensure_ascii=draw(st.booleans()))
        if key and draw(st.booleans()):
            name = '"' + "".join(f"\\u{ord(c):04x}" for c in key) + '"'
        space = [draw(SPACE) for _ in range(4)]
        text = json.dumps(one, ensure_ascii=draw(st.booleans()))
        members.append(f"{space[0]}{name}{space[1]}:{space[2]}{text}{space[3]}")
    return value, (draw(SPACE) + "{" + ",".join(members) + draw(SPACE) + "}").encode()


@given(written(), st.dictionaries(KEYS.filter(lambda k: k != "\ud800"), st.none() | JSON))
def test_the_edited_object_is_what_was_asked_for(
    body: tuple[dict[str, Any], bytes], edits: dict[str, Any]
) -> None:
    value, text = body
    raw = {key: None if new is None else json.dumps(new).encode() for key, new in edits.items()}
    wanted = {key: one for key, one in value.items() if edits.get(key, "kept") is not None}
    wanted |= {key: new for key, new in edits.items() if new is not None}
    assert json.loads(splice(text, raw)) == wanted


@given(written())
def test_nothing_to_edit_changes_no_byte(body: tuple[dict[str, Any], bytes]) -> None:
    assert splice(body[1], {}) == body[1]
    assert splice(body[1], {"absent": None}) == body[1]


def test_only_the_value_changes() -> None:
    body = b' { "a" : [1.0, 2e3] ,\n "model"\t:  "auto" , "z":"\\u00e9" } \n'
    assert splice(body, {"model": b'"m"'}) == body.replace(b'"auto"', b'"m"')


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":2}',
        b'{"a":1,"b":2,"a":3}',
        b'{"b":3,"a":1,"a":2}',
        b'{"a":[{"b":5}],"a":1,"b":2}',
        b'{"a":"xx\\"b\\":1","a":1,"b":2}',
        b'{"a":{"b":1},"a":[],"b":{}}',
        b'{"a":1,"\\u0061":2}',
    ],
)
def test_a_key_that_is_there_twice_is_refused(body: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        splice(body, {"b": b"7"})
    assert "twice" in caught.value.message


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"a":}', b"\xff{}", b'{"\x80":1}'])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(RequestError):
        splice(body, {})
