"""The generator and the upstream, as Python sees them."""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from benchmarks.gateway.build import build
from benchmarks.gateway.machine import LOAD_CORE, pinned
from benchmarks.gateway.process import Process, Request, free_port
from benchmarks.gateway.scenarios import CHAT, Scenario

_STEP_SECONDS = 0.25


class Times(msgspec.Struct, frozen=True):
    """Of `n` times some percentiles, in microseconds."""

    n: int = 0
    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    p999: float = 0.0
    max: float = 0.0


class Load(msgspec.Struct, frozen=True):
    """What load.c says of one port. `first_us` is until the first content, `transit_us` from when
    the upstream sent a chunk until it was read."""

    port: int
    seconds: float
    started: int
    good: int
    errors: int
    bad_status: int
    bad_body: int
    cut: int
    refused: int
    late: int
    unfinished: int
    reconnects: int
    bytes: int
    most_open: int
    requests_s: float
    chunks: int
    chunks_s: float
    latency_us: Times
    first_us: Times
    transit_us: Times
    sample: str = ""


class Generator:
    """load.c, with its request bodies in `home`."""

    def __init__(self, home: Path, *, core: int | None = LOAD_CORE) -> None:
        """Raises NoCompilerError."""
        self._program = build("load")
        self._home = home
        self._cores = () if core is None else (core,)
        home.mkdir(parents=True, exist_ok=True)

    def run(
        self,
        scenario: Scenario,
        ports: Sequence[int],
        *,
        model: str,
        headers: Sequence[str] = (),
        seconds: float,
        connections: int | None = None,
        requests: int = 0,
        rate: int = 0,
        grace: float = 10.0,
        meanwhile: Callable[[], None] | None = None,
    ) -> list[Load]:
        """Put load on the ports; see load.c. `meanwhile` is called every quarter of a second."""
        body = self._home / "body.json"
        body.write_bytes(scenario.body(model))
        command = [
            *(str(self._program), "--body", str(body), "--path", scenario.path),
            *("--expect", scenario.expect, "--seconds", str(seconds), "--grace", str(grace)),
            *("--connections", str(connections or scenario.connections)),
            *("--requests", str(requests), "--rate", str(rate)),
        ]
        for header in headers:
            command += ["--header", header]
        command += map(str, ports)
        with pinned(*self._cores):
            process = subprocess.Popen(command, stdout=subprocess.PIPE)
        try:
            while True:
                try:
                    output, _ = process.communicate(timeout=_STEP_SECONDS if meanwhile else None)
                    break
                except subprocess.TimeoutExpired:
                    if meanwhile is not None:
                        meanwhile()
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            raise RuntimeError(f"The generator ended with status {process.returncode}.")
        return msgspec.json.decode(output, type=list[Load])


class Upstream:
    """upstream.c on a free port, as a context manager."""

    def __init__(self, home: Path, *, core: int | None = LOAD_CORE) -> None:
        """Raises NoCompilerError."""
        program = build("upstream")
        self.port = free_port()
        self._process = Process(
            [str(program), str(self.port)],
            home / "upstream.log",
            cores=() if core is None else (core,),
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def stats(self) -> dict[str, Any]:
        """Its own counts: requests, streams, truncated, refused, abandoned, open."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/stats")
            found: dict[str, Any] = json.loads(connection.getresponse().read())
            return found
        finally:
            connection.close()

    def __enter__(self) -> Upstream:
        self._process.wait_until(Request(self.port, CHAT.path, CHAT.body("m"), ()), 10)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()
