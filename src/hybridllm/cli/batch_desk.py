"""Where the batch commands take their work: to a gateway, or to the lane in this process."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Protocol

from msgspec import Struct

from hybridllm.cli.batch_input import Input


class Shown(Struct, kw_only=True):
    """A batch as the commands show it. Times are Unix seconds, 0 where that has not come."""

    id: str
    status: str
    created_at: int
    deadline: int
    total: int
    answered: int
    failed: int
    cancelled: int
    late: int
    cost_usd: Decimal
    baseline_usd: Decimal
    ended_at: int = 0
    run: str = ""

    @property
    def ended(self) -> int:
        """Requests that have ended, however."""
        return self.answered + self.failed + self.cancelled

    @property
    def over(self) -> bool:
        """Whether all of it has."""
        return self.ended_at > 0


class Desk(Protocol):
    """Takes batches and tells of them. Everything raises HybridError."""

    where: str
    """The gateway's URL, or the store's without a password."""

    def find(self, token: str) -> Shown | None:
        """The batch that was sent with this token."""
        ...

    def submit(self, given: Input, *, token: str, task: str, deadline: str) -> Shown:
        """Hand all requests over; durable when this returns."""
        ...

    def batch(self, id: str, *, wait: float = 0.0) -> Shown:
        """One batch, at once or after it has ended or so many seconds."""
        ...

    def batches(self, limit: int) -> list[Shown]:
        """The newest."""
        ...

    def cancel(self, id: str) -> Shown: ...

    def results(self, id: str, given: Input) -> Iterator[dict[str, Any]]:
        """A line for each request, in the order of the requests, in the shape of OpenAI's output
        files."""
        ...
