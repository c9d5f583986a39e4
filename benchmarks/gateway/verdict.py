"""The bench's targets, and whether a run meets them."""

from __future__ import annotations

import statistics

from benchmarks.gateway.results import Latency, Results, Window
from msgspec import Struct

NOISE = 1.2
"""The same target in the same run differs by up to this factor from window to window."""
_MB = 1024


class Verdict(Struct, frozen=True):
    """`value` against `limit`; `at_least` says that it must not be below. Without a value it was
    not measured."""

    what: str
    value: float | None
    limit: float
    unit: str = ""
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        if self.value is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    @property
    def word(self) -> str:
        """What came of it; within the noise of the limit it says so."""
        if self.met is None or self.value is None:
            return "not measured"
        word = "met" if self.met else "missed"
        near = self.limit > 0 and self.limit / NOISE < self.value < self.limit * NOISE
        return f"{word}, within 20% of it" if near else word

    @property
    def wanted(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}{self.unit}"

    @property
    def shown(self) -> str:
        if self.value is None:
            return "-"
        return f"{self.value:.4g}{self.unit}"


def us_request(window: Window) -> float:
    return window.us_request


def us_chunk(window: Window) -> float:
    return window.us_chunk


def verdicts(results: Results) -> list[Verdict]:
    """All targets in order; those of what was not measured too."""
    found = [*_cpu(results), *_chunks(results), *_latency(results), *_standing(results)]
    errors = results.errors("gateway") + sum(m.errors for m in results.memory)
    errors += sum(s.load.errors for s in results.streams if s.target == "gateway")
    errors += sum(each.errors for each in results.latencies if each.target == "gateway")
    errors += results.workers.errors if results.workers is not None else 0
    found.append(Verdict("Requests that went wrong", float(errors), 0))
    found.append(Verdict("Requests that reached the upstream cut short", results.truncated, 0))
    return found


def _cpu(results: Results) -> list[Verdict]:
    ours, relay = ("chat", "gateway"), ("chat", "relay")
    rates = {
        name: results.ratio(("chat", name), ours, us_request)
        for name in ("litellm", "litellm-granian", "portkey")
    }
    litellm = [r for name in ("litellm", "litellm-granian") if (r := rates[name]) is not None]
    return [
        Verdict(
            "Chat: CPU beside the bare relay's", results.ratio(ours, relay, us_request), 2.5, "x"
        ),
        Verdict("Chat: CPU a request", results.median(*ours, us_request), 150, " µs"),
        Verdict(
            "Chat: the bare relay's CPU a request", results.median(*relay, us_request), 150, " µs"
        ),
        Verdict(
            "Chat: CPU of LiteLLM's better set-up beside ours",
            min(litellm, default=None),
            70,
            "x",
            at_least=True,
        ),
        Verdict("Chat: CPU of Portkey beside ours", rates["portkey"], 8, "x", at_least=True),
        Verdict(
            "Chat, Anthropic in, OpenAI out: CPU beside the same dialect's",
            results.ratio(("chat-cross", "gateway"), ours, us_request),
            1.5,
            "x",
        ),
        Verdict(
            "Chat, OpenAI in, Anthropic out: CPU beside the same dialect's",
            results.ratio(("chat-back", "gateway"), ours, us_request),
            1.5,
            "x",
        ),
    ]


def _chunks(results: Results) -> list[Verdict]:
    def of(scenario: str) -> float | None:
        return results.median(scenario, "gateway", us_chunk)

    def first(window: Window) -> float:
        return window.load.first_us.p50 / 1000

    return [
        Verdict("Stream, saturated: CPU a chunk passed", of("stream"), 8, " µs"),
        Verdict("Stream, saturated: CPU a chunk translated", of("stream-cross"), 14, " µs"),
        Verdict("Stream, 10 ms a chunk: CPU a chunk passed", of("paced"), 60, " µs"),
        Verdict("Stream, 10 ms a chunk: CPU a chunk translated", of("paced-cross"), 75, " µs"),
        # A whole stream takes 640 ms, and its first content is sent after 10.
        Verdict(
            "Stream, 10 ms a chunk: time to the first content",
            results.median("paced", "gateway", first),
            50,
            " ms",
        ),
        Verdict(
            "Stream, 10 ms a chunk, translated: time to the first content",
            results.median("paced-cross", "gateway", first),
            50,
            " ms",
        ),
    ]


def added(results: Results, target: str, percentile: str) -> float | None:
    """Median over the rounds of what the target adds to a percentile, in microseconds."""
    found = [_added(each, percentile) for each in results.latencies if each.target == target]
    return statistics.median(found) if found else None


def _added(latency: Latency, percentile: str) -> float:
    through: float = getattr(latency.through, percentile)
    direct: float = getattr(latency.direct, percentile)
    return through - direct


def _latency(results: Results) -> list[Verdict]:
    p50 = added(results, "gateway", "p50")
    ours, relay = added(results, "gateway", "p99"), added(results, "relay", "p99")
    beside = ours / relay if ours is not None and relay is not None and relay > 0 else None
    return [
        Verdict(
            "200 requests/s: latency added at p50",
            p50 / 1000 if p50 is not None else None,
            0.6,
            " ms",
        ),
        Verdict("200 requests/s: latency added at p99, beside the relay's", beside, 2, "x"),
    ]


def _standing(results: Results) -> list[Verdict]:
    starts = results.starts.get("gateway", [])
    memory = results.memory
    most = max((m.pss_kb for m in memory), default=0) / _MB
    if not memory:
        most = max((w.pss_kb for w in results.windows if w.target == "gateway"), default=0) / _MB
    grown = memory[-1].pss_kb / memory[0].pss_kb if memory else None
    streams = next((s for s in results.streams if s.target == "gateway"), None)
    return [
        Verdict("Start to first answer", statistics.median(starts) if starts else None, 1, " s"),
        Verdict("Memory of a worker", most or None, 80, " MB"),
        Verdict(
            f"Memory after {memory[-1].requests:,} requests, beside after a tenth of them"
            if memory
            else "Memory after many requests, beside after a tenth of them",
            grown,
            1.1,
            "x",
        ),
        Verdict(
            "2,000 slow streams at once: memory each",
            streams.kb_each if streams else None,
            60,
            " KB",
        ),
        Verdict(
            "2,000 slow streams at once: open together",
            float(streams.load.most_open) if streams else None,
            2000,
            at_least=True,
        ),
        Verdict(
            "Requests/s of two workers beside one",
            results.workers.ratio if results.workers else None,
            1.7,
            "x",
            at_least=True,
        ),
    ]
