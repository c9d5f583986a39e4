"""A conversation is found again by its name or its beginning, and forgotten in time."""

from __future__ import annotations

from hybridllm.catalog.structs import Model, Usage
from hybridllm.engine.sessions import Sessions, session_key
from hybridllm.wire.dialect import Facts, Turn


def model(name: str = "claude-sonnet-4-6", provider: str = "anthropic") -> Model:
    return Model(
        provider=provider, name=name, context_window=200_000, max_output_tokens=64_000, prices=()
    )


def facts(*texts: str, session: str | None = None) -> Facts:
    turns = [Turn("assistant" if i % 2 else "user", text) for i, text in enumerate(texts)]
    return Facts(model="auto", system="You review code.", turns=turns, session=session)


def test_later_turns_of_a_conversation_have_the_key_of_its_first() -> None:
    first = session_key(facts("fix the parser"), None, "default")
    later = session_key(facts("fix the parser", "done", "ok, continue"), None, "default")
    assert first == later
    assert first != session_key(facts("fix the lexer"), None, "default")


def test_a_named_session_wins_over_the_text_and_the_header_over_the_body() -> None:
    by_body = session_key(facts("a", session="s1"), None, "default")
    assert by_body == session_key(facts("b", session="s1"), None, "default")
    assert by_body == session_key(facts("c", session="s2"), "s1", "default")


def test_two_callers_never_share_a_session() -> None:
    assert session_key(facts("a"), "s1", "ann") != session_key(facts("a"), "s1", "bob")


def test_a_session_is_forgotten_after_its_time() -> None:
    sessions = Sessions(limit=10, ttl=60.0)
    sessions.put(b"k", model(), Usage(input_tokens=10), now=100.0)
    assert sessions.get(b"k", now=160.0) is not None
    assert sessions.get(b"k", now=160.1) is None


def test_the_table_is_bounded_and_the_least_recently_used_goes_first() -> None:
    sessions = Sessions(limit=2, ttl=60.0)
    for name in (b"a", b"b"):
        sessions.put(name, model(), Usage(), now=0.0)
    sessions.put(b"a", model(), Usage(), now=1.0)
    sessions.put(b"c", model(), Usage(), now=2.0)
    assert len(sessions) == 2
    assert sessions.get(b"b", now=2.0) is None
    assert sessions.get(b"a", now=2.0) is not None


def test_what_is_warm_is_what_the_provider_says_it_cached() -> None:
    sessions = Sessions(limit=10, ttl=60.0)
    usage = Usage(input_tokens=50, cache_read_tokens=2_000, cache_write_tokens=300)
    sessions.put(b"k", model(), usage, now=0.0)
    found = sessions.get(b"k", now=0.0)
    assert found is not None and found.cached_tokens == 2_300


def test_implicit_caches_hold_any_input_that_is_long_enough() -> None:
    sessions = Sessions(limit=10, ttl=60.0)
    mini = model("gpt-4o-mini", "openai")
    sessions.put(b"long", mini, Usage(input_tokens=1_024), now=0.0)
    sessions.put(b"short", mini, Usage(input_tokens=1_023), now=0.0)
    long, short = sessions.get(b"long", 0.0), sessions.get(b"short", 0.0)
    assert long is not None and long.cached_tokens == 1_024
    assert short is not None and short.cached_tokens == 0


def test_who_gave_a_reply_is_remembered_until_many_others_have_come() -> None:
    sessions = Sessions(limit=2, ttl=60.0)
    sessions.keep("resp_1", model("one"))
    sessions.keep("resp_2", model("two"))
    assert sessions.keeper("resp_1") == "anthropic/one"
    sessions.keep("resp_3", model("three"))
    assert sessions.keeper("resp_2") is None, "the one that was least recently spoken of"
    assert sessions.keeper("resp_1") == "anthropic/one"
    assert sessions.keeper("resp_9") is None
    assert len(sessions) == 0, "replies do not crowd out conversations"
