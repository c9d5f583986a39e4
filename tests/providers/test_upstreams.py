"""What each provider is sent: path, key, headers; and what is not handed on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hybridllm.catalog.structs import ProviderSpec
from hybridllm.config import ProviderConfig, ResolvedProvider
from hybridllm.errors import ConfigError, ErrorKind, ProviderError
from hybridllm.providers.upstream import Upstream, close_upstreams, open_upstreams
from hybridllm.wire.dialect import RequestShape
from tests.providers.servers import OK, Peer, serving

CALLER = [
    (b"authorization", b"Bearer callers-own"),
    (b"cookie", b"c"),
    (b"user-agent", b"theirs"),
    (b"anthropic-beta", b"b1"),
    (b"openai-project", b"p1"),
]


def provider(
    base_url: str,
    *,
    name: str = "openai",
    dialect: str = "openai",
    secrets: tuple[str, ...] = ("sk-1",),
    **config: object,
) -> ResolvedProvider:
    return ResolvedProvider(
        name=name,
        spec=ProviderSpec(name=name, dialect=dialect, base_url=base_url),
        dialect=dialect,
        base_url=base_url,
        keys=tuple((secret, "default", 1) for secret in secrets),
        config=ProviderConfig(**config),  # type: ignore[arg-type]
    )


@asynccontextmanager
async def opened(seen: list[bytes], path: str = "", **options: object) -> AsyncIterator[Upstream]:
    """An Upstream whose requests are put into `seen`."""

    async def script(peer: Peer) -> None:
        while request := await peer.request():
            seen.append(request)
            await peer.send(OK)

    async with serving(script) as server:
        resolved = provider(f"http://127.0.0.1:{server.port}{path}", **options)  # type: ignore[arg-type]
        upstreams = open_upstreams({resolved.name: resolved}, {})
        try:
            yield upstreams[resolved.name]
        finally:
            await close_upstreams(upstreams)


async def call(
    upstream: Upstream,
    *,
    model: str = "m",
    shape: RequestShape | None = None,
    endpoint: str = "chat",
    headers: list[tuple[bytes, bytes]] = CALLER,
) -> None:
    response = await upstream.send(
        key=upstream.keys.pick(0.0),
        model=model,
        shape=shape or RequestShape(),
        body=b'{"a":1}',
        headers=headers,
        attempt_id="hl-1.2",
        endpoint=endpoint,
    )
    assert await response.read() == b"hi"


def parsed(request: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    fields = [line.partition(": ")[::2] for line in lines]
    headers = dict(fields)
    assert len(headers) == len(fields), "a header was sent twice"
    return first, headers, body


COMMON = {
    "content-type": "application/json",
    "accept": "application/json",
    "accept-encoding": "identity",
    "user-agent": "hybridllm",
    "x-client-request-id": "hl-1.2",
    "x-hybridllm-attempt": "hl-1.2",
    "content-length": "7",
}


@pytest.mark.parametrize(
    ("name", "dialect", "path", "line", "headers"),
    [
        (
            *("openai", "openai", "/v1", "POST /v1/chat/completions HTTP/1.1"),
            {"authorization": "Bearer sk-1", "openai-project": "p1"},
        ),
        (
            *("groq", "openai", "/openai/v1/", "POST /openai/v1/chat/completions HTTP/1.1"),
            {"authorization": "Bearer sk-1"},
        ),
        (
            *("anthropic", "anthropic", "", "POST /v1/messages HTTP/1.1"),
            {"x-api-key": "sk-1", "anthropic-version": "2023-06-01", "anthropic-beta": "b1"},
        ),
        (
            *("google", "google", "/g", "POST /g/v1beta/models/m:generateContent HTTP/1.1"),
            {"x-goog-api-key": "sk-1"},
        ),
    ],
)
async def test_a_chat_call(
    name: str, dialect: str, path: str, line: str, headers: dict[str, str]
) -> None:
    seen: list[bytes] = []
    async with opened(seen, path, name=name, dialect=dialect) as upstream:
        await call(upstream)
    first, sent, body = parsed(seen[0])
    assert (first, body) == (line, b'{"a":1}')
    assert sent.pop("host").startswith("127.0.0.1:")
    assert sent == COMMON | headers


@pytest.mark.parametrize(
    ("dialect", "endpoint", "shape", "target", "accept"),
    [
        ("openai", "chat", RequestShape(stream=True), "/chat/completions", "text/event-stream"),
        ("openai", "responses", RequestShape(), "/responses", "application/json"),
        ("openai", "embeddings", RequestShape(), "/embeddings", "application/json"),
        (
            *("anthropic", "count_tokens", RequestShape()),
            *("/v1/messages/count_tokens", "application/json"),
        ),
        (
            *("google", "chat", RequestShape(stream=True)),
            *("/v1beta/models/a%2F..%3F:streamGenerateContent?alt=sse", "text/event-stream"),
        ),
        (
            *("google", "chat", RequestShape(stream=True, sse=False)),
            *("/v1beta/models/a%2F..%3F:streamGenerateContent", "application/json"),
        ),
        (
            *("google", "count_tokens", RequestShape()),
            *("/v1beta/models/a%2F..%3F:countTokens", "application/json"),
        ),
        (
            *("google", "embed", RequestShape()),
            *("/v1beta/models/a%2F..%3F:embedContent", "application/json"),
        ),
        (
            *("google", "batch_embed", RequestShape()),
            *("/v1beta/models/a%2F..%3F:batchEmbedContents", "application/json"),
        ),
    ],
)
async def test_endpoints(
    dialect: str, endpoint: str, shape: RequestShape, target: str, accept: str
) -> None:
    seen: list[bytes] = []
    async with opened(seen, name=dialect, dialect=dialect) as upstream:
        await call(upstream, model="a/..?", shape=shape, endpoint=endpoint)
    first, sent, _ = parsed(seen[0])
    assert first == f"POST {target} HTTP/1.1"
    assert sent["accept"] == accept


async def test_an_endpoint_that_a_provider_has_not() -> None:
    async with opened([], name="anthropic", dialect="anthropic") as upstream:
        with pytest.raises(ProviderError) as caught:
            await call(upstream, endpoint="embeddings")
    assert (caught.value.kind, caught.value.provider) == (ErrorKind.UNSUPPORTED, "anthropic")


async def test_the_callers_version_wins_over_configs_and_configs_over_the_default() -> None:
    seen: list[bytes] = []
    own = {"Anthropic-Version": "configured", "x-extra": "e"}
    async with opened(seen, name="anthropic", dialect="anthropic", headers=own) as upstream:
        await call(upstream, headers=[])
        await call(upstream, headers=[(b"anthropic-version", b"callers")])
    first, second = (parsed(request)[1] for request in seen)
    assert (first["anthropic-version"], first["x-extra"]) == ("configured", "e")
    assert second["anthropic-version"] == "callers"


async def test_each_key_has_its_turn_and_none_is_sent_where_there_is_none() -> None:
    seen: list[bytes] = []
    async with opened(seen, secrets=("sk-1", "sk-2")) as upstream:
        for _ in range(4):
            await call(upstream)
        assert "sk-1" not in repr(upstream)
    keys = [parsed(request)[1]["authorization"] for request in seen]
    assert keys == ["Bearer sk-1", "Bearer sk-2", "Bearer sk-1", "Bearer sk-2"]
    async with opened(seen, name="ollama", secrets=()) as upstream:
        await call(upstream)
    assert "authorization" not in parsed(seen[-1])[1]


async def test_an_error_names_the_provider() -> None:
    upstreams = open_upstreams({"openai": provider("http://127.0.0.1:1/v1")}, {})
    with pytest.raises(ProviderError) as caught:
        await call(upstreams["openai"])
    assert (caught.value.kind, caught.value.provider) == (ErrorKind.CONNECTION, "openai")


@pytest.mark.parametrize(
    "wrong",
    [
        provider("nowhere"),
        provider("http://a", dialect="cohere"),
        provider("http://a", secrets=("sk-secret\n",)),
        provider("http://a", headers={"x": "secret\r\ny: 1"}),
        provider("http://a", headers={"Host": "b"}),
        provider("https://a", ca_file="/nowhere.pem"),
        provider("http://a", proxy="socks5://secret"),
    ],
    ids=["base_url", "dialect", "key", "header value", "header name", "ca_file", "proxy"],
)
def test_a_mistake_of_configuration_names_the_provider_and_no_secret(
    wrong: ResolvedProvider,
) -> None:
    with pytest.raises(ConfigError) as caught:
        open_upstreams({wrong.name: wrong}, {})
    assert (caught.value.field or "").startswith(f"providers.{wrong.name}")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "dialect", "speaks"),
    [
        ("openai", "openai", {"openai": "chat", "responses": "responses"}),
        ("vllm", "openai", {"openai": "chat"}),
        ("anthropic", "anthropic", {"anthropic": "chat"}),
        ("google", "google", {"google": "chat"}),
    ],
)
async def test_which_dialects_a_provider_speaks(
    name: str, dialect: str, speaks: dict[str, str]
) -> None:
    async with opened([], name=name, dialect=dialect) as upstream:
        assert upstream.speaks == speaks and upstream.dialect in speaks


class TestCallsThatAreNotGeneration:
    """Batches and files: any method, any content."""

    async def made(
        self, method: str, target: str, **options: Any
    ) -> tuple[str, dict[str, str], bytes]:
        seen: list[bytes] = []
        async with opened(seen, "/v1", headers={"x-team": "a", "Content-Type": "no/type"}) as up:
            key = up.keys.pick(0.0)
            response = await up.call(method, target, key=key, **options)
            assert await response.read() == b"hi"
        return parsed(seen[0])

    async def test_a_get_has_no_content(self) -> None:
        line, headers, body = await self.made("GET", "/batches?limit=100")
        assert line == "GET /v1/batches?limit=100 HTTP/1.1" and body == b""
        assert headers.pop("host").startswith("127.0.0.1:")
        assert headers == {
            "authorization": "Bearer sk-1",
            "accept": "application/json",
            "accept-encoding": "identity",
            "user-agent": "hybridllm",
            "x-team": "a",
            "content-length": "0",
        }

    async def test_an_upload_has_its_own_type(self) -> None:
        kind = "multipart/form-data; boundary=b"
        line, headers, body = await self.made(
            "POST", "/files", body=b"x" * 100_000, content_type=kind, accept="*/*"
        )
        assert line == "POST /v1/files HTTP/1.1" and len(body) == 100_000
        assert (headers["content-type"], headers["accept"]) == (kind, "*/*")

    async def test_what_a_provider_wants_besides_is_sent(self) -> None:
        seen: list[bytes] = []
        async with opened(seen, name="anthropic", dialect="anthropic") as upstream:
            response = await upstream.call(
                "GET", "/v1/messages/batches", key=upstream.keys.pick(0.0)
            )
            await response.read()
        _, headers, _ = parsed(seen[0])
        assert headers["anthropic-version"] == "2023-06-01" and headers["x-api-key"] == "sk-1"

    @pytest.mark.parametrize("once", [False, True])
    async def test_what_must_not_happen_twice_is_sent_once(self, once: bool) -> None:
        """The server closes each connection after its first reply, and at the second request."""
        seen: list[bytes] = []

        async def script(peer: Peer) -> None:
            seen.append(await peer.request())
            await peer.send(OK)
            seen.append(await peer.request())

        async with serving(script) as server:
            resolved = provider(f"http://127.0.0.1:{server.port}")
            upstream = open_upstreams({"openai": resolved}, {})["openai"]
            for method in ("GET", "POST"):
                response = await upstream.call(
                    method, "/batches", key=None, body=b"{}", once=once and method == "POST"
                )
                assert await response.read() == b"hi"
            await close_upstreams({"openai": upstream})
            await asyncio.sleep(0)
        assert len([one for one in seen if one.startswith(b"POST")]) == (1 if once else 2)
