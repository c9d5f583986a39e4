"""Requests and tokens a minute, for each key, as buckets that refill evenly."""

from __future__ import annotations

from msgspec import Struct


class Standing(Struct, frozen=True, kw_only=True):
    """Where a key stands after a request. `wait` is how many seconds until it would be let in, 0
    if it was; resets are seconds until a bucket is full again."""

    requests_limit: int
    requests_left: int
    requests_reset: float
    tokens_limit: int
    tokens_left: int
    tokens_reset: float
    wait: float
    lacking: str = ""


class RateLimits:
    """The buckets of every key of one simulated provider. Only known keys reach it, and the least
    recent are forgotten beyond 10,000."""

    def __init__(self, requests_per_minute: int, tokens_per_minute: int) -> None:
        self._limits = (requests_per_minute, tokens_per_minute)
        self._buckets: dict[str, tuple[float, float, float]] = {}

    def clear(self) -> None:
        self._buckets.clear()

    def admit(self, key: str, tokens: int, now: float) -> Standing | None:
        """Take one request and `tokens` tokens, if both buckets hold as much. None: no limits."""
        per_minute, tokens_per_minute = self._limits
        if not per_minute and not tokens_per_minute:
            return None
        requests, room, then = self._buckets.pop(key, (*map(float, self._limits), now))
        requests = min(per_minute, requests + (now - then) * per_minute / 60)
        room = min(tokens_per_minute, room + (now - then) * tokens_per_minute / 60)
        wait, lacking = 0.0, ""
        if per_minute and requests < 1:
            wait, lacking = (1 - requests) * 60 / per_minute, "requests"
        elif tokens_per_minute and room < tokens:
            wait, lacking = (tokens - room) * 60 / tokens_per_minute, "tokens"
        else:
            requests, room = requests - 1, room - tokens
        self._buckets[key] = (requests, room, now)
        if len(self._buckets) > 10_000:
            self._buckets.pop(next(iter(self._buckets)))
        return Standing(
            requests_limit=per_minute,
            requests_left=max(int(requests), 0),
            requests_reset=(per_minute - requests) * 60 / per_minute if per_minute else 0.0,
            tokens_limit=tokens_per_minute,
            tokens_left=max(int(room), 0),
            tokens_reset=(
                (tokens_per_minute - room) * 60 / tokens_per_minute if tokens_per_minute else 0.0
            ),
            wait=wait,
            lacking=lacking,
        )
