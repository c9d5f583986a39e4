"""A share of production's answers, set aside on their way to the caller.

What is set aside are references to bytes that are there anyway, put into a bounded backlog; all
else (reading, redacting, grading, storing) is done by whoever takes from the backlog, in threads of
its own. Where the backlog is full, or an answer is too large, the sample is lost and the caller
served as ever.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from msgspec import Struct

from hybridllm.engine.call import Answer, Call, Pieces
from hybridllm.engine.trip import Trip

MOST_BYTES = 256 * 1024
"""Of a request, and of its answer; larger ones are not sampled."""
MOST_WAITING = 256
_CACHE = (b"x-hybridllm-cache", b"hit")

T = TypeVar("T")


class Seen(Struct, kw_only=True):
    """One request and its answer, whole, as its caller sent it and got it. `task` and `model` are
    names, `at` Unix microseconds."""

    request_id: str
    task: str
    model: str
    at: int
    call: Call
    stream: bool
    reply: bytes
    variant: str = ""


class Backlog(Generic[T]):
    """What waits to be worked on, at most `most`; any thread may put and take. `lost` is how many
    found it full."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self.lost = 0
        self._most = most
        self._guard = Lock()
        self._waiting: deque[T] = deque()

    def put(self, item: T) -> None:
        """Add it, unless it is full. Never waits longer than another thread takes to do so."""
        with self._guard:
            if len(self._waiting) >= self._most:
                self.lost += 1
            else:
                self._waiting.append(item)

    def take(self, most: int | None = None) -> list[T]:
        """All that waits, or the oldest `most` of it; perhaps none."""
        with self._guard:
            count = len(self._waiting) if most is None else min(most, len(self._waiting))
            return [self._waiting.popleft() for _ in range(count)]


class Sampler:
    """Takes the share of a task's answers that its configuration says: for
    `captures` and for `monitors`."""

    def __init__(
        self,
        captures: Backlog[Seen],
        monitors: Backlog[Seen],
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`chance` gives numbers in 0..1, of which those below the share are taken."""
        self.captures = captures
        self.monitors = monitors
        self._chance = chance

    def take(self, trip: Trip, answer: Answer) -> None:
        """Set the answer aside, if it is one of the share: at once, or as a stream ends. Answers
        that were given again are none of their model's, and what the provider keeps of a
        conversation is not in the request, so neither is taken."""
        capture, monitor = trip.task.capture, trip.task.monitor
        wanted = []
        if capture is not None and self._chance() < capture.share:
            wanted.append(self.captures)
        if monitor is not None and self._chance() < monitor.share:
            wanted.append(self.monitors)
        if not wanted:
            return
        facts = trip.facts
        if facts.unseen_input or facts.choices > 1 or len(trip.call.body) > MOST_BYTES:
            return
        if _CACHE in answer.headers:
            return
        if answer.stream is not None:
            answer.stream = _Listening(
                answer.stream, lambda reply: self._put(trip, answer, reply, wanted)
            )
        elif len(answer.body) <= MOST_BYTES:
            self._put(trip, answer, answer.body, wanted)

    def _put(self, trip: Trip, answer: Answer, reply: bytes, wanted: list[Backlog[Seen]]) -> None:
        headers = dict(answer.headers)
        seen = Seen(
            request_id=trip.request_id,
            task=trip.task.name,
            model=headers.get(b"x-hybridllm-model", b"").decode("latin-1"),
            at=time.time_ns() // 1000,
            call=trip.call,
            stream=trip.facts.stream,
            reply=reply,
            variant=headers.get(b"x-hybridllm-variant", b"").decode("latin-1"),
        )
        for backlog in wanted:
            backlog.put(seen)


class _Listening:
    """A streamed answer on its way to the caller, heard to its end."""

    def __init__(self, inner: Pieces, ended: Callable[[bytes], None]) -> None:
        self._inner = inner
        self._ended: Callable[[bytes], None] | None = ended
        self._pieces: list[bytes] = []
        self._size = 0

    @property
    def cost(self) -> int:
        """See `Pieces`."""
        return self._inner.cost

    @property
    def baseline(self) -> int:
        """See `Pieces`."""
        return self._inner.baseline

    async def chunk(self) -> bytes:
        """See `Pieces.chunk`."""
        piece = await self._inner.chunk()
        if not piece:
            self._end()
        elif self._ended is not None:
            self._size += len(piece)
            self._pieces.append(piece)
            if self._size > MOST_BYTES:
                self._ended, self._pieces = None, []
        return piece

    def close(self) -> None:
        """See `Pieces.close`. A caller may leave with the last event, before the end is seen."""
        self._inner.close()
        self._end()

    def _end(self) -> None:
        ended, self._ended = self._ended, None
        pieces, self._pieces = self._pieces, []
        if ended is not None:
            ended(b"".join(pieces))
