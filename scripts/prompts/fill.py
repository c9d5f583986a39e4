"""Fills templates: `{slot}` is replaced by a random entry of that list, which may hold slots."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence

Slots = Mapping[str, Sequence[str] | Callable[[random.Random], str]]

_SLOT = re.compile(r"\{(\w+)\}")


def fill(template: str, slots: Slots, rng: random.Random) -> str:
    """The template with every slot filled. What is no slot, such as `{name}`, stays as it is."""

    def chosen(match: re.Match[str]) -> str:
        options = slots.get(match[1])
        if options is None:
            return match[0]
        if callable(options):
            return options(rng)
        return fill(rng.choice(options), slots, rng)

    return _SLOT.sub(chosen, template)


def some(options: Sequence[str], rng: random.Random, least: int, most: int) -> list[str]:
    """A few different entries, in random order."""
    return rng.sample(options, min(len(options), rng.randint(least, most)))
