"""Certificates are verified, and proxies asked for a tunnel, on both event loops."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from hybridllm.errors import ConfigError, ErrorKind, ProviderError
from hybridllm.providers.origin import Origin
from hybridllm.providers.proxy import bypasses, parse_proxy, proxy_for
from hybridllm.providers.tls import tls_context
from tests.providers.certificates import make_certificates
from tests.providers.servers import OK, Peer, Script, always, calling, eventually, serving

LOOPS = pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
Run = Callable[[Awaitable[None]], None]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ssl.SSLContext]:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@LOOPS
def test_an_authority_of_ones_own(run: Run, certificates: tuple[str, ssl.SSLContext]) -> None:
    ca_file, context = certificates

    async def main() -> None:
        async with (
            serving(always(OK), context) as server,
            calling(server, scheme="https", host="localhost", ca_file=ca_file) as caller,
        ):
            for body in (b"{}", b"x" * 300_000):
                assert await (await caller.post(body)).read() == b"hi"
            assert server.accepted == 1

    run(main())


@LOOPS
@pytest.mark.parametrize(("host", "trusted"), [("localhost", False), ("127.0.0.1", True)])
def test_an_unknown_authority_and_another_hosts_certificate_are_refused(
    run: Run, host: str, trusted: bool, certificates: tuple[str, ssl.SSLContext]
) -> None:
    ca_file, context = certificates

    async def main() -> None:
        async with (
            serving(always(OK), context) as server,
            calling(
                server, scheme="https", host=host, ca_file=ca_file if trusted else None
            ) as caller,
        ):
            with pytest.raises(ProviderError) as caught:
                await caller.post()
            assert caught.value.kind is ErrorKind.CONNECTION
            assert not caught.value.retryable
            assert "certificate" in caught.value.message
            assert len(caller.pool) == 0

    run(main())


async def test_ssl_cert_file_is_honoured(
    certificates: tuple[str, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", certificates[0])
    tls_context.cache_clear()
    try:
        async with (
            serving(always(OK), certificates[1]) as server,
            calling(server, scheme="https", host="localhost") as caller,
        ):
            assert await (await caller.post()).read() == b"hi"
    finally:
        tls_context.cache_clear()


def test_a_ca_file_that_cannot_be_read_is_a_mistake_of_configuration(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for name in ("empty.pem", "missing.pem"):
        with pytest.raises(ConfigError) as caught:
            tls_context(str(tmp_path / name))
        assert caught.value.field == "ca_file"


async def test_a_handshake_without_end_misses_the_connect_deadline() -> None:
    async def script(peer: Peer) -> None:
        await peer.gone()

    async with serving(script) as server, calling(server, scheme="https") as caller:
        with pytest.raises(ProviderError) as caught:
            await caller.post(connect=0.05)
        assert caught.value.kind is ErrorKind.TIMEOUT
        assert "'connect'" in caught.value.message
        assert len(caller.pool) == 0


# -- proxies


def tunnels(asked: list[bytes], port: int) -> Script:
    """A proxy that connects to loopback's `port`, whatever it is asked for."""

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def script(peer: Peer) -> None:
        asked.append(await peer.request())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pipe(peer.reader, writer), pipe(reader, peer.writer))

    return script


@LOOPS
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_through_a_proxy(run: Run, scheme: str, certificates: tuple[str, ssl.SSLContext]) -> None:
    ca_file, context = certificates
    asked: list[bytes] = []

    async def main() -> None:
        async with (
            serving(always(OK), context if scheme == "https" else None) as server,
            serving(tunnels(asked, server.port)) as proxy,
            calling(
                server,
                scheme=scheme,
                host="localhost",
                ca_file=ca_file,
                proxy=f"http://me:p%40ss@127.0.0.1:{proxy.port}",
            ) as caller,
        ):
            for _ in range(2):
                assert await (await caller.post()).read() == b"hi"
            caller.pool.retire()
            await eventually(lambda: len(caller.pool) == 0)
            assert (proxy.accepted, server.accepted) == (1, 1)
            credentials = b64encode(b"me:p@ss")
            target = b"localhost:%d" % server.port
            assert asked == [
                b"CONNECT %b HTTP/1.1\r\nhost: %b\r\nproxy-authorization: Basic %b\r\n\r\n"
                % (target, target, credentials)
            ]

    run(main())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
        b"SSH-2.0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nunasked",
        b"x" * 20_000,
        b"",
    ],
)
async def test_a_proxy_that_gives_no_tunnel(answer: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)

    async with (
        serving(script) as proxy,
        calling(proxy, proxy=f"http://me:secret@127.0.0.1:{proxy.port}") as caller,
    ):
        with pytest.raises(ProviderError) as caught:
            await caller.post()
        assert caught.value.kind is ErrorKind.CONNECTION
        assert "secret" not in caught.value.text()
        assert len(caller.pool) == 0


@pytest.mark.parametrize(
    ("scheme", "configured", "env", "port"),
    [
        ("https", None, {}, None),
        ("https", None, {"HTTPS_PROXY": "http://p:1"}, 1),
        ("https", None, {"https_proxy": "p:2", "HTTPS_PROXY": "http://p:1"}, 2),
        ("https", None, {"ALL_PROXY": "http://p"}, 80),
        ("http", None, {"HTTPS_PROXY": "http://p:1", "HTTP_PROXY": "http://p:2"}, None),
        ("http", None, {"http_proxy": "http://p:3"}, 3),
        ("https", "http://q:9", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, 9),
        ("https", "", {"HTTPS_PROXY": "http://p:1"}, None),
        ("https", None, {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "openai.com"}, None),
    ],
)
def test_which_proxy(
    scheme: str, configured: str | None, env: dict[str, str], port: int | None
) -> None:
    proxy = proxy_for(scheme, "api.openai.com", 443, configured, env)
    assert (proxy.port if proxy else None) == port


@pytest.mark.parametrize(
    ("host", "excepted", "expected"),
    [
        ("api.openai.com", "", False),
        ("api.openai.com", "example.org, .openai.com", True),
        ("api.openai.com", "*.openai.com", True),
        ("api.openai.com", "penai.com", False),
        ("api.openai.com", "openai.com:443", True),
        ("api.openai.com", "openai.com:8443", False),
        ("api.openai.com", "*", True),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "11.0.0.0/8 10.1.2.4", False),
        ("fd00::1", "fd00::/8", True),
        ("127.0.0.1", "", True),
        ("localhost", "", True),
    ],
)
def test_no_proxy(host: str, excepted: str, expected: bool) -> None:
    assert bypasses(host, 443, excepted) is expected


@pytest.mark.parametrize("url", ["socks5://secret@p:1", "https://p", "http://", "http://p:port"])
def test_a_proxy_of_another_kind_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_proxy(url, "proxy")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["ftp://a", "api.openai.com", "https://", "https://u:secret@a", "https://a?k=secret"]
)
def test_a_base_url_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Origin(url, env={})
    assert caught.value.field == "base_url"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "authority", "prefix"),
    [
        ("https://api.openai.com/v1/", "api.openai.com", "/v1"),
        ("https://a:443", "a", ""),
        ("http://[::1]:8080/x/y", "[::1]:8080", "/x/y"),
    ],
)
def test_host_and_path_of_a_base_url(url: str, authority: str, prefix: str) -> None:
    origin = Origin(url, env={})
    assert (origin.authority, origin.prefix) == (authority, prefix)
