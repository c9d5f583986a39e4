"""What the attempts of a group teach of tokens a byte, kept in the store.

It happens where rows are loaded, in their transaction: each report counts once whatever crashes,
processes that share a store learn together, and the way of a request has no part in it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, Engine

from hybridllm.ledger.record import Attempt
from hybridllm.store import rows
from hybridllm.tokens.calibration import Calibration, begin, reported


def learn(connection: Connection, group: Iterable[Attempt]) -> None:
    """Take in the reports of a group of attempts, in their order."""
    telling = [a for a in group if _tells(a)]
    if not telling:
        return
    known = {(one.model, one.kind): one for one in _read(connection, lock=True)}
    changed: dict[tuple[str, str], Calibration] = {}
    for a in telling:
        key = (a.model, a.text_kind)
        old = changed.get(key) or known.get(key) or begin(*key)
        new = reported(old, a.text_bytes, _input(a))
        if new is not old:
            changed[key] = new
    rows.put_calibrations(connection, map(msgspec.structs.asdict, changed.values()))


def calibrations(engine: Engine) -> list[Calibration]:
    """All that was learned, by model and kind. Raises SQLAlchemyError."""
    with engine.connect() as connection:
        return _read(connection)


def _read(connection: Connection, *, lock: bool = False) -> list[Calibration]:
    return [Calibration(**row) for row in rows.read_calibrations(connection, lock=lock)]


def _tells(a: Attempt) -> bool:
    """Whether the provider itself counted an input that was text and nothing else."""
    return bool(a.text_kind) and a.outcome == "ok" and not a.usage_estimated


def _input(a: Attempt) -> int:
    cached = a.cache_read_tokens + a.cache_write_tokens + a.cache_write_long_tokens
    return a.input_tokens + cached
