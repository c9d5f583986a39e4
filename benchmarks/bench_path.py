"""What a request costs us between the HTTP server and the HTTP client, both replaced by stand-ins.

    python benchmarks/bench_path.py [--profile]

The ASGI application with everything on: key, task by header, routing over six candidates, price,
journal, headers. CPU µs a request, the least of several rounds; `--profile` says where they go.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from hybridllm.access.gate import Gate
from hybridllm.config_file import load_config, resolve_providers
from hybridllm.engine.runtime import Runtime
from hybridllm.engine.way import Engine
from hybridllm.gateway.app import Gateway
from hybridllm.gateway.endpoint import Service
from hybridllm.ledger import Ledger
from hybridllm.providers.response import Response

CONFIG = """
[ledger]
log = "off"
load_seconds = 3600.0
[tasks.classification]
candidates = ["openai/gpt-4o-mini", "openai/gpt-4o", "google/gemini-2.5-flash",
    "google/gemini-2.5-pro", "anthropic/claude-sonnet-4-6", "anthropic/claude-opus-4-7"]
"""
REPLY = msgspec.json.encode(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-mini",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "word " * 60},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 200, "completion_tokens": 60, "total_tokens": 260},
    }
)
CHUNK = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini",'
    b'"choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}\n\n'
)
LAST = (
    b'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
    b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":200,"completion_tokens":64,'
    b'"total_tokens":264}}\n\n',
    b"data: [DONE]\n\n",
)
ROUNDS, REQUESTS = 7, 1_500


class Arriving(Response):
    """A reply whose pieces arrive one by one, each as soon as it is asked for."""

    __slots__ = ("_coming",)

    def __init__(self, source: Any, pieces: list[bytes]) -> None:
        super().__init__(source, "stand-in")
        self._coming = iter(pieces)
        self.begin(200, {"content-type": "application/json", "x-request-id": "req_1"})

    async def chunk(self) -> bytes:
        return next(self._coming, b"")

    async def read(self, limit: int = 0) -> bytes:
        return b"".join(self._coming)


class Standing:
    """Stands in for `Client`: every request is answered at once."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    async def request(self, *_: Any) -> Response:
        return Arriving(self, self._pieces)

    def abort(self) -> None: ...

    def resume(self) -> None: ...


def body_of(dialect: str, stream: bool) -> tuple[str, bytes]:
    """A request of about a kilobyte."""
    message = {"role": "user", "content": "Classify this message, please. " * 26}
    body: dict[str, Any] = {"model": "auto", "messages": [message], "stream": stream}
    if dialect == "anthropic":
        return "/v1/messages", msgspec.json.encode(body | {"max_tokens": 100})
    return "/v1/chat/completions", msgspec.json.encode(body | {"max_tokens": 100})


async def measure(dialect: str, stream: bool, profile: bool) -> float:
    with tempfile.TemporaryDirectory() as home:
        path = f"{home}/hybridllm.toml"
        Path(path).write_text(CONFIG)  # noqa: ASYNC240 - nothing is served yet
        config = load_config(path, "guide", {})
        keys = {"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k", "GEMINI_API_KEY": "k"}
        runtime = Runtime(config, resolve_providers(config, keys))
        pieces = [CHUNK] * 64 + list(LAST) if stream else [REPLY]
        for upstream in runtime.upstreams.values():
            upstream._client = Standing(pieces)  # type: ignore[assignment]
        ledger = Ledger(msgspec.structs.replace(config.ledger, directory=home))
        ledger.open()
        store = f"sqlite:///{home}/ledger.db"
        app = Gateway(Service(Engine(runtime, ledger), ledger, Gate("secret-key", "K"), store))
        target, body = body_of(dialect, stream)
        headers = [
            (b"host", b"127.0.0.1:4000"),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"authorization", b"Bearer secret-key"),
            (b"x-hybridllm-task", b"classification"),
        ]
        message = {"type": "http.request", "body": body, "more_body": False}

        async def receive() -> Any:
            return message

        sent = 0

        async def send(event: Any) -> None:
            nonlocal sent
            if event["type"] == "http.response.start":
                assert event["status"] == 200, event
                sent += 1

        async def once() -> None:
            scope: dict[str, Any] = {
                "type": "http",
                "method": "POST",
                "path": target,
                "query_string": b"",
                "headers": list(headers),
            }
            await app(scope, receive, send)

        async def many(count: int) -> None:
            for _ in range(count):
                await once()

        count = REQUESTS // (8 if stream else 1)
        await many(count)
        best = float("inf")
        for _ in range(ROUNDS):
            begun = time.thread_time()
            await many(count)
            best = min(best, (time.thread_time() - begun) / count * 1e6)
        if profile:
            profiler = cProfile.Profile()
            profiler.enable()
            await many(count)
            profiler.disable()
            pstats.Stats(profiler).sort_stats("tottime").print_stats(45)
        ledger.close()
        return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("cases", nargs="*", default=["chat", "cross", "stream", "stream-cross"])
    options = parser.parse_args()
    for case in options.cases:
        dialect = "anthropic" if "cross" in case else "openai"
        stream = "stream" in case
        micros = asyncio.run(measure(dialect, stream, options.profile))
        per = f", {micros / 67:.2f} µs a chunk" if stream else ""
        print(f"{case:<14} {micros:8.1f} µs a request{per}")


if __name__ == "__main__":
    main()
