"""How often something is used again in time for a cache: counts, and the chances they make.

Counts decay by halves, so that what a prefix or a task does now outweighs what it once did; and a
chance leans on what is known of its like (`prior`) for as long as it has few counts of its own.
"""

from __future__ import annotations

from msgspec import Struct, field

from hybridllm.routing.caching import SURE, Chance

SOON, LATER = 300.0, 3600.0
"""Seconds within which a cache is still warm: Anthropic's two lifetimes. OpenAI's and Google's
implicit caches are counted upon for the shorter one."""
_MOST = 256
_TRUST = 2


class Gaps(Struct):
    """Of `count` uses, how many were followed by another `soon`, and how many by one `later`."""

    count: int = 0
    soon: int = 0
    later: int = 0

    def used(self) -> None:
        """A use, of which it is not known yet whether another follows."""
        self.count += 1
        if self.count > _MOST:
            self.count, self.soon, self.later = self.count // 2, self.soon // 2, self.later // 2

    def again(self, gap: float) -> None:
        """A use that was counted is followed by another after `gap` seconds."""
        self.soon += gap <= SOON
        self.later += gap <= LATER

    def follow(self, gap: float) -> None:
        """Both at once: a use and, after `gap` seconds, the next one."""
        self.used()
        self.again(gap)

    def chance(self, prior: Chance, weight: int, gap: float | None = None) -> Chance:
        """That another use follows. `prior` counts as much as `weight` uses; `gap` is of a use that
        follows at this moment and is not counted yet."""
        count, soon, later = self.count + weight, self.soon, self.later
        if gap is not None:
            count, soon, later = count + 1, soon + (gap <= SOON), later + (gap <= LATER)
        if not count:
            return prior
        return (
            min(SURE, (soon * SURE + weight * prior[0]) // count),
            min(SURE, (later * SURE + weight * prior[1]) // count),
        )


class Moves(Struct):
    """Of the requests that a model answered and whose conversation went on, `count`, how many times
    it went on with that model, at once or later, `stayed`."""

    count: int = 0
    stayed: int = 0

    def go_on(self) -> None:
        self.count += 1
        if self.count > _MOST:
            self.count, self.stayed = self.count // 2, self.stayed // 2

    def stay(self) -> None:
        self.stayed += 1

    def share(self) -> int:
        """The chance that a conversation that goes on does so with the model; before much is seen
        it is taken to."""
        return min(SURE, (self.stayed + _TRUST) * SURE // (self.count + _TRUST))


class Kind(Struct):
    """Uses of all prefixes of one kind; and how conversations stay with models, by model id."""

    all: Gaps = field(default_factory=Gaps)
    on: dict[str, Moves] = field(default_factory=dict)

    def moves(self, model: str) -> Moves:
        """Of one model."""
        found = self.on.get(model)
        if found is None:
            found = self.on[model] = Moves()
        return found
