"""Whatever is wrong with a request, the caller gets its own dialect's documented error, which names
the field and the remedy, and nothing reaches a provider."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hybridllm.simulators import Simulators
from tests.running import Reply, RunningGateway

OPENAI = "/v1/chat/completions"
ANTHROPIC = "/v1/messages"
GOOGLE = "/v1beta/models/{model}:generateContent"

Post = Callable[..., Reply]


def check_openai(reply: Reply) -> str:
    error = reply.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    return str(error["message"])


def check_anthropic(reply: Reply) -> str:
    body = reply.json()
    assert body["type"] == "error"
    assert body.keys() >= {"type", "error", "request_id"}
    assert body["error"].keys() >= {"type", "message"}
    return str(body["error"]["message"])


def check_google(reply: Reply) -> str:
    error = reply.json()["error"]
    assert error.keys() >= {"code", "message", "status"}
    assert error["code"] == reply.status
    return str(error["message"])


class Caller:
    """One dialect's smallest valid request, its endpoint and its error's shape."""

    def __init__(self, name: str, check: Callable[[Reply], str]) -> None:
        self.name = name
        self.check = check

    def valid(self, model: str = "auto", text: str = "Hello") -> tuple[str, dict[str, Any]]:
        if self.name == "openai":
            return OPENAI, {"model": model, "messages": [{"role": "user", "content": text}]}
        if self.name == "anthropic":
            message = {"role": "user", "content": text}
            return ANTHROPIC, {"model": model, "max_tokens": 10, "messages": [message]}
        return GOOGLE.format(model=model), {"contents": [{"parts": [{"text": text}]}]}


CALLERS = [
    Caller("openai", check_openai),
    Caller("anthropic", check_anthropic),
    Caller("google", check_google),
]
each_dialect = pytest.mark.parametrize("caller", CALLERS, ids=lambda c: c.name)


@pytest.fixture(autouse=True)
def no_provider_is_called(simulators: Simulators) -> Iterator[None]:
    """Bad input is stopped here: it costs no call."""
    before = len(simulators.calls())
    yield
    assert len(simulators.calls()) == before


@each_dialect
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b'{"model": }', b"{} trailing"]
)
def test_a_body_that_is_no_json_object(
    gateway: RunningGateway, caller: Caller, body: bytes
) -> None:
    path, _ = caller.valid()
    reply = gateway.post(path, body)
    assert reply.status == 400
    assert caller.check(reply)


MALFORMED: list[tuple[str, dict[str, Any], str]] = [
    ("openai", {"messages": None}, "messages"),
    ("openai", {"messages": []}, "messages"),
    ("openai", {"messages": "hello"}, "messages"),
    ("openai", {"messages": [{"content": "no role"}]}, "messages[0]"),
    ("openai", {"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
    ("openai", {"model": 7}, "model"),
    ("openai", {"model": None}, "model"),
    ("openai", {"stream": "yes"}, "stream"),
    ("openai", {"tools": {}}, "tools"),
    ("openai", {"max_tokens": "many"}, "max_tokens"),
    ("anthropic", {"max_tokens": None}, "max_tokens"),
    ("anthropic", {"max_tokens": "ten"}, "max_tokens"),
    ("anthropic", {"messages": []}, "messages"),
    ("anthropic", {"messages": [{"role": "user"}]}, "messages[0]"),
    ("anthropic", {"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0]"),
    ("anthropic", {"system": 7}, "system"),
    ("anthropic", {"tools": "all"}, "tools"),
    ("google", {"contents": None}, "contents"),
    ("google", {"contents": []}, "contents"),
    ("google", {"contents": [{"parts": "x"}]}, "contents[0].parts"),
    ("google", {"generationConfig": []}, "generationConfig"),
    ("google", {"tools": "all"}, "tools"),
]


@pytest.mark.parametrize(("dialect", "change", "field"), MALFORMED)
def test_a_malformed_field_is_named(
    gateway: RunningGateway, dialect: str, change: dict[str, Any], field: str
) -> None:
    caller = next(c for c in CALLERS if c.name == dialect)
    path, body = caller.valid()
    body |= change
    reply = gateway.post(path, {k: v for k, v in body.items() if v is not None})
    assert reply.status == 400, reply.body
    assert field in caller.check(reply)


@each_dialect
def test_an_unknown_model(gateway: RunningGateway, caller: Caller) -> None:
    path, body = caller.valid(model="gpt-4o-minni")
    reply = gateway.post(path, body)
    assert reply.status == 404
    message = caller.check(reply)
    assert "gpt-4o-minni" in message
    assert "gpt-4o-mini" in message.replace("gpt-4o-minni", ""), "the remedy names a near match"


@each_dialect
@pytest.mark.parametrize("how", ["header", "model"])
def test_an_unknown_task(gateway: RunningGateway, caller: Caller, how: str) -> None:
    path, body = caller.valid(model="task/clasification" if how == "model" else "auto")
    headers = {"x-hybridllm-task": "clasification"} if how == "header" else {}
    reply = gateway.post(path, body, headers)
    assert reply.status == 404
    message = caller.check(reply)
    assert "clasification" in message and "classification" in message


@each_dialect
def test_an_unknown_tier(gateway: RunningGateway, caller: Caller) -> None:
    path, body = caller.valid(model="tier/cheap")
    reply = gateway.post(path, body)
    assert reply.status == 404
    assert "simple" in caller.check(reply)


@each_dialect
def test_a_huge_body_for_an_unknown_model_is_answered_shortly(
    gateway: RunningGateway, caller: Caller
) -> None:
    path, body = caller.valid(model="no-such-model", text="word " * 300_000)
    reply = gateway.post(path, body)
    assert reply.status == 404
    assert len(reply.body) < 2_000
    caller.check(reply)


@each_dialect
def test_a_body_over_the_limit(
    simulators: Simulators, tmp_path_factory: pytest.TempPathFactory, caller: Caller
) -> None:
    home = tmp_path_factory.mktemp("small")
    with RunningGateway(
        home, simulators.env(), config="[server]\nmax_body_bytes = 2000\n"
    ) as small:
        path, body = caller.valid(text="x" * 3_000)
        reply = small.post(path, body)
        assert reply.status == 413
        assert "2,000 bytes" in caller.check(reply)


@each_dialect
def test_a_wrong_key_and_none(
    simulators: Simulators, tmp_path_factory: pytest.TempPathFactory, caller: Caller
) -> None:
    env = {**simulators.env(), "HYBRIDLLM_KEY": "the-gateway-key"}
    right = {
        "openai": {"authorization": "Bearer the-gateway-key"},
        "anthropic": {"x-api-key": "the-gateway-key"},
        "google": {"x-goog-api-key": "the-gateway-key"},
    }[caller.name]
    with RunningGateway(tmp_path_factory.mktemp("guarded"), env) as guarded:
        path, body = caller.valid(model="no-such-model")
        assert guarded.post(path, body, right).status == 404, "the right key gets past the gate"
        if caller.name == "google":
            assert guarded.post(f"{path}?key=the-gateway-key", body).status == 404
        for headers in ({}, {name: value[:-1] for name, value in right.items()}):
            reply = guarded.post(path, body, headers)
            # Google answers a bad key with 400 INVALID_ARGUMENT, the others with 401.
            assert reply.status == (400 if caller.name == "google" else 401)
            assert b"the-gateway-key" not in reply.body
            assert "key" in caller.check(reply).lower()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/chat/completions", 405),
        ("POST", "/v1/models/gemini-2.5-pro:makeCoffee", 404),
        ("GET", "/api/v1/requests/hl-none-1", 404),
    ],
)
def test_a_path_that_is_not_here(
    gateway: RunningGateway, method: str, path: str, status: int
) -> None:
    reply = gateway.request(method, path)
    assert reply.status == status
    assert json.loads(reply.body)["error"]["message"]
