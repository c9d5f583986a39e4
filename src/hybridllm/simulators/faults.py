"""The fault plan: what goes wrong, for whom, and for how long. Scripted, and seeded where it is
left to chance, so that a failing test fails again."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from random import Random
from typing import Literal

from msgspec import Struct, structs

PROVIDERS = ("openai", "anthropic", "google")
Kind = Literal[
    "outage", "error", "slow", "stall", "cut", "malformed", "stream_error", "usage",
    "batch_refused", "batch_errors", "batch_expiry", "batch_slow",
]  # fmt: skip
BATCHES = frozenset({"batch_refused", "batch_errors", "batch_expiry", "batch_slow"})
"""Kinds that befall a batch when it is made; the others befall calls."""


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
    - `batch_refused`: the batch is refused at its validation, for `message`.
    - `batch_errors`: a `share` of its requests end in the provider's error of `status`.
    - `batch_expiry`: a `share` of its requests is not done when it expires.
    - `batch_slow`: it takes `seconds` more.

    It befalls calls of `provider`, `model` and `endpoint` (patterns such as `gpt-4o*`; None: any),
    the next `calls` of them, for `duration` seconds beginning `start` seconds after it is set, each
    with `probability`. Of the kinds for batches a call is a batch that is made. Raises ValueError
    for a value that cannot be.
    """

    kind: Kind
    provider: str | None = None
    model: str | None = None
    endpoint: str | None = None
    status: int | None = None
    retry_after: float | None = None
    message: str | None = None
    seconds: float | None = None
    after_events: int = 2
    usage: Literal["missing", "zero", "wrong"] = "missing"
    share: float = 1.0
    calls: int | None = None
    start: float = 0.0
    duration: float | None = None
    probability: float = 1.0

    def __post_init__(self) -> None:
        if self.status is not None and not 400 <= self.status <= 599:
            raise ValueError(f"a fault's status is 400 to 599, not {self.status}")
        if self.provider is not None and self.provider not in PROVIDERS:
            raise ValueError(f"no provider '{self.provider}'; there are {', '.join(PROVIDERS)}")
        if self.kind in BATCHES and self.endpoint is not None:
            raise ValueError(f"a fault of kind {self.kind} befalls batches: it has no endpoint")
        for name in ("probability", "share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"a fault's {name} is 0 to 1, not {getattr(self, name)}")
        for name in ("seconds", "retry_after", "after_events", "calls", "start", "duration"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ValueError(f"a fault's {name} is not negative, as {value} is")


class FaultPlan:
    """The faults that are set. Draw once for each call, in its order of arrival."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._random = Random(seed)
        self._set: list[tuple[Fault, float, float]] = []

    def add(self, faults: Sequence[Fault], now: float) -> None:
        for fault in faults:
            since = now + fault.start
            until = float("inf") if fault.duration is None else since + fault.duration
            self._set.append((structs.replace(fault), since, until))

    def clear(self) -> None:
        """No more faults; chance starts again from the seed."""
        self._set = []
        self._random = Random(self._seed)

    def active(self, now: float) -> list[Fault]:
        """What is under way or still to come; `calls` counts down."""
        self._set = [
            (fault, since, until)
            for fault, since, until in self._set
            if until > now and (fault.calls is None or fault.calls > 0)
        ]
        return [fault for fault, _, _ in self._set]

    def draw(
        self, provider: str, model: str, now: float, endpoint: str = "", batch: bool = False
    ) -> dict[str, Fault]:
        """What befalls this call (with `batch`, this batch), by kind; of two of a kind the one set
        first."""
        if not self._set:
            return {}
        self.active(now)
        drawn: dict[str, Fault] = {}
        for fault, since, _ in self._set:
            if since > now or fault.kind in drawn or fault.provider not in (None, provider):
                continue
            if (fault.kind in BATCHES) is not batch:
                continue
            if fault.model is not None and not fnmatchcase(model, fault.model):
                continue
            if fault.endpoint is not None and not fnmatchcase(endpoint, fault.endpoint):
                continue
            if fault.probability < 1.0 and self._random.random() >= fault.probability:
                continue
            if fault.calls is not None:
                fault.calls -= 1
            drawn[fault.kind] = fault
        return drawn
