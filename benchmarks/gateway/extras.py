"""What is not measured in windows: the start, memory, many slow streams at once, two workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.gateway.load import Generator, Load, Upstream
from benchmarks.gateway.machine import cpu_seconds, pss_kb, tree
from benchmarks.gateway.quota import NoQuotaError, held
from benchmarks.gateway.results import Memory, Results, Streams, Workers
from benchmarks.gateway.scenarios import CHAT, CRAWL
from benchmarks.gateway.targets import GATEWAY, TWO_WORKERS, Running, Target

Told = Callable[[str], None]

_STARTS = 5
_TENTHS = 10
_SHARE = 0.3
"""Of a core a worker: two of them leave room on theirs, and generator and upstream keep up."""


def starts(results: Results, upstream: Upstream, target: Target, told: Told) -> None:
    """Seconds from starting the process to its first answer."""
    figures = []
    for _ in range(_STARTS):
        running = Running(target, upstream.port)
        running.stop()
        figures.append(running.started_seconds)
    results.starts[target.name] = figures
    told(f"start: {target.title}: {min(figures):.2f} to {max(figures):.2f} s")


def many_streams(
    results: Results, generator: Generator, upstream: Upstream, target: Target, told: Told
) -> None:
    """CRAWL's connections at once, each one stream."""
    running = Running(target, upstream.port)
    try:
        _requests(generator, running, 2000)
        before, cpu = pss_kb(running.pid), cpu_seconds(running.pid)
        most = before

        def look() -> None:
            nonlocal most
            most = max(most, pss_kb(running.pid))

        load = generator.run(
            CRAWL,
            [running.port],
            model=target.model(CRAWL),
            headers=running.headers(CRAWL),
            seconds=60,
            requests=CRAWL.connections,
            grace=60,
            meanwhile=look,
        )[0]
        found = Streams(
            target=target.name,
            count=CRAWL.connections,
            load=load,
            before_kb=before,
            most_kb=most,
            after_kb=pss_kb(running.pid),
            cpu_seconds=cpu_seconds(running.pid) - cpu,
        )
    finally:
        running.stop()
    results.streams.append(found)
    told(
        f"{found.count} slow streams: {target.title}: {found.load.most_open} open at once, "
        f"{found.load.errors} errors, {found.kb_each:.1f} KB each {load.sample}"
    )


def memory(
    results: Results,
    generator: Generator,
    upstream: Upstream,
    *,
    requests: int,
    seconds: float,
    told: Told,
) -> None:
    """The gateway's memory at each tenth of `requests`, or of `seconds` where that is sooner."""
    running = Running(GATEWAY, upstream.port)
    done = 0
    try:
        for _ in range(_TENTHS):
            load = _requests(generator, running, requests // _TENTHS, seconds / _TENTHS)
            done += load.good
            found = Memory(done, pss_kb(running.pid), load.errors, load.sample)
            results.memory.append(found)
            trouble = f", {found.errors} errors: {found.sample}" if found.errors else ""
            told(f"memory: {found.pss_kb / 1024:.1f} MB after {done:,} requests{trouble}")
    finally:
        running.stop()


def _requests(generator: Generator, running: Running, count: int, seconds: float = 60.0) -> Load:
    """Answer `count` chats, or as many as are begun in `seconds`."""
    return generator.run(
        CHAT,
        [running.port],
        model=running.target.model(CHAT),
        headers=running.headers(CHAT),
        seconds=seconds,
        requests=count,
    )[0]


def workers(
    results: Results,
    generator: Generator,
    upstream: Upstream,
    *,
    rounds: int,
    seconds: float,
    told: Told,
) -> None:
    """Two workers beside one, each held to the same share of a core, by turns."""
    found = Workers(share=_SHARE, one=[], two=[], errors=0)
    one, two = Running(GATEWAY, upstream.port), None
    try:
        two = Running(TWO_WORKERS, upstream.port)
        errors = 0
        for _ in range(rounds):
            for running, figures in ((one, found.one), (two, found.two)):
                with held(_serving(running), _SHARE):
                    for length in (1.0, seconds):
                        load = generator.run(
                            CHAT,
                            [running.port],
                            model="auto",
                            headers=running.headers(CHAT),
                            seconds=length,
                        )[0]
                figures.append(load.requests_s)
                errors += load.errors
        results.workers = Workers(share=_SHARE, one=found.one, two=found.two, errors=errors)
        told(f"two workers: {results.workers.ratio:.2f} times one")
    except NoQuotaError as e:
        results.workers_note = f"Not measured: {e}"
        told(f"two workers: {results.workers_note}")
    finally:
        one.stop()
        if two is not None:
            two.stop()


def _serving(running: Running) -> list[int]:
    """The processes that serve: the workers, where there are some, else the one process."""
    children = [pid for pid in tree(running.pid) if pid != running.pid]
    spawned = [pid for pid in children if b"spawn_main" in _command(pid)]
    return spawned or [running.pid]


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
