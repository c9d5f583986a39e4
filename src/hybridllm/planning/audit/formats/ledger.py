"""Our own ledger's attempts, as exported from the store: see docs/ledger.md for the columns."""

from __future__ import annotations

from hybridllm.planning.audit.formats.shape import Format, Mapping, epoch, quoted, table
from hybridllm.planning.audit.head import Head

_MARKS = {"request_id", "attempt", "dialect_in", "cache_read_tokens", "task_source"}
_NUMBERS = {
    "input": "input_tokens",
    "cached": "cache_read_tokens",
    "written": "cache_write_tokens",
    "written_long": "cache_write_long_tokens",
    "output": "output_tokens",
    "reasoning": "reasoning_tokens",
}


def _matches(head: Head) -> bool:
    return head.lower >= _MARKS


def _mapping(head: Head) -> Mapping:
    nothing = " AND ".join(
        f"coalesce(TRY_CAST({quoted(name)} AS BIGINT), 0) = 0" for name in _NUMBERS.values()
    )
    return Mapping(
        relation=table(head),
        model="model",
        numbers={key: quoted(name) for key, name in _NUMBERS.items()},
        names={"model": "model", "at": "at", "cost": "cost", **_NUMBERS},
        at=epoch('"at"'),
        label="task",
        batch="batch",
        cost="cost",
        cost_power=0,
        input_is_all=False,
        skip=(("attempts without usage", nothing),),
    )


LEDGER = Format(name="ledger", title="hybridllm ledger", matches=_matches, mapping=_mapping)
