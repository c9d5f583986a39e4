"""When a batch does what: a function of the clock alone, so that nothing has to wait for it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Ending = Literal["completed", "expired", "cancelled"]
_EDGE = 0.05
"""The share of a batch's time that its validation takes, and its finalizing, and a cancellation."""


class Timeline(Struct, kw_only=True):
    """A batch of `lines` requests that are done and `stuck` that never are. It is created at
    `created`, takes `seconds` and expires after `window`; times are the world's monotonic seconds.
    `cancelled` is when an end was asked for."""

    created: float
    seconds: float
    window: float
    lines: int
    stuck: int = 0
    cancelled: float | None = None

    @property
    def begins(self) -> float:
        """When it is validated, and its requests begin to be done."""
        return self.created + self.seconds * _EDGE

    @property
    def finishes(self) -> float:
        """When all of its requests are done."""
        return self.created + self.seconds * (1 - _EDGE)

    @property
    def end(self) -> float:
        """When it ends, however."""
        return self._end()[0]

    @property
    def ending(self) -> Ending:
        return self._end()[1]

    def _end(self) -> tuple[float, Ending]:
        if self.cancelled is not None:
            return self.cancelled + self.seconds * _EDGE, "cancelled"
        completed = self.created + self.seconds
        expires = self.created + self.window
        if self.stuck or completed > expires:
            return expires, "expired"
        return completed, "completed"

    def due(self, now: float) -> int:
        """How many requests are done by then."""
        last = self.created + self.window
        if self.cancelled is not None:
            last = min(last, self.cancelled)
        now = min(now, last)
        if now < self.begins:
            return 0
        if now >= self.finishes:
            return self.lines
        share = (now - self.begins) / (self.finishes - self.begins)
        return int(self.lines * share)
