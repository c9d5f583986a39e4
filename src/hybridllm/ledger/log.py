"""The unified log: one JSON line an attempt, never a prompt or a key."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from hybridllm.ledger.record import Attempt
from hybridllm.money import dollars


class Line(Struct):
    """The fields of a line, in order. `cost_usd` is exact; times are milliseconds."""

    time: str
    request_id: str
    attempt: int
    provider_request_id: str
    task: str
    task_source: str
    tier: str
    model: str
    provider: str
    status: int
    outcome: str
    error_kind: str
    cost_usd: str
    first_token_ms: float
    total_ms: float


def line(a: Attempt) -> Line:
    """The line of an attempt."""
    return Line(
        time=datetime.fromtimestamp(a.at / 1e6, UTC).isoformat(timespec="milliseconds"),
        request_id=a.request_id,
        attempt=a.attempt,
        provider_request_id=a.provider_request_id,
        task=a.task,
        task_source=a.task_source,
        tier=a.tier,
        model=a.model,
        provider=a.provider,
        status=a.status,
        outcome=a.outcome,
        error_kind=a.error_kind,
        cost_usd=dollars(a.cost),
        first_token_ms=a.first_token_us / 1000,
        total_ms=a.total_us / 1000,
    )


class AttemptLog:
    """Where the lines go: `target` is `stderr`, `off` (or nothing), or a path, appended to.

    A file is opened for each group of lines, so that it may be rotated by renaming, and each group
    is one write, so that the lines of several workers do not mix.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._encode = msgspec.json.Encoder().encode

    def write(self, attempts: Iterable[Attempt]) -> None:
        """Write the lines of these attempts. Raises OSError."""
        if self._target in ("", "off"):
            return
        text = b"".join(self._encode(line(a)) + b"\n" for a in attempts)
        if self._target == "stderr":
            sys.stderr.write(text.decode())
            sys.stderr.flush()
            return
        path = Path(self._target).expanduser()
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab", buffering=0, opener=_private) as file:
            file.write(text)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
