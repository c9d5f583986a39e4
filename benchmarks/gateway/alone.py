"""One bench at a time: two would measure each other."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.gateway.build import BENCH
from benchmarks.gateway.targets import RUN


class BusyError(Exception):
    """Another bench is running."""


@contextmanager
def alone() -> Iterator[None]:
    """Hold the bench's lock, and the run's folder, which is removed in the end unless something
    went wrong. Raises BusyError."""
    BENCH.mkdir(exist_ok=True)
    with (BENCH / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError("Another bench is running; two would measure each other.") from None
        _tidy()
        RUN.mkdir(parents=True, exist_ok=True)
        yield
        shutil.rmtree(RUN, ignore_errors=True)


def _tidy() -> None:
    """Remove what runs left behind that were ended before their time."""
    for left in RUN.parent.glob("[0-9]*"):
        if not Path(f"/proc/{left.name}").exists():
            shutil.rmtree(left, ignore_errors=True)
