"""What each step of a request costs, measured alone: the least of many short repeats, which is
steady even on a busy machine, where whole requests are not.

    python -m benchmarks.gateway.steps [--seconds 0.3] [--calls]

The engine's own way is walked in this process, with a journal on disk and an upstream that answers
from memory; sockets, uvicorn and the client are not in it. With --calls the functions of one whole
request are counted instead.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop
from benchmarks.gateway.config import gateway_config, gateway_env
from benchmarks.gateway.scenarios import CHAT, CHAT_CROSS, STREAM, STREAM_CROSS, Scenario

from hybridllm.config_file import load_config, resolve_providers
from hybridllm.engine.call import Call
from hybridllm.engine.runtime import Runtime
from hybridllm.engine.way import Engine, plan_trip
from hybridllm.ledger.journal import Journal
from hybridllm.wire.dialect import DropPolicy, RequestShape
from hybridllm.wire.registry import get_dialect
from hybridllm.wire.translate import TranslatingRelay

_BATCH = 10
"""Repeats between two looks at the clock: few enough to fit between two interruptions."""
_CHUNKS = 64
_CALLS = 1000

REPLY = (
    b'{"id":"chatcmpl-bench","object":"chat.completion","created":1764000000,"model":"bench-1",'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"' + b"A ledger keeps. " * 11 +
    b'","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":210,'
    b'"completion_tokens":34,"total_tokens":244,"prompt_tokens_details":{"cached_tokens":0},'
    b'"completion_tokens_details":{"reasoning_tokens":0}},"system_fingerprint":"fp_bench"}'
)  # fmt: skip
_HEAD = b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1764000000,'
ROLE = (
    _HEAD + b'"model":"bench-1","choices":[{"index":0,"delta":{"role":"assistant","content":""},'
    b'"finish_reason":null}]}\n\n'
)
CHUNK = (
    _HEAD + b'"model":"bench-1","system_fingerprint":"fp_bench","choices":[{"index":0,"delta":'
    b'{"content":" ~123456789012345~"},"logprobs":null,"finish_reason":null}],"usage":null}\n\n'
)
LAST = (
    _HEAD + b'"model":"bench-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    + _HEAD + b'"model":"bench-1","choices":[],"usage":{"prompt_tokens":210,"completion_tokens":64,'
    b'"total_tokens":274}}\n\ndata: [DONE]\n\n'
)  # fmt: skip


class _Reply:
    """A reply of the upstream's, there at once; a stream comes chunk by chunk."""

    def __init__(self, stream: bool) -> None:
        kind = "text/event-stream" if stream else "application/json"
        self.status = 200
        self.headers = {"content-type": kind, "x-request-id": "req_bench"}
        self.complete = True
        self._pieces = [LAST, *([CHUNK] * _CHUNKS), ROLE] if stream else []

    async def read(self, limit: int = 0) -> bytes:
        return REPLY

    async def chunk(self) -> bytes:
        return self._pieces.pop() if self._pieces else b""

    def close(self) -> None:
        pass


class _Upstream:
    """A provider's upstream, but for what it sends, which is nothing."""

    def __init__(self, real: Any, stream: bool) -> None:
        self._real = real
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def send(self, **_: Any) -> _Reply:
        return _Reply(self._stream)


def _call(scenario: Scenario) -> Call:
    fields = {
        "host": "127.0.0.1:4000",
        "content-type": "application/json",
        "authorization": "Bearer hl-bench-key",
        "x-hybridllm-task": scenario.task,
        "content-length": "1024",
    }
    return Call(
        dialect=get_dialect(scenario.caller),
        shape=RequestShape(),
        body=scenario.body("auto"),
        task=scenario.task,
        headers=[(name.encode(), value.encode()) for name, value in fields.items()],
    )


class Steps:
    """Times steps, each for `seconds`, and prints them."""

    def __init__(self, home: Path, seconds: float) -> None:
        os.environ.update(gateway_env())
        (home / "hybridllm.toml").write_text(gateway_config(9))
        config = load_config(str(home / "hybridllm.toml"), "guide")
        self._runtime = Runtime(config, resolve_providers(config))
        journal = Journal(home / "journal", 0)
        self._engine = Engine(self._runtime, _Appending(journal))
        self._real = self._runtime.upstreams["bench"]
        self._seconds = seconds

    def step(self, name: str, run: Callable[[], Any], per: int = 1) -> None:
        """Time `run`, which does `per` of what is named."""
        least = float("inf")
        until = time.perf_counter() + self._seconds
        while (began := time.perf_counter()) < until:
            for _ in range(_BATCH):
                run()
            least = min(least, (time.perf_counter() - began) / _BATCH)
        print(f"{least / per * 1e6:8.2f} us  {name}")

    async def way(self, name: str, scenario: Scenario) -> None:
        """Time whole requests through the engine."""
        request = self._request(scenario)
        least = float("inf")
        until = time.perf_counter() + self._seconds * 4
        while (began := time.perf_counter()) < until:
            await request()
            least = min(least, time.perf_counter() - began)
        per = f", {least / _CHUNKS * 1e6:.2f} us a chunk" if scenario.stream else ""
        print(f"{least * 1e6:8.2f} us  {name}{per}")

    async def calls(self, scenario: Scenario) -> None:
        """Print what is called by a request, and how often."""
        request = self._request(scenario)
        await request()
        with cProfile.Profile() as profile:
            for _ in range(_CALLS):
                await request()
        stats = pstats.Stats(profile)
        total: int = vars(stats)["total_calls"]
        print(f"{scenario.title}: {total / _CALLS:.0f} calls of functions a request")
        stats.sort_stats("ncalls").print_stats(30)
        stats.sort_stats("tottime").print_stats(30)

    def _request(self, scenario: Scenario) -> Callable[[], Awaitable[None]]:
        upstreams: dict[str, Any] = self._runtime.upstreams
        upstreams["bench"] = _Upstream(self._real, scenario.stream)
        call = _call(scenario)

        async def request() -> None:
            answer = await self._engine.handle(call)
            assert answer.status == 200, answer.body
            if answer.stream is not None:
                while await answer.stream.chunk():
                    pass
                answer.stream.close()

        return request

    def parts(self) -> None:
        """Time the steps that have a name of their own."""
        runtime, shape = self._runtime, RequestShape()
        openai, anthropic = get_dialect("openai"), get_dialect("anthropic")
        chat, cross = _call(CHAT), _call(CHAT_CROSS)
        trip = plan_trip(runtime, "hl-1", chat)
        model, facts = trip.plan.chain[0], trip.facts
        conversation = anthropic.decode_request(cross.body, shape)
        target, policy = runtime.targets[model.id], DropPolicy(runtime.drop, runtime.refuse)
        reply = openai.decode_reply(REPLY)
        self.step("facts, task and plan", lambda: plan_trip(runtime, "hl-1", chat))
        self.step("  OpenAI: facts", lambda: openai.facts(chat.body, shape))
        self.step("  Anthropic: facts", lambda: anthropic.facts(cross.body, shape))
        self.step("  name the task", lambda: runtime.namer.name(facts, "chat"))
        self.step("OpenAI: body passed on", lambda: openai.passthrough(chat.body, facts, "m"))
        self.step("OpenAI: reply metered", lambda: openai.meter(REPLY))
        self.step("answer's headers", lambda: trip.headers(model, b"application/json"))
        self.step("Anthropic: request read", lambda: anthropic.decode_request(cross.body, shape))
        self.step(
            "OpenAI: request written", lambda: openai.encode_request(conversation, target, policy)
        )
        self.step("OpenAI: reply read", lambda: openai.decode_reply(REPLY))
        self.step("Anthropic: reply written", lambda: anthropic.encode_reply(reply))
        passed = openai.relay(openai.facts(_call(STREAM).body, shape), shape)
        asked = anthropic.facts(_call(STREAM_CROSS).body, shape)
        turned = TranslatingRelay(openai.stream_decoder(), anthropic.stream_encoder(asked, shape))
        for relay in (passed, turned):
            relay.feed(ROLE + CHUNK)
        self.step("chunk passed, alone", lambda: passed.feed(CHUNK))
        self.step("chunk passed, of eight together", lambda: passed.feed(CHUNK * 8), per=8)
        self.step("chunk translated, alone", lambda: turned.feed(CHUNK))
        self.step("chunk translated, of eight together", lambda: turned.feed(CHUNK * 8), per=8)


class _Appending:
    """The ledger's writing end, without its loader."""

    def __init__(self, journal: Journal) -> None:
        self.intend: Callable[[Any], None] = journal.append
        self.record: Callable[[Any], None] = journal.append


async def _main(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as home:
        steps = Steps(Path(home), options.seconds)
        scenarios = (CHAT, CHAT_CROSS, STREAM, STREAM_CROSS)
        if options.calls:
            await steps.calls(CHAT)
            return
        for scenario in scenarios:
            await steps.way(f"engine, whole: {scenario.title}", scenario)
        steps.parts()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.3, help="for each step")
    parser.add_argument("--calls", action="store_true")
    uvloop.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
