"""The whole of a store, and what its sums must be."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import Engine, select

from hybridllm.ledger.record import Attempt
from hybridllm.store.schema import HOURLY_KEYS, HOURLY_MONEY, attempts, hourly, loaded, whole

TOKENS = [name for name in Attempt.__struct_fields__ if name.endswith("_tokens")]
LEVERS = (
    "read_saved",
    "write_extra",
    "hit_saved",
    "prefix_left",
    "cascade_saved",
    "cascade_extra",
)
OUTCOMES = {"error": "errors", "cut": "cut", "cancelled": "cancelled", "unknown": "unknown"}


def all_attempts(engine: Engine) -> dict[tuple[str, int], Attempt]:
    """Every row, by request and attempt; two rows of one attempt would fail here."""
    with engine.connect() as connection:
        rows = [Attempt(**row) for row in connection.execute(select(attempts)).mappings()]
    by_key = {(row.request_id, row.attempt): row for row in rows}
    assert len(by_key) == len(rows)
    return by_key


def all_sums(engine: Engine) -> dict[tuple[Any, ...], dict[str, int]]:
    """The rollup, money put together, by its key."""
    sums = {}
    with engine.connect() as connection:
        for row in connection.execute(select(hourly)).mappings():
            values = {name: int(value) for name, value in row.items() if name not in HOURLY_KEYS}
            for name in HOURLY_MONEY:
                micro, pico = values.pop(f"{name}_micro"), values.pop(f"{name}_pico")
                values[name] = whole(micro, pico)
            sums[tuple(row[name] for name in HOURLY_KEYS)] = values
    return sums


def expected_sums(rows: dict[tuple[str, int], Attempt]) -> dict[tuple[Any, ...], dict[str, int]]:
    """The rollup worked out from the rows one by one."""
    sums: dict[tuple[Any, ...], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows.values():
        hour = row.at // 3_600_000_000 * 3600
        group = sums[(hour, row.task, row.provider, row.model, row.key)]
        first = rows.get((row.request_id, 1))
        one: dict[str, int] = {
            "attempts": 1,
            "answered": row.answered,
            "fallbacks": row.answered
            and not row.role
            and first is not None
            and first.model != row.model,
            "checked": row.verdict in ("passed", "failed"),
            "passed": row.verdict == "passed",
            "estimated": row.usage_estimated,
            "unpriced": row.unpriced,
            "cost": row.cost,
            "baseline": row.baseline,
            "unanswered_cost": 0 if row.answered else row.cost,
            **{name: row.outcome == outcome for outcome, name in OUTCOMES.items()},
            "batched": row.batch,
            "cache_hits": row.cache_hit,
            "batch_cost": row.cost if row.batch else 0,
            "batch_saved": row.batch_gap if row.batch else 0,
            "batch_left": row.batch_gap if not row.batch and row.outcome == "ok" else 0,
            **{name: getattr(row, name) for name in LEVERS},
            **{name: 0 if row.cache_hit else getattr(row, name) for name in TOKENS},
        }
        for name, value in one.items():
            group[name] += value
    return {key: dict(values) for key, values in sums.items()}


def assert_sums_match_rows(engine: Engine) -> None:
    assert all_sums(engine) == expected_sums(all_attempts(engine))


def positions(engine: Engine) -> dict[str, tuple[int, int, bool]]:
    """What is remembered of how far each run is loaded."""
    with engine.connect() as connection:
        return {row[0]: (row[1], row[2], row[3]) for row in connection.execute(select(loaded))}
