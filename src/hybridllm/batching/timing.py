"""When to submit, when to ask, and when to go live instead. Pure: what there is and the time in, a
decision out. Spans are seconds, moments Unix microseconds."""

from __future__ import annotations

from collections.abc import Sequence

from hybridllm.config import BatchConfig
from hybridllm.providers.batches.api import Limits
from hybridllm.providers.retries import Rng
from hybridllm.store.batch_jobs import Group
from hybridllm.store.batches import LineRow

US = 1_000_000
ENOUGH_SEEN = 3
"""So many ended jobs tell more of a provider than the configuration does."""
REST_SECONDS = 1.0
"""What has failed once is left alone so long."""
_HEADROOM = 1.25
_LIVE_SECONDS = 10.0
"""What a live call is taken to last where nothing was learned."""


def usual_seconds(recent: Sequence[int], config: BatchConfig) -> float:
    """How long a provider's next batch is taken to last: a quarter more than nine in ten of its
    recent ones took."""
    if len(recent) < ENOUGH_SEEN:
        return config.usual_seconds
    ranked = sorted(recent)
    return _HEADROOM * max(1, ranked[min(len(ranked) - 1, len(ranked) * 9 // 10)])


def margin_seconds(config: BatchConfig, latency_ms: int | None, lines: int) -> float:
    """How long before their deadline `lines` must be asked live: as long as that takes when half
    of what was planned goes wrong, and never less than the configuration's margin."""
    each = _LIVE_SECONDS if latency_ms is None else latency_ms / 1000
    rounds = -(-lines // config.live_calls)
    return max(config.margin_seconds, 2 * each * rounds) if config.margin_seconds else 0.0


def too_short(now: int, usual: float, margin: float) -> int:
    """A waiting line whose deadline is before this moment is asked live: no batch submitted now
    would be done before it would have to be cancelled, which is two margins ahead."""
    return now + int((usual + 2 * margin) * US)


def ripe(group: Group, limits: Limits, config: BatchConfig, now: int, short: int) -> str:
    """Why a group is to be submitted now; "": it is not yet. `short` is `too_short`'s moment."""
    most_lines, most_bytes = room(limits, config)
    if group.lines >= min(most_lines, config.min_lines) or group.size >= most_bytes:
        return "full"
    if now - group.oldest >= config.max_age_seconds * US:
        return "old enough"
    # It must not wait so long that its deadline becomes too short for a batch.
    if group.deadline_at < short + 2 * config.max_age_seconds * US:
        return "its deadline"
    return ""


def ripe_at(group: Group, config: BatchConfig, short_in: float) -> int:
    """When a group that is not ripe will be, if nothing is added to it. `short_in` is how far ahead
    of now `too_short`'s moment lies."""
    old = group.oldest + int(config.max_age_seconds * US)
    return min(old, group.deadline_at - int((short_in + 2 * config.max_age_seconds) * US))


def room(limits: Limits, config: BatchConfig) -> tuple[int, int]:
    """The most lines and bytes that a job may have. A provider counts the envelope of each line
    too, for which a tenth is left."""
    return min(limits.requests, config.job_lines), min(limits.bytes * 9 // 10, config.job_bytes)


def taken(
    lines: Sequence[LineRow], limits: Limits, config: BatchConfig, tokens: int | None, share: float
) -> int:
    """How many of `lines`, from the first, go into one job: as the provider's limits and `tokens`,
    what may still be enqueued there (None: anything), allow. `share` of the limits is used. At
    least one line, unless nothing may be enqueued."""
    most_lines, most_bytes = room(limits, config)
    most_lines, most_bytes = max(1, int(most_lines * share)), max(1, int(most_bytes * share))
    size = count = held = 0
    for line in lines:
        size += line.size
        held += line.tokens
        if tokens is not None and held > tokens and (count or tokens <= 0):
            break
        if count and (count >= most_lines or size > most_bytes):
            break
        count += 1
    return count


def poll_seconds(polls: int, config: BatchConfig, rng: Rng) -> float:
    """How long until a job is asked after again: half as long again each time, with a quarter of
    jitter, so that many jobs are not asked after together."""
    step = min(config.max_poll_seconds, config.poll_seconds * 1.5 ** min(polls, 40))
    return step * rng.uniform(0.75, 1.25)


def rest_seconds(failures: int, rng: Rng, cap: float = 120.0) -> float:
    """How long to leave alone what has failed so often in a row."""
    step = min(cap, REST_SECONDS * 2.0 ** min(failures - 1, 30))
    return step * rng.uniform(0.5, 1.0)
