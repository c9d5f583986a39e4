"""The simulators in a process of their own: for loads, and for tests that kill the gateway."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from types import TracebackType
from typing import Any
from urllib.request import Request, urlopen

import msgspec

from hybridllm.errors import ConfigError
from hybridllm.simulators.calls import CallRecord, Counts
from hybridllm.simulators.faults import Fault
from hybridllm.simulators.surface import Addresses, Surface


class SimulatorProcess(Surface):
    """As `Simulators`, in a child process, reached through the control API. The child ends when
    this process does, however that ends."""

    def __init__(
        self,
        profile: str = "fast",
        *,
        openai_port: int = 0,
        anthropic_port: int = 0,
        google_port: int = 0,
        keep_calls: bool = True,
        seed: int = 0,
    ) -> None:
        """See `Simulators`; `profile` is a name."""
        self._command = [
            *(sys.executable, "-m", "hybridllm.simulators"),
            *("--profile", profile),
            *("--openai-port", str(openai_port)),
            *("--anthropic-port", str(anthropic_port)),
            *("--google-port", str(google_port)),
            *("--seed", str(seed)),
            *(() if keep_calls else ("--no-keep-calls",)),
            "--with-parent",
        ]
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    def start(self) -> SimulatorProcess:
        """Start the child; returns when all three answer. Raises ConfigError if it cannot."""
        child = self._child = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        line = child.stdout.readline() if child.stdout else b""
        if not line:
            self.stop()
            raise ConfigError("The simulators' process did not start; its errors are above.")
        self._addresses = msgspec.json.decode(line, type=Addresses)
        return self

    def stop(self) -> None:
        """End the child. May be called twice."""
        child, self._child, self._addresses = self._child, None, None
        if child is None:
            return
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
        child.terminate()
        child.wait()

    def faults(self, *faults: Fault) -> None:
        """Add faults; they take effect with the next call that arrives."""
        self._control("POST", "faults", msgspec.json.encode(faults))

    def clear_faults(self) -> None:
        self._control("DELETE", "faults")

    def calls(self, provider: str | None = None) -> list[CallRecord]:
        """Every call since the start or the last reset, in order of arrival."""
        query = f"?provider={provider}" if provider else ""
        return msgspec.json.decode(self._control("GET", "calls" + query), type=list[CallRecord])

    def counts(self) -> Counts:
        """Sums over the calls."""
        return msgspec.json.decode(self._control("GET", "counts"), type=Counts)

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once for caches, faults, limits and batches: nothing is waited
        for."""
        self._control("POST", "clock", msgspec.json.encode({"advance": seconds}))

    def reset(self) -> None:
        """As if just started: no calls, no faults, cold caches, full limits."""
        self._control("POST", "reset")

    def _control(self, method: str, path: str, body: bytes | None = None) -> Any:
        request = Request(f"{self.control}/{path}", data=body, method=method)
        with urlopen(request, timeout=60) as response:
            return response.read()

    def __enter__(self) -> SimulatorProcess:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    async def __aenter__(self) -> SimulatorProcess:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.stop)
