"""The same request is answered again for nothing, by a task that asks for it, and in no other case.

Through a real gateway, with the official SDKs, before simulated providers that count their calls.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import types

from hybridllm.simulators import Fault, Simulators
from tests.running import Reply, RunningGateway

ON = '[tasks.classification]\nresponse_cache = "1h"\n'
CHAT = "/v1/chat/completions"
KEY = "any"


@pytest.fixture(scope="module")
def caching(
    simulators: Simulators, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    """One task caches; the others do not."""
    with RunningGateway(tmp_path_factory.mktemp("caching"), simulators.env(), config=ON) as running:
        yield running


def body_of(text: str, **more: Any) -> dict[str, Any]:
    asked = {"model": "task/classification", "messages": [{"role": "user", "content": text}]}
    return {**asked, "temperature": 0, "max_tokens": 20} | more


def ask(gateway: RunningGateway, text: str, **more: Any) -> Reply:
    headers = more.pop("headers", None)
    reply = gateway.post(CHAT, body_of(text, **more), headers)
    assert reply.status == 200, reply.body
    return reply


def cache(reply: Reply) -> str | None:
    return reply.headers.get("x-hybridllm-cache")


def until_hit(gateway: RunningGateway, text: str, **more: Any) -> Reply:
    """A hit, as soon as another process has written what it learned."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        reply = ask(gateway, text, **more)
        if cache(reply) == "hit":
            return reply
        time.sleep(0.05)
    raise AssertionError("it was never given again")


def test_the_same_request_is_answered_again_for_nothing(
    caching: RunningGateway, simulators: Simulators
) -> None:
    first = ask(caching, "the same")
    calls = len(simulators.calls())
    again = ask(caching, "the same")
    assert (cache(first), cache(again)) == ("miss", "hit")
    assert again.body == first.body
    assert len(simulators.calls()) == calls, "no provider was called"
    assert again.headers["x-hybridllm-cost-usd"] == "0"
    assert again.headers["x-hybridllm-attempts"] == "0"
    assert again.headers["x-hybridllm-model"] == first.headers["x-hybridllm-model"]
    assert int(again.headers["age"]) >= 0


def test_a_hit_is_a_row_that_says_what_it_was_worth(caching: RunningGateway) -> None:
    (paid,) = caching.attempts(ask(caching, "a row").headers["x-hybridllm-request-id"])
    (row,) = caching.attempts(ask(caching, "a row").headers["x-hybridllm-request-id"])
    assert (row["cost"], row["outcome"], row["answered"]) == (0, "ok", True)
    assert (row["cache_hit"], paid["cache_hit"]) == (True, False)
    assert row["hit_saved"] == paid["cost"] > 0
    same = ("baseline", "baseline_model", "model", "provider", "input_tokens", "output_tokens")
    assert {name: row[name] for name in same} == {name: paid[name] for name in same}
    assert row["text_kind"] == "", "it teaches nothing of tokens a second time"


def test_the_order_of_keys_and_the_space_between_them_do_not_matter(
    caching: RunningGateway,
) -> None:
    ask(caching, "order")
    other = (
        b'{"max_tokens":20, "messages" :[{"content":"order","role":"user"}],\n"temperature":0,'
        b'"model":"task/classification"}'
    )
    assert cache(caching.post(CHAT, other)) == "hit"


@pytest.mark.parametrize(
    "change",
    [
        {"max_tokens": 21},
        {"model": "openai/gpt-4o-mini", "metadata": {"task": "classification"}},
        {"seed": 1},
        {"messages": [{"role": "user", "content": "something else!"}]},
        {"headers": {"openai-organization": "another"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_request_is_another_request(caching: RunningGateway, change: Any) -> None:
    ask(caching, "something else")
    text = "something else"
    assert cache(ask(caching, text, **change)) == "miss"


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0.1},
        {"temperature": None},
        {"model": "task/extraction"},
        {"headers": {"cache-control": "no-store"}},
    ],
    ids=str,
)
def test_what_may_not_be_cached_never_is(caching: RunningGateway, change: Any) -> None:
    text = f"never {change}"
    assert [cache(ask(caching, text, **dict(change))) for _ in range(2)] == [None, None]


def test_the_callers_cache_control_is_obeyed(caching: RunningGateway) -> None:
    text = "control"
    first = ask(caching, text)
    assert cache(ask(caching, text, headers={"cache-control": "no-store"})) is None
    anew = ask(caching, text, headers={"cache-control": "no-cache"})
    assert cache(anew) == "miss"
    assert anew.json()["id"] != first.json()["id"]
    assert ask(caching, text).json()["id"] == anew.json()["id"], "the newer answer is kept"
    assert cache(ask(caching, text, headers={"cache-control": "max-age=600"})) == "hit"
    assert cache(ask(caching, text, headers={"cache-control": "max-age=0"})) == "miss"


def test_only_whole_and_good_answers_are_kept(
    caching: RunningGateway, simulators: Simulators
) -> None:
    simulators.faults(Fault(kind="error", status=400))
    try:
        assert caching.post(CHAT, body_of("fails")).status == 400
    finally:
        simulators.clear_faults()
    assert cache(ask(caching, "fails")) == "miss"
    simulators.faults(Fault(kind="cut", calls=1))
    try:
        cut = caching.post(CHAT, body_of("is cut", stream=True))
    finally:
        simulators.clear_faults()
    assert b"[DONE]" not in cut.body
    assert cache(ask(caching, "is cut", stream=True)) == "miss"


def openai_client(gateway: RunningGateway) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0)


@pytest.mark.parametrize("first", [False, True], ids=["whole first", "stream first"])
@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", "google/gemini-2.5-flash"])
def test_openais_sdk_reads_a_replay_in_either_form(
    caching: RunningGateway, first: bool, model: str
) -> None:
    create = openai_client(caching).chat.completions.create
    tools = [{"type": "function", "function": {"name": "look_up", "parameters": {}}}]
    asked: dict[str, Any] = {
        "model": model,
        "temperature": 0,
        "max_completion_tokens": 30,
        "metadata": {"task": "classification"},
        "messages": [{"role": "user", "content": f"chat {first} {model}"}],
        "tools": tools,
    }

    def whole() -> tuple[str, str, int]:
        reply = create(**asked)
        choice, usage = reply.choices[0], reply.usage
        assert usage is not None
        return choice.message.content or "", choice.finish_reason, usage.completion_tokens

    def streamed(*, usage: bool = True) -> tuple[str, str, int]:
        chunks = list(create(stream=True, stream_options={"include_usage": usage}, **asked))
        said = [c for chunk in chunks for c in chunk.choices]
        told = [chunk.usage.completion_tokens for chunk in chunks if chunk.usage is not None]
        assert len(told) == usage
        text = "".join(c.delta.content or "" for c in said)
        return text, next(c.finish_reason or "" for c in reversed(said)), sum(told)

    made = streamed() if first else whole()
    assert made[0]
    assert whole() == streamed() == made
    assert streamed(usage=False) == (*made[:2], 0)


@pytest.mark.parametrize("first", [False, True], ids=["whole first", "stream first"])
@pytest.mark.parametrize("model", ["anthropic/claude-sonnet-4-6", "openai/gpt-4o"])
def test_anthropics_sdk_reads_a_replay_in_either_form(
    caching: RunningGateway, first: bool, model: str
) -> None:
    client = anthropic.Anthropic(base_url=caching.url, api_key=KEY, max_retries=0)
    asked: dict[str, Any] = {
        "model": model,
        "max_tokens": 30,
        "messages": [{"role": "user", "content": f"messages {first} {model}"}],
        "extra_headers": {"x-hybridllm-task": "classification"},
        "extra_body": {"temperature": 0},
    }

    def whole() -> dict[str, Any]:
        return client.messages.create(**asked).model_dump(exclude={"id"})

    def streamed() -> dict[str, Any]:
        with client.messages.stream(**asked) as events:
            return events.get_final_message().model_dump(exclude={"id", "parsed_output"})

    made = streamed() if first else whole()
    again = (whole(), streamed())
    for one in again:
        assert one["content"][0]["text"] == made["content"][0]["text"] != ""
        assert one["stop_reason"] == made["stop_reason"]
        for kind in ("input_tokens", "output_tokens"):
            assert one["usage"][kind] == made["usage"][kind] > 0
    rows = [cache(raw(caching, "/v1/messages", asked, stream=stream)) for stream in (0, 1)]
    assert rows == ["hit", "hit"]


def raw(gateway: RunningGateway, path: str, asked: dict[str, Any], *, stream: int) -> Reply:
    """What the SDK sends, by hand, for its headers."""
    body = {k: v for k, v in asked.items() if not k.startswith("extra_")} | {"temperature": 0}
    if stream:
        body["stream"] = True
    return gateway.post(path, body, {"x-hybridllm-task": "classification"})


@pytest.mark.parametrize("first", [False, True], ids=["whole first", "stream first"])
@pytest.mark.parametrize("model", ["gemini-2.5-flash", "openai/gpt-4o-mini"])
def test_googles_sdk_reads_a_replay_in_either_form(
    caching: RunningGateway, simulators: Simulators, first: bool, model: str
) -> None:
    options = types.HttpOptions(
        base_url=caching.url, headers={"x-hybridllm-task": "classification"}
    )
    client = genai.Client(api_key=KEY, http_options=options)
    models = client.models
    config = types.GenerateContentConfig(temperature=0, max_output_tokens=30)
    asked: dict[str, Any] = {"model": model, "contents": f"gemini {first}", "config": config}

    def whole() -> tuple[str, int | None]:
        reply = models.generate_content(**asked)
        usage = reply.usage_metadata
        return reply.text or "", usage.candidates_token_count if usage else None

    def streamed() -> tuple[str, int | None]:
        chunks = list(models.generate_content_stream(**asked))
        usage = chunks[-1].usage_metadata
        text = "".join(chunk.text or "" for chunk in chunks)
        return text, usage.candidates_token_count if usage else None

    made = streamed() if first else whole()
    calls = len(simulators.calls())
    assert made[0]
    assert whole() == streamed() == made
    assert len(simulators.calls()) == calls


@pytest.mark.parametrize("first", [False, True], ids=["whole first", "stream first"])
def test_a_response_is_replayed_in_either_form(
    caching: RunningGateway, simulators: Simulators, first: bool
) -> None:
    responses = openai_client(caching).responses
    asked: dict[str, Any] = {
        "model": "openai/gpt-4o-mini",
        "temperature": 0,
        "input": f"responses {first}",
        "metadata": {"task": "classification"},
    }

    def whole() -> tuple[str, str]:
        reply = responses.create(**asked)
        return reply.id, reply.output_text

    def streamed() -> tuple[str, str]:
        events = list(responses.create(stream=True, **asked))
        (done,) = [event.response for event in events if event.type == "response.completed"]
        numbers = [event.sequence_number for event in events]
        assert numbers == sorted(numbers)
        return done.id, done.output_text

    made = streamed() if first else whole()
    calls = len(simulators.calls())
    assert whole() == streamed() == made
    assert len(simulators.calls()) == calls


def test_several_choices_are_given_again_in_their_own_form_alone(caching: RunningGateway) -> None:
    first = ask(caching, "choices", n=2)
    assert len(first.json()["choices"]) == 2
    assert ask(caching, "choices", n=2).body == first.body
    assert cache(ask(caching, "choices", n=2, stream=True)) == "miss"


def test_an_answer_lasts_as_long_as_it_says_and_a_reload_changes_that(
    simulators: Simulators, tmp_path: Path
) -> None:
    brief = ON.replace("1h", "1s")
    with RunningGateway(tmp_path, simulators.env(), config=brief) as gateway:
        ask(gateway, "brief")
        time.sleep(1.1)
        assert cache(ask(gateway, "brief")) == "miss"
        gateway.config.write_text(ON)
        gateway.hangup()
        until_hit(gateway, "long")
        gateway.config.write_text("")
        gateway.hangup()
        end = time.monotonic() + 20
        while cache(ask(gateway, "long")) is not None:
            assert time.monotonic() < end, "it goes on after it was taken out"
            time.sleep(0.05)


def test_answers_outlive_the_gateway_be_it_stopped_or_killed(
    simulators: Simulators, tmp_path: Path
) -> None:
    with RunningGateway(tmp_path, simulators.env(), config=ON) as gateway:
        first = ask(gateway, "stopped")
    with RunningGateway(tmp_path, simulators.env(), config=ON) as gateway:
        assert until_hit(gateway, "stopped").body == first.body
        second = ask(gateway, "killed")
        assert wait_for_rows(tmp_path, 2)
        gateway.kill()
    with RunningGateway(tmp_path, simulators.env(), config=ON) as gateway:
        assert until_hit(gateway, "killed").body == second.body


def wait_for_rows(home: Path, count: int) -> bool:
    from sqlalchemy import func, select

    from hybridllm.store import open_store
    from hybridllm.store.schema import responses

    engine = open_store(f"sqlite:///{home / 'ledger' / 'ledger.db'}")
    end = time.monotonic() + 20
    try:
        while time.monotonic() < end:
            with engine.connect() as connection:
                if (
                    connection.execute(select(func.count()).select_from(responses)).scalar()
                    == count
                ):
                    return True
            time.sleep(0.02)
        return False
    finally:
        engine.dispose()


def test_what_one_worker_has_learned_another_gives_again(
    simulators: Simulators, tmp_path: Path
) -> None:
    two = ("--workers", "2")
    with RunningGateway(tmp_path, simulators.env(), config=ON, args=two) as gateway:
        ask(gateway, "shared")
        assert wait_for_rows(tmp_path, 1)
        replies = [ask(gateway, "shared") for _ in range(30)]
        assert {cache(reply) for reply in replies} == {"hit"}
        ids = {reply.headers["x-hybridllm-request-id"].split("-")[1] for reply in replies}
        assert len(ids) == 2, "both workers have answered"
