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


class Kind(Struct):
    """Uses of all prefixes of one kind, on whatever model and by model id."""

    all: Gaps = field(default_factory=Gaps)
    on: dict[str, Gaps] = field(default_factory=dict)

    def used(self, model: str) -> None:
        self.all.used()
        found = self.on.get(model)
        if found is None:
            found = self.on[model] = Gaps()
        found.used()

    def again_on(self, model: str, gap: float) -> None:
        """As `Gaps.again`, on a model."""
        found = self.on.get(model)
        if found is not None:
            found.again(gap)
