"""Writing and reading reviews. Every function works within the transaction that it is given."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, func, select, text

from hybridllm.store.schema import hourly, reviews


class Kept(NamedTuple):
    """A review: `at` Unix microseconds, `origin` serve or cli, `document` JSON."""

    at: int
    origin: str
    document: str


def add_review(connection: Connection, review: Kept, *, none_since: int | None = None) -> bool:
    """Keep it; whether it was. With `none_since`, only where no review is later than that time, and
    of several who try at once one alone succeeds."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE reviews IN EXCLUSIVE MODE"))
    newest = last_at(connection)
    if none_since is not None and newest is not None and newest > none_since:
        return False
    at = review.at if newest is None else max(review.at, newest + 1)
    connection.execute(reviews.insert().values(**review._replace(at=at)._asdict()))
    return True


def last_review(connection: Connection) -> Kept | None:
    """The newest, if there is any."""
    row = connection.execute(
        select(reviews.c.at, reviews.c.origin, reviews.c.document)
        .order_by(reviews.c.at.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else Kept(*row)


def last_at(connection: Connection) -> int | None:
    """When the newest was made, Unix microseconds."""
    return connection.execute(select(func.max(reviews.c.at))).scalar()


def first_hour(connection: Connection) -> int | None:
    """The first hour in which anything was recorded, Unix seconds."""
    return connection.execute(select(func.min(hourly.c.hour))).scalar()
