"""Batches as all simulated providers run them: a clock, an order of their own, and requests that
are answered as live ones are.

A request is done when its batch's timeline says so, but worked on only when somebody looks: at the
batch, or at the calls. So nothing runs in the background, and time may be advanced at will.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from array import array
from collections.abc import Mapping
from itertools import count
from random import Random
from typing import Generic, TypeVar

from msgspec import Struct

from hybridllm.simulators.ask import Billed, Refused
from hybridllm.simulators.faults import Fault
from hybridllm.simulators.generating import make, read, tokens_of
from hybridllm.simulators.provider import Generation, Incoming, Provider
from hybridllm.simulators.timeline import Ending, Timeline
from hybridllm.simulators.world import NUMBERS, World

_AT_ONCE = 25
"""Requests answered before others have their turn."""


class Line(Struct, frozen=True):
    """One request of a batch, and where it would have gone live."""

    custom_id: str
    endpoint: Generation
    incoming: Incoming


class Batch(ABC):
    """A batch of one key. `total` counts its requests, `weight` what of a limit on enqueued work it
    takes until it ends. `answered`, `errored` and `undone` count what became of them, `worked` how
    many have been seen to."""

    timeline: Timeline
    order: array[int]
    failing: bytearray
    """For each place, whether a fault has its request fail."""
    fault: Fault | None = None

    def __init__(self, *, id: str, key: str, model: str, total: int) -> None:
        self.id = id
        self.key = key
        self.model = model
        self.total = total
        self.weight = 0
        self.created = 0.0
        """Unix seconds."""
        self.worked = 0
        self.answered = 0
        self.errored = 0
        self.undone = 0
        self.closed = False
        self.billed = Billed()

    def unix(self, at: float) -> int:
        """A time of the timeline in Unix seconds."""
        return int(self.created + at - self.timeline.created)

    @abstractmethod
    def line(self, place: int) -> Line: ...

    @abstractmethod
    def answer(self, line: Line, request_id: str, body: bytes) -> None:
        """Write down a reply, which has the shape of a live one."""

    @abstractmethod
    def refuse(self, line: Line, request_id: str, refused: Refused) -> None:
        """Write down an error."""

    @abstractmethod
    def leave(self, place: int, ending: Ending) -> None:
        """Write down that a request was not done."""

    def close(self) -> None:
        """The batch has ended, and all is written down."""
        self.closed = True


B = TypeVar("B", bound=Batch)


def weigh(world: World, batch: Batch) -> int:
    """The input tokens of all requests that are in order."""
    total = 0
    for place in range(batch.total):
        line = batch.line(place)
        try:
            total += tokens_of(world, line.endpoint.read(line.incoming))
        except Refused:
            continue
    return total


class Desk(Generic[B]):
    """A provider's batches, each seen by its own key alone. Batches expire `window` seconds after
    they are made."""

    def __init__(self, provider: Provider, world: World, window: float) -> None:
        self._provider = provider
        self._world = world
        self._window = window
        self._numbers = count(1)
        self._batches: dict[str, B] = {}
        world.on_reset(self._batches.clear)
        world.on_settle(self._settle_all)

    def number(self) -> int:
        """For the id of a new batch."""
        return next(self._numbers)

    def faults(self, model: str) -> dict[str, Fault]:
        """What befalls a new batch of a model."""
        world = self._world
        return world.faults.draw(self._provider.name, model, world.now(), batch=True)

    def enqueued(self, key: str, model: str) -> int:
        """The weight of a key's batches that have not ended."""
        now = self._world.now()
        return sum(
            batch.weight
            for batch in self._batches.values()
            if batch.key == key and batch.model == model and batch.timeline.end > now
        )

    def open(self, batch: B, faults: Mapping[str, Fault]) -> B:
        """Begin a batch."""
        world, profile, total = self._world, self._world.profile, batch.total
        random = Random(f"{world.seed} {self._provider.name} {batch.id}")
        seconds = profile.batch_seconds * (1 + profile.batch_jitter * random.uniform(-1, 1))
        if (slow := faults.get("batch_slow")) is not None:
            seconds += slow.seconds or 0.0
        expiry, errors = faults.get("batch_expiry"), faults.get("batch_errors")
        stuck = round(total * expiry.share) if expiry is not None else 0
        batch.created = world.wall()
        batch.timeline = Timeline(
            created=world.now(),
            seconds=seconds,
            window=self._window,
            lines=total - stuck,
            stuck=stuck,
        )
        batch.order = array("L", range(total))
        batch.failing = bytearray(total)
        random.shuffle(batch.order)
        if errors is not None:
            batch.fault = errors
            for place in random.sample(batch.order, round(total * errors.share)):
                batch.failing[place] = 1
        self._batches[batch.id] = batch
        return batch

    def find(self, key: str, batch_id: str) -> B | None:
        batch = self._batches.get(batch_id)
        return batch if batch is not None and batch.key == key else None

    def model_of(self, batch_id: str) -> str:
        batch = self._batches.get(batch_id)
        return batch.model if batch is not None else ""

    def all(self, key: str) -> list[B]:
        """A key's batches, the newest first."""
        return [batch for batch in reversed(self._batches.values()) if batch.key == key]

    def delete(self, batch: B) -> None:
        self._batches.pop(batch.id, None)

    async def settle(self, batch: B) -> float:
        """Do what is due of a batch, others having their turns meanwhile. The time (of the
        timeline) up to which all is done."""
        now = self._world.now()
        while self._work(batch, now, _AT_ONCE):
            await asyncio.sleep(0)
        return now

    def _settle_all(self) -> None:
        now = self._world.now()
        for batch in list(self._batches.values()):
            while self._work(batch, now, _AT_ONCE):
                pass

    def _work(self, batch: B, now: float, most: int) -> bool:
        """Do up to `most` of what is due. Whether more is."""
        if batch.closed:
            return False
        due = batch.timeline.due(now)
        until = min(due, batch.worked + most)
        while batch.worked < until:
            place = batch.order[batch.worked]
            batch.worked += 1
            self._do(batch, place)
        if batch.worked < due:
            return True
        if now >= batch.timeline.end:
            for place in batch.order[batch.worked :]:
                batch.leave(place, batch.timeline.ending)
            batch.undone = batch.total - batch.worked
            batch.close()
        return False

    def _do(self, batch: B, place: int) -> None:
        provider, world = self._provider, self._world
        line = batch.line(place)
        request_id = provider.request_id(next(NUMBERS))
        record = world.calls.arrive(
            provider.name, line.endpoint.name, request_id, line.custom_id, batch.id
        )
        record.model = batch.model
        try:
            if batch.failing[place] and batch.fault is not None:
                raise provider.failure(batch.fault)
            reading = read(provider, world, line.endpoint, line.incoming)
            if reading.ask.stream:
                raise provider.bad_request("A request of a batch cannot be streamed.")
            made = make(provider, world, reading, batch.key)
        except Refused as refused:
            batch.errored += 1
            batch.refuse(line, request_id, refused)
            record.status = refused.status
            world.calls.finish(record, "error")
            return
        body = line.endpoint.whole(reading.ask, made.answers, made.billed, request_id)
        batch.answered += 1
        batch.billed.add(made.billed)
        batch.answer(line, request_id, body)
        record.status, record.billed = 200, made.billed
        world.calls.finish(record, "ok")
