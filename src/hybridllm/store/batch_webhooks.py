"""Writing and reading who wants to be told of a batch's end. Every function works within the
transaction that it is given."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from hybridllm.store.schema import batch_webhooks as webhooks


class WebhookRow(NamedTuple):
    """A row of `batch_webhooks`, which says what the fields are."""

    id: str
    batch: str
    key: str
    url: str
    state: str
    body: str
    created_at: int
    attempts: int
    next_at: int


def add_webhook(connection: Connection, row: WebhookRow, oldest: int) -> None:
    """Keep it, and forget those that came to an end before `oldest`."""
    connection.execute(
        delete(webhooks).where(
            webhooks.c.state.in_(("told", "given_up")), webhooks.c.next_at < oldest
        )
    )
    connection.execute(insert(webhooks).values(**row._asdict()))


def take_webhooks(
    connection: Connection, state: str, now: int, until: int, limit: int
) -> list[WebhookRow]:
    """Those in `state` whose time has come, which are the caller's alone until `until`: then they
    can be taken again, so that a process that dies leaves none behind."""
    rows = connection.execute(
        select(webhooks)
        .where(webhooks.c.state == state, webhooks.c.next_at <= now)
        .order_by(webhooks.c.next_at)
        .limit(limit)
    ).all()
    taken = []
    for row in map(WebhookRow._make, rows):
        found = connection.execute(
            update(webhooks)
            .where(webhooks.c.id == row.id, webhooks.c.state == state)
            .where(webhooks.c.next_at == row.next_at)
            .values(next_at=until)
        )
        if found.rowcount == 1:
            taken.append(row._replace(next_at=until))
    return taken


def put_webhook(connection: Connection, row: WebhookRow) -> None:
    """Store what has become of it."""
    connection.execute(
        update(webhooks)
        .where(webhooks.c.id == row.id)
        .values(state=row.state, body=row.body, attempts=row.attempts, next_at=row.next_at)
    )


def any_waiting(connection: Connection, now: int) -> bool:
    """Whether the time of any that is not over has come."""
    query = select(webhooks.c.id).where(
        webhooks.c.state.in_(("waiting", "due")), webhooks.c.next_at <= now
    )
    return connection.execute(query.limit(1)).first() is not None
