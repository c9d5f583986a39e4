"""Attempts to rows and to hourly sums. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from hybridllm.ledger.record import Attempt, Intent
from hybridllm.store.schema import (
    HOURLY_COUNTS,
    HOURLY_KEYS,
    HOURLY_MONEY,
    HOURLY_SUMS,
    HOURLY_TOKENS,
    split,
)

_HOUR = 3600
_HOUR_US = _HOUR * 1_000_000
_TOKEN_BITS = 40
_MOST_TOKENS = 2**_TOKEN_BITS - 1
_MOST_COST = 2**63 - 1
_MONEY = (
    "cost",
    "baseline",
    "batch_gap",
    "read_saved",
    "write_extra",
    "hit_saved",
    "prefix_left",
    "cascade_saved",
    "cascade_extra",
)
_OUTCOME_COUNT = {"error": "errors", "cut": "cut", "cancelled": "cancelled", "unknown": "unknown"}


def unknown(intent: Intent) -> Attempt:
    """The row of an intent whose record was never written: the process died in between, so the
    provider may have billed anything up to the upper bound, and that is what is booked."""
    return Attempt(
        request_id=intent.request_id,
        attempt=intent.attempt,
        at=intent.at,
        key=intent.key,
        tags="",
        task=intent.task,
        task_source=intent.task_source,
        tier=intent.tier,
        requested=intent.requested,
        provider=intent.provider,
        model=intent.model,
        account=intent.account,
        dialect_in=intent.dialect_in,
        dialect_out=intent.dialect_out,
        stream=intent.stream,
        status=0,
        outcome="unknown",
        error_kind="",
        answered=False,
        provider_request_id="",
        input_tokens=intent.upper_input_tokens,
        cache_read_tokens=0,
        cache_write_tokens=0,
        cache_write_long_tokens=0,
        output_tokens=intent.upper_output_tokens,
        reasoning_tokens=0,
        cost=intent.upper_cost,
        baseline=0,
        baseline_model="",
        usage_estimated=True,
        unpriced=False,
        batch=False,
        first_token_us=0,
        total_us=0,
        reason="",
        moved_from="",
        variant=intent.variant,
    )


def storable(a: Attempt) -> Attempt:
    """The attempt with figures that the store can hold and add up.

    Token counts of 2^40 and more, or below zero, are a provider's mistake: they are cut to the
    range and the row is marked as estimated.
    """
    tokens = a.input_tokens | a.cache_read_tokens | a.cache_write_tokens
    tokens |= a.cache_write_long_tokens | a.output_tokens | a.reasoning_tokens
    money = a.cost | a.baseline | a.batch_gap | a.read_saved | a.write_extra
    money |= a.hit_saved | a.prefix_left | a.cascade_saved | a.cascade_extra
    if not tokens >> _TOKEN_BITS and not money >> 63:
        return a
    cut: dict[str, Any] = {
        name: max(0, min(getattr(a, name), _MOST_TOKENS)) for name in HOURLY_TOKENS
    }
    cut |= {name: max(0, min(getattr(a, name), _MOST_COST)) for name in _MONEY}
    return msgspec.structs.replace(a, **cut, usage_estimated=True)


def hourly_sums(
    attempts: Iterable[Attempt], first_models: Mapping[str, str]
) -> list[dict[str, Any]]:
    """What these attempts add to their hours: a mapping of HOURLY_KEYS and HOURLY_SUMS an hour and
    key. `first_models` is the model of attempt 1 by request, of those that had more than one."""
    groups: dict[tuple[int, str, str, str, str], dict[str, int]] = {}
    for a in attempts:
        group = (a.at // _HOUR_US * _HOUR, a.task, a.provider, a.model, a.key)
        sums = groups.get(group)
        if sums is None:
            sums = groups[group] = dict.fromkeys((*HOURLY_COUNTS, *HOURLY_TOKENS, *HOURLY_MONEY), 0)
        _add(sums, a, first_models)
    return [
        {**dict(zip(HOURLY_KEYS, group, strict=True)), **_with_split_money(sums)}
        for group, sums in groups.items()
    ]


def _add(sums: dict[str, int], a: Attempt, first_models: Mapping[str, str]) -> None:
    sums["attempts"] += 1
    if a.answered:
        sums["answered"] += 1
        # Who answers what did not pass a check stands in for nobody who failed.
        if a.attempt > 1 and not a.role and first_models.get(a.request_id, a.model) != a.model:
            sums["fallbacks"] += 1
    else:
        sums["unanswered_cost"] += a.cost
    count = _OUTCOME_COUNT.get(a.outcome)
    if count is not None:
        sums[count] += 1
    sums["estimated"] += a.usage_estimated
    sums["unpriced"] += a.unpriced
    sums["cost"] += a.cost
    sums["baseline"] += a.baseline
    _add_levers(sums, a)
    if a.cache_hit:
        return  # its tokens are no provider's: they would be counted a second time
    sums["input_tokens"] += a.input_tokens
    sums["cache_read_tokens"] += a.cache_read_tokens
    sums["cache_write_tokens"] += a.cache_write_tokens
    sums["cache_write_long_tokens"] += a.cache_write_long_tokens
    sums["output_tokens"] += a.output_tokens
    sums["reasoning_tokens"] += a.reasoning_tokens


def _add_levers(sums: dict[str, int], a: Attempt) -> None:
    if a.batch:
        sums["batched"] += 1
        sums["batch_cost"] += a.cost
        sums["batch_saved"] += a.batch_gap
    elif a.outcome == "ok":
        sums["batch_left"] += a.batch_gap
    sums["cache_hits"] += a.cache_hit
    sums["read_saved"] += a.read_saved
    sums["write_extra"] += a.write_extra
    sums["hit_saved"] += a.hit_saved
    sums["prefix_left"] += a.prefix_left
    sums["checked"] += a.verdict in ("passed", "failed")
    sums["passed"] += a.verdict == "passed"
    sums["cascade_saved"] += a.cascade_saved
    sums["cascade_extra"] += a.cascade_extra


def _with_split_money(sums: dict[str, int]) -> dict[str, int]:
    row = dict.fromkeys(HOURLY_SUMS, 0)
    for name, value in sums.items():
        if name in HOURLY_MONEY:
            row[f"{name}_micro"], row[f"{name}_pico"] = split(value)
        else:
            row[name] = value
    return row
