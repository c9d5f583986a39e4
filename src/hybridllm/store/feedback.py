"""What callers said of answers, in their own words. Every function works within the transaction it
is given."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, select

from hybridllm.store.schema import feedback
from hybridllm.store.scores import MILLION


class Said(NamedTuple):
    """One caller's word on a request: `key` is the caller's label, `at` Unix microseconds, `score`
    in 0..1."""

    request_id: str
    key: str
    at: int
    score: float
    comment: str


def add_feedback(
    connection: Connection, request_id: str, key: str, at: int, score: float, comment: str
) -> None:
    """Keep it; there is one for a request."""
    connection.execute(
        feedback.insert().values(
            request_id=request_id, key=key, at=at, score=round(score * MILLION), comment=comment
        )
    )


def read_feedback(connection: Connection, *, since: int = 0, limit: int = 1_000) -> list[Said]:
    """The newest first, from Unix microsecond `since` on."""
    c = feedback.c
    rows = connection.execute(
        select(c.request_id, c.key, c.at, c.score, c.comment)
        .where(c.at >= since)
        .order_by(c.at.desc(), c.request_id)
        .limit(limit)
    )
    return [Said(*row)._replace(score=row.score / MILLION) for row in rows]
