"""What a run has done, line by line in a file, so that one that was killed goes on where it was.

A line is written before a call is made and after, so that what a killed call may have cost is
known too. The file holds answers: it is readable by its owner alone.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import msgspec
from msgspec import Struct

from hybridllm.errors import ErrorKind, HybridError


class Began(Struct, kw_only=True, tag="began"):
    """The first line: what is run. `spec` is its digest: another run of the same goes on."""

    run: str
    at: int
    spec: str
    task: str
    models: list[str]
    set: str
    samples: int


class Held(Struct, kw_only=True, tag="held"):
    """So many picodollars were set aside for a call."""

    name: str
    upper: int
    purpose: str


class Paid(Struct, kw_only=True, tag="paid"):
    """A call cost so many picodollars."""

    name: str
    cost: int
    purpose: str


class Answered(Struct, kw_only=True, tag="answered"):
    """A model's answer. `finish` is why it ended."""

    model: str
    sample: str
    text: str
    finish: str
    request_id: str


class Judged(Struct, kw_only=True, tag="judged"):
    """What a judge said; `asked` is the digest of what it was asked."""

    asked: str
    text: str


class Graded(Struct, kw_only=True, tag="graded"):
    """An answer's grade; `at` is Unix microseconds."""

    model: str
    sample: str
    score: float
    at: int
    why: str = ""
    label: str | None = None


class Sent(Struct, kw_only=True, tag="sent"):
    """A batch is about to be handed to the lane under a token. `places` are its lines in order,
    (model, sample); `upper` picodollars are set aside for it."""

    token: str
    places: list[tuple[str, str]]
    upper: int


class Collected(Struct, kw_only=True, tag="collected"):
    """All of a batch's results are in this log."""

    token: str


class Ended(Struct, kw_only=True, tag="ended"):
    """The run is complete."""


Event = Began | Held | Paid | Answered | Judged | Graded | Sent | Collected | Ended
_decoder = msgspec.json.Decoder(Event)
_encoder = msgspec.json.Encoder()


class RunLog:
    """One run's file, which one process has at a time."""

    def __init__(self, path: Path, file: Any, events: list[Event]) -> None:
        self.path = path
        self.events = events
        """What it held when it was opened."""
        self._file = file

    @property
    def began(self) -> Began:
        """Its first line."""
        first = self.events[0]
        assert isinstance(first, Began)  # noqa: S101 - `open_log` has seen to it
        return first

    def add(self, event: Event) -> None:
        """Write a line; it is with the system when this returns, and survives our being killed."""
        self._file.write(_encoder.encode(event) + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Let others have it."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_log(directory: Path, began: Began, *, fresh: bool = False) -> RunLog:
    """The log of the unfinished run of the same spec, else (or if `fresh`) a new one. Raises
    HybridError(UNAVAILABLE) while another process has it."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in () if fresh else sorted(directory.glob("*.jsonl"), reverse=True):
        if _spec(path) == began.spec:
            log = _opened(path)
            log.events = read_log(path)
            if not isinstance(log.events[-1], Ended):
                return log
            log.close()
    log = _opened(directory / f"{began.run}.jsonl")
    log.events.append(began)
    log.add(began)
    return log


def _spec(path: Path) -> str:
    """What a log is of, by its first line; "" where that is none."""
    with path.open("rb") as file:
        try:
            first = _decoder.decode(file.readline())
        except msgspec.DecodeError:
            return ""
    return first.spec if isinstance(first, Began) else ""


def read_log(path: Path) -> list[Event]:
    """The events of a file; a last line that was cut off is left out."""
    events: list[Event] = []
    for line in path.read_bytes().split(b"\n"):
        try:
            if line:
                events.append(_decoder.decode(line))
        except msgspec.DecodeError:
            continue
    return events


def _opened(path: Path) -> RunLog:
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise HybridError(
            f"Another process is at this very run ({path.stem}).",
            kind=ErrorKind.UNAVAILABLE,
            remedy="Wait for it, or end it; what it has done is kept.",
        ) from None
    size = file.seek(0, os.SEEK_END)
    if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
        file.write(b"\n")  # what was cut off must not swallow the next line
    return RunLog(path, file, [])


def unpaid(events: Iterable[Event]) -> dict[str, Held]:
    """What was set aside for calls of which no end is known, by their names."""
    open_: dict[str, Held] = {}
    for event in events:
        if isinstance(event, Held):
            open_[event.name] = event
        elif isinstance(event, Paid):
            open_.pop(event.name, None)
    return open_
