"""The journal: what is certain before a reply ends.

`<directory>/journal/` holds one directory a *run*, a process from start to end, named
`w<worker>-p<pid>-<start>`, and in it numbered segments. The process holds flock(2) on its run's
directory for as long as it lives, however it dies, so an unlocked run is an orphan that anyone may
load. An entry is one write(2): it is in the kernel when `append` returns, and survives kill -9 of
the process (not the loss of power in the seconds after, since nothing is synced).
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from secrets import token_hex
from threading import Lock
from typing import NamedTuple

import msgspec

from hybridllm.errors import ErrorKind, HybridError
from hybridllm.ledger.frames import frame
from hybridllm.ledger.record import Attempt, Intent

_SUFFIX = ".seg"
_MOST = 2**63 - 1


class Segment(NamedTuple):
    """A file of a run, by its number; later ones have higher numbers."""

    number: int
    path: Path


class Journal:
    """The writing end of this process's run. Threads may share it. A segment that has reached
    `segment_bytes` is followed by another."""

    segment_bytes = 4 * 1024 * 1024

    def __init__(self, root: Path, worker: int) -> None:
        """Start a run below `root` and lock it. Raises HybridError(UNAVAILABLE)."""
        name = f"w{worker}-p{os.getpid()}-{time.time_ns():x}{token_hex(2)}"
        self.run = root / name
        self._guard = Lock()
        self._fd = -1
        self._number = 0
        try:
            for directory in (root.parent, root, self.run):
                directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = self._locked()
            self._rotate()
        except OSError as e:
            raise _unwritable(root, e) from e

    def _locked(self) -> int:
        while True:
            lock = os.open(self.run, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.run.exists():
                return lock
            # Between mkdir and flock, someone took the empty run for an orphan and removed it.
            os.close(lock)
            self.run.mkdir(parents=True, mode=0o700)

    def append(self, entry: Intent | Attempt) -> None:
        """Write the entry. Raises HybridError(UNAVAILABLE) if it could not be written whole; then
        nothing of it stays."""
        try:
            data = frame(entry)
        except (OverflowError, UnicodeEncodeError):
            data = frame(_representable(entry))
        with self._guard:
            try:
                if self._size >= self.segment_bytes:
                    self._rotate()
                written = os.write(self._fd, data)
                if written != len(data):
                    os.ftruncate(self._fd, self._size)
                    raise OSError(f"wrote {written} of {len(data)} bytes")
            except OSError as e:
                raise _unwritable(self.run, e) from e
            self._size += written

    def _rotate(self) -> None:
        path = self.run / f"{self._number + 1:08d}{_SUFFIX}"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._size, self._number = fd, 0, self._number + 1

    def close(self) -> None:
        """Stop writing. The run stays locked until `release`."""
        with self._guard:
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = -1

    def release(self) -> None:
        """Let go of the run: what is left of it is an orphan."""
        os.close(self._lock)


def segments(run: Path) -> list[Segment]:
    """A run's segments in order; none if the run is gone."""
    try:
        names = sorted(name for name in os.listdir(run) if name.endswith(_SUFFIX))
    except FileNotFoundError:
        return []
    return [Segment(int(name.removesuffix(_SUFFIX)), run / name) for name in names]


def runs(root: Path) -> list[Path]:
    """All runs below `root`, living and orphaned, oldest name first."""
    try:
        return sorted(path for path in root.iterdir() if path.is_dir())
    except FileNotFoundError:
        return []


def lock_orphan(run: Path) -> int | None:
    """Lock a run whose process is dead: a file descriptor, to be closed by the caller. None if
    its process lives, another loader has it, or it is gone."""
    try:
        lock = os.open(run, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _representable(entry: Intent | Attempt) -> Intent | Attempt:
    """The entry with whatever MessagePack cannot hold put right: integers cut to 63 bits, lone
    surrogates replaced. A provider that reports 10^30 tokens must still leave a row."""
    changes: dict[str, object] = {}
    for name, value in msgspec.structs.asdict(entry).items():
        if isinstance(value, str):
            changes[name] = value.encode("utf-8", "replace").decode()
        elif isinstance(value, int) and not isinstance(value, bool):
            changes[name] = max(-_MOST, min(value, _MOST))
    return msgspec.structs.replace(entry, **changes)


def _unwritable(path: Path, cause: OSError) -> HybridError:
    return HybridError(
        f"The ledger's journal cannot be written ({path}: {cause.strerror or cause}).",
        kind=ErrorKind.UNAVAILABLE,
        field="ledger.directory",
        remedy="Free space there, or set ledger.directory to a writable directory.",
    )
