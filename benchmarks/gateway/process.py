"""A process of the bench: started on its core, asked until it answers, ended with all its kin."""

from __future__ import annotations

import ctypes
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.gateway.machine import pinned

_KEPT_ENV = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH")


class StartError(Exception):
    """A process did not come up; says why."""


_SET_PARENT_DEATH_SIGNAL = 1
_libc = ctypes.CDLL(None)


def _end_with_parent() -> None:
    """In the child: be told to end when the bench ends, even when that is killed at once. A target
    in a session of its own would outlive it, and disturb whatever is measured next."""
    _libc.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)


def end_on_signals() -> None:
    """Have SIGTERM and SIGHUP end this process as an interrupt does, tidying up on the way."""

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)


def free_port() -> int:
    """A port of loopback that nobody has, for now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class Process:
    """`command` in a session of its own, pinned to `cores`, its output in `log`.

    Of this process's environment it sees only what any program needs, so no provider's key.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        cores: Sequence[int] = (),
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        kept = {name: os.environ[name] for name in _KEPT_ENV if name in os.environ}
        self.began = time.monotonic()
        with log.open("wb") as output, pinned(*cores):
            self._process = subprocess.Popen(
                command,
                env={**kept, **(env or {})},
                cwd=cwd,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def said(self) -> str:
        """The end of its output."""
        return self._log.read_text(errors="replace")[-800:]

    def wait_until(self, answers: Request, seconds: float) -> float:
        """Ask until `answers` is answered with 200; seconds from the start until then. Raises
        StartError."""
        last = "no answer"
        while time.monotonic() - self.began < seconds:
            if self._process.poll() is not None:
                raise StartError(f"ended with status {self._process.returncode}: {self.said()}")
            try:
                status, body = answers.ask()
                if status == 200:
                    return time.monotonic() - self.began
                last = f"{status}: {body[:300].decode(errors='replace')}"
            except OSError as e:
                last = str(e)
            time.sleep(0.005)
        raise StartError(f"no answer within {seconds:g} s; last: {last}; {self.said()}")

    def stop(self) -> None:
        """End it and what it started: asked first, then at once."""
        for number, patience in ((signal.SIGTERM, 15.0), (signal.SIGKILL, 15.0)):
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                break
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
        self._process.wait()


class Request:
    """One POST, asked of a port by a plain client."""

    def __init__(self, port: int, path: str, body: bytes, headers: Sequence[str]) -> None:
        self._port = port
        self._path = path
        self._body = body
        self._headers = dict(header.split(": ", 1) for header in headers)
        self._headers["content-type"] = "application/json"

    def ask(self) -> tuple[int, bytes]:
        """Status and body. Raises OSError."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            connection.request("POST", self._path, self._body, self._headers)
            response = connection.getresponse()
            return response.status, response.read()
        except http.client.HTTPException as e:
            raise OSError(f"{type(e).__name__}: {e}") from None
        finally:
            connection.close()
