"""Reviews kept in the ledger's store, and when the next one is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec
from sqlalchemy import Engine

from hybridllm.config import Config
from hybridllm.errors import ErrorKind, HybridError
from hybridllm.reports.review import Review, review
from hybridllm.store import writing
from hybridllm.store.reviews import Kept, add_review, first_hour, last_at, last_review

_MICRO = 1_000_000


def keep(
    engine: Engine,
    found: Review,
    origin: Literal["serve", "cli"],
    at: datetime,
    *,
    every: timedelta | None = None,
) -> bool:
    """Keep a review that was made at `at`; whether it was. With `every`, not where another is less
    than that old."""
    kept = Kept(_micro(at), origin, msgspec.json.encode(found).decode())
    since = None if every is None else _micro(at - every)
    with writing(engine) as connection:
        return add_review(connection, kept, none_since=since)


def last(engine: Engine) -> tuple[Review, str]:
    """The newest review and its origin. Raises HybridError(NOT_FOUND) where there is none."""
    with engine.connect() as connection:
        kept = last_review(connection)
    if kept is None:
        raise HybridError(
            "No review has been kept yet.",
            kind=ErrorKind.NOT_FOUND,
            remedy="`hybridllm review --save` keeps one, and so does a gateway every "
            "review.every_days.",
        )
    return msgspec.json.decode(kept.document, type=Review), kept.origin


def due_at(engine: Engine, every: timedelta) -> datetime | None:
    """When the next review is due: so long after the last one, else after the ledger's first hour.
    None: nothing has been recorded yet."""
    with engine.connect() as connection:
        before = last_at(connection)
        first = first_hour(connection) if before is None else None
    if before is not None:
        return datetime.fromtimestamp(before / _MICRO, UTC) + every
    return None if first is None else datetime.fromtimestamp(first, UTC) + every


def review_if_due(engine: Engine, config: Config, now: datetime) -> Review | None:
    """Make and keep the review that is due, if one is."""
    every = timedelta(days=config.review.every_days)
    due = due_at(engine, every)
    if due is None or due > now:
        return None
    found = review(config, now, engine)
    return found if keep(engine, found, "serve", now, every=every) else None


def _micro(moment: datetime) -> int:
    return int(moment.timestamp() * _MICRO)
