"""Callers come and go: keys in each SDK's own way, lists in each SDK's own shape, and a caller who
hangs up costs no more than what had been produced."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import anthropic
import openai
import pytest
from google import genai

from hybridllm.simulators import Simulators
from tests.gateway.upstream import PATHS, STREAM_HEAD, Seen, gateway_before, piece, streaming
from tests.providers.servers import Peer, eventually
from tests.running import RunningGateway

KEY = "the-gateways-own-key"


@pytest.fixture(scope="module")
def locked(
    simulators: Simulators, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    """A gateway that asks for a key."""
    env = {**simulators.env(), "HYBRIDLLM_KEY": KEY}
    with RunningGateway(tmp_path_factory.mktemp("locked"), env) as running:
        yield running


def test_openais_sdk_sends_its_key_as_a_bearer(locked: RunningGateway) -> None:
    names = [m.id for m in openai.OpenAI(base_url=f"{locked.url}/v1", api_key=KEY).models.list()]
    assert names[:4] == ["auto", "tier/simple", "tier/mid", "tier/premium"]
    assert {"task/classification", "openai/gpt-4o-mini", "google/gemini-2.5-pro"} <= set(names)
    with pytest.raises(openai.AuthenticationError) as caught:
        openai.OpenAI(base_url=f"{locked.url}/v1", api_key="sk-wrong").models.list()
    assert "HYBRIDLLM_KEY" in caught.value.message
    assert "sk-wrong" not in caught.value.message


def test_anthropics_sdk_sends_its_key_as_x_api_key(locked: RunningGateway) -> None:
    client = anthropic.Anthropic(base_url=locked.url, api_key=KEY)
    listed = {m.id: m for m in client.models.list()}
    assert "anthropic/claude-sonnet-4-6" in listed
    with pytest.raises(anthropic.AuthenticationError):
        anthropic.Anthropic(base_url=locked.url, api_key="wrong").models.list()


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_googles_sdk_sends_its_key_as_x_goog_api_key(locked: RunningGateway, version: str) -> None:
    def client(key: str) -> genai.Client:
        options = genai.types.HttpOptions(base_url=locked.url, api_version=version)
        return genai.Client(api_key=key, http_options=options)

    good, bad = client(KEY), client("wrong")
    names = [m.name for m in good.models.list()]
    assert "models/google/gemini-2.5-pro" in names
    with pytest.raises(genai.errors.ClientError) as caught:
        list(bad.models.list())
    assert caught.value.status == "INVALID_ARGUMENT"


def test_googles_key_may_stand_in_the_query(locked: RunningGateway) -> None:
    path = PATHS["google"]
    body = {"contents": [{"parts": [{"text": "Hi"}]}]}
    assert locked.post(f"{path}?key={KEY}", body).status == 200
    assert locked.post(f"{path}?key=wrong", body).status == 400


def test_health_needs_no_key_and_a_request_is_known_to_its_own_key_alone(
    locked: RunningGateway,
) -> None:
    assert locked.request("GET", "/healthz").json() == {"status": "ok"}
    ask = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}]}
    bearer = {"authorization": f"Bearer {KEY}"}
    reply = locked.post(PATHS["openai"], ask, bearer)
    found = f"/api/v1/requests/{reply.headers['x-hybridllm-request-id']}"
    assert locked.request("GET", found).status == 401
    (row,) = locked.request("GET", found, headers=bearer).json()["attempts"]
    assert row["outcome"] == "ok" and row["answered"]
    assert reply.headers["x-hybridllm-cost-usd"] == row["cost_usd"]
    assert reply.headers["x-hybridllm-baseline-usd"] == row["baseline_usd"]
    assert reply.headers["x-hybridllm-attempts"] == "1"
    assert reply.headers["x-hybridllm-provider"] == row["provider"]
    assert row["reason"] == reply.headers["x-hybridllm-reason"]
    assert locked.request("GET", "/api/v1/requests/hl-none-1", headers=bearer).status == 404


DELTA = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
ASK = {"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_a_caller_who_hangs_up_cancels_the_providers_call(
    stream: bool, tmp_path: Path
) -> None:
    gone = asyncio.Event()
    arrived = asyncio.Event()

    async def script(peer: Peer, seen: Seen) -> None:
        if stream:
            await peer.send(STREAM_HEAD + piece(DELTA) * 3)
        arrived.set()
        await peer.gone()
        gone.set()

    async with gateway_before(script, tmp_path) as (gateway, seen):
        if stream:
            async with streaming(gateway, PATHS["openai"], ASK | {"stream": True}) as reply:
                await reply.chunk()
                reply.hang_up()
        else:
            port = int(gateway.url.rpartition(":")[2])
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            body = str(ASK).replace("'", '"').encode()
            writer.write(
                f"POST {PATHS['openai']} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}"
                "\r\n\r\n".encode()
                + body
            )
            await arrived.wait()
            writer.transport.abort()
        await asyncio.wait_for(gone.wait(), 20)
        assert len(seen) == 1, "no one else is asked for a caller who is gone"
        request_id = seen[0].headers["x-hybridllm-attempt"].rpartition("-")[0]
        rows = await asyncio.to_thread(_rows, gateway, request_id)
    (row,) = rows
    assert row["outcome"] == "cancelled"
    assert not row["answered"]
    assert row["usage_estimated"] and row["cost"] > 0, "what was produced may be billed"


def _rows(gateway: RunningGateway, request_id: str) -> list[dict[str, object]]:
    """The rows, once the attempt has been journalled."""
    for _ in range(200):
        reply = gateway.request("GET", f"/api/v1/requests/{request_id}")
        if reply.status == 200:
            found: list[dict[str, object]] = reply.json()["attempts"]
            return found
    raise AssertionError("the attempt was not recorded")


async def test_a_slow_reader_holds_the_provider_back(tmp_path: Path) -> None:
    """Memory is bounded: a caller who does not read stops the reading from the provider."""
    sent = 0
    big = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"' + b"x" * 60_000
    big += b'"}}]}\n\n'

    async def script(peer: Peer, seen: Seen) -> None:
        nonlocal sent
        await peer.send(STREAM_HEAD)
        for _ in range(2_000):
            await peer.send(piece(big))
            sent += 1
        await peer.send(piece(b"data: [DONE]\n\n") + piece(b""))

    async with (
        gateway_before(script, tmp_path) as (gateway, _),
        streaming(gateway, PATHS["openai"], ASK | {"stream": True}) as reply,
    ):
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(0.5)
        assert sent < 1_000, "the provider could not send it all"
        total = len(await reply.rest())
        await eventually(lambda: sent == 2_000)
    assert total == 2_000 * len(big) + len(b"data: [DONE]\n\n")
