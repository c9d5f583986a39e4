"""Runs a Python program that nobody has read: in a process of its own that sees no network, no
files but Python's own, no environment and no other process, within limits.

On Linux (x86-64, arm64) by namespaces, a root of its own, a filter of system calls and resource
limits, all set by `jail.py`. Where those cannot be had, nothing is run: `Sandbox.check` says why.
"""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from secrets import token_hex

import msgspec
from msgspec import Struct

from hybridllm.errors import ErrorKind, HybridError

_JAIL = Path(__file__).with_name("jail.py")
_MOST_OUTPUT = 64 * 1024
_REFUSED = 97
"""The jail's exit status where it could not be closed; nothing was run then."""


class Limits(Struct, frozen=True, kw_only=True):
    """`seconds` of wall clock; of CPU it is as many, rounded up. `memory_mb` of address space,
    `disk_mb` of files in its own directory. Threads and further processes are not allowed at
    all."""

    seconds: float = 5.0
    memory_mb: int = 512
    disk_mb: int = 16


class Ran(Struct, frozen=True, kw_only=True):
    """How a program ended. `ok`: it ran to its end, without an error. `why` else says in a line
    what happened: the limit, or the error's last line."""

    ok: bool
    why: str = ""


def run_python(code: str, tests: str, limits: Limits = Limits()) -> Ran:  # noqa: B008 - frozen
    """Run `code` and then `tests` in its namespace. Blocks; from a thread, several may run at a
    time. Raises HybridError(UNSUPPORTED) where there is no sandbox: nothing is run then.

    That the tests were reached is told by a word that the program is not given, so that an early
    exit is no success; code that searches its own interpreter for that word could still lie.
    """
    check()
    return _run(code, tests, limits)


def check() -> None:
    """Raises HybridError(UNSUPPORTED) where programs cannot be locked in."""
    reason = unavailable()
    if reason:
        raise HybridError(
            f"There is no sandbox here, and no answer's code is run without one: {reason}.",
            kind=ErrorKind.UNSUPPORTED,
            remedy="Run it on Linux with user namespaces (a container needs the right to make "
            "them), or grade with another grader.",
        )


@lru_cache(maxsize=1)
def unavailable() -> str:
    """Why programs cannot be locked in here; "" where they can. Tried once."""
    if not sys.platform.startswith("linux"):
        return f"{platform.system()} has no namespaces"
    if platform.machine() not in ("x86_64", "aarch64"):
        return f"no filter of system calls is known for {platform.machine()}"
    try:
        ran = _run("", "", Limits(seconds=20))
    except HybridError as e:
        return e.message
    return "" if ran.ok else ran.why


def _run(code: str, tests: str, limits: Limits) -> Ran:
    word = token_hex(16)
    told = msgspec.json.encode(
        {"code": code, "tests": tests, "word": word, **msgspec.structs.asdict(limits)}
    )
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile("a+b") as said:
        given.write(told)
        given.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_JAIL)],
            stdin=given,
            stdout=said,
            stderr=said,
            env={},
            cwd="/",
            start_new_session=True,
        )
        late = False
        try:
            status = process.wait(limits.seconds)
        except subprocess.TimeoutExpired:
            late = True
            status = -signal.SIGKILL
        finally:
            _end(process)
        output = _tail(said.fileno())
    if status == _REFUSED:
        raise HybridError(_last_line(output) or "it cannot be closed")
    if late or status == 128 + signal.SIGXCPU:
        return Ran(ok=False, why=f"not done in {limits.seconds:g} s")
    if status == 0 and output.endswith(word):
        return Ran(ok=True)
    if status == 128 + signal.SIGKILL:
        return Ran(ok=False, why="killed at a limit")
    why = "it ended before its tests did" if status == 0 else _last_line(output)
    return Ran(ok=False, why=why or f"ended with status {status}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """The jail dies with its keeper, and everything in it with the jail."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def _tail(file: int) -> str:
    size = os.fstat(file).st_size
    return os.pread(file, _MOST_OUTPUT, max(0, size - _MOST_OUTPUT)).decode("utf-8", "replace")


def _last_line(output: str) -> str:
    lines = output.strip().splitlines()
    return "".join(c for c in lines[-1][:200] if c.isprintable()) if lines else ""
