"""CPU a request of our HTTP client, beside aiohttp's, in interleaved rounds.

    python benchmarks/bench_client.py [--requests 20000] [--rounds 5] [--connections 64] [--json]
    python benchmarks/bench_client.py --profile    # where our own time goes

A server in a process of its own answers 1 KB chat calls on loopback; only this process's CPU
(user and system) is counted, so the server's does not matter. aiohttp is not a dependency: without
it only our own figure is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import multiprocessing
import pstats
import statistics
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection as Pipe
from typing import Any

import uvloop

from hybridllm.catalog.structs import ProviderSpec
from hybridllm.config import ProviderConfig, ResolvedProvider
from hybridllm.providers.upstream import close_upstreams, open_upstreams
from hybridllm.wire.dialect import RequestShape

BODY = b'{"model":"m","messages":[{"role":"user","content":"' + b"x" * 950 + b'"}]}'
ANSWER = b'{"id":"chatcmpl-1","choices":[{"message":{"content":"' + b"y" * 500 + b'"}}]}'
REPLY = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_1\r\n"
    b"x-ratelimit-remaining-requests: 9999\r\ncontent-length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER)
)

Call = Callable[[], Awaitable[bytes]]


class _Answering(asyncio.Protocol):
    """Answers as soon as as many bodies as BODY have come."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.tail = b""

    def data_received(self, data: bytes) -> None:
        data = self.tail + data
        while (end := data.find(BODY)) >= 0:
            data = data[end + len(BODY) :]
            self.transport.write(REPLY)
        self.tail = data


def _serve(pipe: Pipe) -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(main())


async def _cpu(call: Call, requests: int, connections: int) -> float:
    """CPU microseconds a request."""
    left = requests

    async def worker() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            assert await call() == ANSWER

    began = time.process_time()
    await asyncio.gather(*(worker() for _ in range(connections)))
    return (time.process_time() - began) / requests * 1e6


async def _ours(port: int, requests: int, connections: int) -> float:
    url = f"http://127.0.0.1:{port}/v1"
    resolved = ResolvedProvider(
        name="openai",
        spec=ProviderSpec(name="openai", dialect="openai", base_url=url),
        dialect="openai",
        base_url=url,
        keys=(("sk-1", "default", 1),),
        config=ProviderConfig(),
    )
    upstreams = open_upstreams({"openai": resolved}, {})
    upstream, shape = upstreams["openai"], RequestShape()
    headers = [(b"accept", b"*/*"), (b"user-agent", b"bench"), (b"content-type", b"x")]

    async def call() -> bytes:
        response = await upstream.send(
            key=upstream.keys.pick(0.0),
            model="m",
            shape=shape,
            body=BODY,
            headers=headers,
            attempt_id="hl-3f9c0a12b4d7-2a.1",
        )
        return await response.read()

    await _cpu(call, 200, connections)
    try:
        return await _cpu(call, requests, connections)
    finally:
        await close_upstreams(upstreams)


async def _aiohttp(port: int, requests: int, connections: int) -> float:
    import aiohttp

    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    headers = {"authorization": "Bearer sk-1", "content-type": "application/json"}
    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def call() -> bytes:
            async with session.post(url, data=BODY) as response:
                return await response.read()

        await _cpu(call, 200, connections)
        return await _cpu(call, requests, connections)


def _rounds(port: int, options: argparse.Namespace) -> dict[str, list[float]]:
    clients = {"hybridllm": _ours}
    try:
        import aiohttp  # noqa: F401
    except ImportError:
        pass
    else:
        clients["aiohttp"] = _aiohttp
    figures: dict[str, list[float]] = {name: [] for name in clients}
    for _ in range(options.rounds):
        for name, client in clients.items():
            run = client(port, options.requests, options.connections)
            figures[name].append(uvloop.run(run))
    return figures


def _report(figures: dict[str, list[float]], as_json: bool) -> None:
    medians = {name: statistics.median(values) for name, values in figures.items()}
    ratio = medians["aiohttp"] / medians["hybridllm"] if "aiohttp" in medians else None
    if as_json:
        print(json.dumps({"cpu_us": figures, "median_cpu_us": medians, "aiohttp_ratio": ratio}))
        return
    for name, values in figures.items():
        print(f"{name:10} {medians[name]:7.1f} us  ({min(values):.1f} to {max(values):.1f})")
    print(f"aiohttp uses {ratio:.1f} times as much" if ratio else "aiohttp is not installed")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,))
    server.start()
    try:
        port = ours.recv()
        if options.profile:
            with cProfile.Profile() as profile:
                uvloop.run(_ours(port, options.requests, options.connections))
            pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        else:
            _report(_rounds(port, options), options.json)
    finally:
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
