"""Whether it pays to write a prefix to a provider's prompt cache, and for how long.

A token that is not in the cache costs the input rate if it is left alone. If it is written, it
costs the write rate now, and each next use that comes within the cache's lifetime costs the read
rate and keeps it alive. With the chance p that the next use comes in time, a token written costs

    p x read + (1 - p) x write          a use, against          input

and so writing pays from p > (write - input) / (write - read) on; in reads per write, p / (1 - p) >
(write - input) / (input - read): 0.28 at Anthropic's five minutes, 1.11 at its hour. Rates are the
catalogue's own and are never derived from one another. Chances are in thousandths, learned of each
prefix by `engine.prefixes` and handed in; nothing here knows a clock.

Where a cache is the provider's own doing (OpenAI, Google) there is nothing to decide, but what a
use is expected to cost follows from the same chance.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from hybridllm.catalog.structs import Rates

SURE = 1_000
"""A chance is so many thousandths."""

Chance = tuple[int, int]
"""That a prefix is used again within five minutes, and within an hour of its last use."""

MOST_MARKS = 4


class Stretch(Struct, frozen=True, kw_only=True):
    """The input from the boundary before to the one at `end` (bytes), which comes after block
    number `after`. `chance` is that the prefix up to there is used again, on whatever model;
    `on` the same on one model (id) where that is known by itself."""

    end: int
    after: int
    chance: Chance
    on: dict[str, Chance] = field(default_factory=dict)


class Warm(Struct, frozen=True):
    """What a model's cache holds of the input: `tokens` as its provider counts, which are the input
    up to byte `end` (0: not known), after block number `after`."""

    tokens: int
    after: int = -1
    end: int = 0

    def of(self, tokens: int, size: int) -> int:
        """How many these are of `tokens` of input, an estimate, that are `size` bytes."""
        return tokens * self.end // size if self.end else min(self.tokens, tokens)


class Prospect(Struct, frozen=True, kw_only=True):
    """What is known of a request's prefixes: its `size` in bytes, its stretches in order (the last
    ends at `size`), and what is warm, by model id. `long` allows the longer lifetime."""

    size: int
    stretches: tuple[Stretch, ...] = ()
    warm: dict[str, Warm] = field(default_factory=dict)
    long: bool = True


class Mark(Struct, frozen=True):
    """A cache breakpoint after block number `after`, for the longer lifetime if `long`."""

    after: int
    long: bool = False


class Keeping(Struct, frozen=True):
    """What is done with tokens that no cache holds yet. `now` is their rate in this request,
    `mean` what a use costs over all that are expected to follow. Picodollars per token."""

    now: int
    mean: int
    written: bool = False
    long: bool = False


def keeping(rates: Rates, chance: Chance, *, marks: bool, long: bool = True) -> Keeping:
    """The cheapest way to keep tokens at `rates`. `marks` says that the model's provider caches
    only what is marked, so that one may choose; `long` allows the longer lifetime."""
    read = rates.input if rates.cache_read is None else rates.cache_read
    soon, later = chance
    if not marks:
        # By itself: written at each use that does not read, and billed as such by some.
        write = rates.input if rates.cache_write is None else rates.cache_write
        return Keeping(write, _mean(soon, read, write), rates.cache_write is not None)
    best = Keeping(rates.input, rates.input)
    if rates.cache_write is None or rates.cache_read is None:
        return best
    mean = _mean(soon, read, rates.cache_write)
    if mean < best.mean:
        best = Keeping(rates.cache_write, mean, True)
    if long and rates.cache_write_long is not None:
        mean = _mean(later, read, rates.cache_write_long)
        if mean < best.mean:
            best = Keeping(rates.cache_write_long, mean, True, True)
    return best


def _mean(chance: int, read: int, write: int) -> int:
    return (chance * read + (SURE - chance) * write + SURE // 2) // SURE


class Input(Struct):
    """What the input costs in picodollars: in this request (`now`), and a use at the mean of those
    that are expected to follow, `mean`. `cached` are the tokens read, `written` those written."""

    now: int = 0
    mean: int = 0
    cached: int = 0
    written: int = 0


def input_cost(
    prospect: Prospect, id: str, rates: Rates, tokens: int, minimum: int, *, marks: bool
) -> Input:
    """The cost of `tokens` of input on model `id`, whose cache takes no fewer than `minimum`."""
    read = rates.input if rates.cache_read is None else rates.cache_read
    warm = prospect.warm.get(id)
    at = 0 if warm is None else warm.of(tokens, prospect.size)
    found = Input(at * read, at * read, at)
    for stretch in prospect.stretches:
        end = tokens * stretch.end // prospect.size
        if end <= at:
            continue
        count, at = end - at, end
        if end < minimum:
            found.now += count * rates.input
            found.mean += count * rates.input
            continue
        kept = keeping(rates, stretch.on.get(id, stretch.chance), marks=marks, long=prospect.long)
        found.now += count * kept.now
        found.mean += count * kept.mean
        found.written += count if kept.written else 0
    found.now += (tokens - at) * rates.input
    found.mean += (tokens - at) * rates.input
    return found


def marks_for(
    prospect: Prospect, id: str, rates: Rates, tokens: int, minimum: int
) -> tuple[Mark, ...]:
    """The breakpoints that pay, in order: where a stretch is worth writing, and where the longest
    prefix that is warm is to be read. Those of the longer lifetime come first, as they must; and
    what a deeper mark writes anyway is marked at the shallower boundaries too, for others to read.
    """
    warm = prospect.warm.get(id)
    held = 0 if warm is None else warm.of(tokens, prospect.size)
    found: dict[int, bool] = {}
    if warm is not None and held >= minimum and warm.after >= 0:
        found[warm.after] = False
    long = pays = False
    for stretch in reversed(prospect.stretches):
        end = tokens * stretch.end // prospect.size
        if end < minimum:
            break
        kept = keeping(rates, stretch.on.get(id, stretch.chance), marks=True, long=prospect.long)
        pays = pays or kept.written
        long = long or kept.long
        if pays or end <= held:
            found[stretch.after] = long
    if warm is not None and warm.after in found:
        found[warm.after] = any(mark for after, mark in found.items() if after >= warm.after)
    return tuple(Mark(after, found[after]) for after in sorted(found)[-MOST_MARKS:])


LIFETIMES = (300, 900, 3_600)
"""Seconds for which an explicit cache may be made."""
_HOUR = 3_600


def storing_gain(rates: Rates, storage: int, reads: int, share: int, seconds: int) -> int:
    """What an explicit cache (Google's) of one token for `seconds`, in which it is read `reads`
    times, brings; below zero it costs. In picodollars times 3,600,000, so that all is whole.

    The making is billed as input once, and so is its `storage`, picodollars per token and hour. A
    read saves what lies between input and the rate of reads, but not the `share` (thousandths) that
    the provider's implicit cache would have read anyway:

        reads x (input - read) x (1 - share) - input - storage x seconds / 3,600
    """
    read = rates.input if rates.cache_read is None else rates.cache_read
    saved = reads * (rates.input - read) * (SURE - share) * _HOUR
    return saved - (rates.input * _HOUR + storage * seconds) * SURE


def storing(rates: Rates, storage: int, reads: Mapping[int, int], share: int) -> int | None:
    """The lifetime that brings the most a second, of those in `reads`: seconds to the reads that
    are expected within them. None: to store does not pay."""
    gains = {
        seconds: storing_gain(rates, storage, count, share, seconds) // seconds
        for seconds, count in reads.items()
    }
    best = max(gains, key=lambda seconds: gains[seconds], default=0)
    return best if gains.get(best, 0) > 0 else None
