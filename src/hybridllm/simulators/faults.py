"""The fault plan: what goes wrong, for whom, and for how long. Scripted, and seeded where it is
left to chance, so that a failing test fails again."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from random import Random
from typing import Literal

from msgspec import Struct, structs

Kind = Literal["outage", "error", "slow", "stall", "cut", "malformed", "stream_error", "usage"]


class Fault(Struct, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong.

    - `outage`: the connection is closed without a byte; with `status` that status instead.
    - `error`: the provider's own error of `status` (default 500), with `retry_after` seconds.
    - `slow`: `seconds` of silence before the first byte.
    - `stall`: silence for `seconds` (default an hour) after `after_events` events of a stream, or
      in the middle of a whole reply.
    - `cut`: the connection closes there instead.
    - `malformed`: an event that is no JSON there; a whole reply loses its second half.
    - `stream_error`: the provider's error event of `status` there; without streaming, an `error`.
    - `usage`: `usage` "missing", "zero" or "wrong" (ten times the output).

    It befalls calls of `provider` and `model` (a pattern such as `gpt-4o*`; None: any), the next
    `calls` of them, for `duration` seconds from when it is set, each with `probability`.
    """

    kind: Kind
    provider: str | None = None
    model: str | None = None
    status: int | None = None
    retry_after: float | None = None
    message: str | None = None
    seconds: float | None = None
    after_events: int = 2
    usage: Literal["missing", "zero", "wrong"] = "missing"
    calls: int | None = None
    duration: float | None = None
    probability: float = 1.0


class FaultPlan:
    """The faults that are set. Draw once for each call, in its order of arrival."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._random = Random(seed)
        self._active: list[tuple[Fault, float]] = []

    def add(self, faults: Sequence[Fault], now: float) -> None:
        for fault in faults:
            until = float("inf") if fault.duration is None else now + fault.duration
            self._active.append((structs.replace(fault), until))

    def clear(self) -> None:
        """No more faults; chance starts again from the seed."""
        self._active = []
        self._random = Random(self._seed)

    def active(self, now: float) -> list[Fault]:
        """What is still to come; `calls` counts down."""
        self._active = [
            (fault, until)
            for fault, until in self._active
            if until > now and (fault.calls is None or fault.calls > 0)
        ]
        return [fault for fault, _ in self._active]

    def draw(self, provider: str, model: str, now: float) -> dict[str, Fault]:
        """What befalls this call, by kind; of two of a kind the one set first."""
        if not self._active:
            return {}
        drawn: dict[str, Fault] = {}
        for fault in self.active(now):
            if fault.kind in drawn or fault.provider not in (None, provider):
                continue
            if fault.model is not None and not fnmatchcase(model, fault.model):
                continue
            if fault.probability < 1.0 and self._random.random() >= fault.probability:
                continue
            if fault.calls is not None:
                fault.calls -= 1
            drawn[fault.kind] = fault
        return drawn
