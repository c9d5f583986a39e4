"""Writing and reading what people were told. Every function works within the transaction that it is
given.

An alert is a row for each target that it goes to, and one for the log (target ""), whose key is
what makes it told once: of several processes that notice the same thing, one alone inserts it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Connection, select, update

from hybridllm.store.schema import alerts
from hybridllm.store.upserts import upsert


class AlertRow(NamedTuple):
    """A row of `alerts`, which says what the fields are."""

    id: str
    target: str
    event: str
    subject: str
    text: str
    state: str
    at: int
    attempts: int
    next_at: int


def add_alert(
    connection: Connection,
    *,
    id: str,
    event: str,
    subject: str,
    text: str,
    at: int,
    targets: Collection[str],
) -> bool:
    """Have it told, unless that was done before; whether this was the first time."""
    row = AlertRow(id, "", event, subject, text, "told", at, 0, at)
    key = [alerts.c.id, alerts.c.target]
    first = upsert(connection, alerts).values(**row._asdict())
    made = connection.execute(first.on_conflict_do_nothing().returning(*key)).all()
    if not made:
        return False
    if targets:
        rows = [row._replace(target=target, state="due")._asdict() for target in targets]
        connection.execute(upsert(connection, alerts).on_conflict_do_nothing(), rows)
    return True


def last_event(connection: Connection, subject: str) -> tuple[str, int] | None:
    """The newest event of a subject, and when it was."""
    row = connection.execute(
        select(alerts.c.event, alerts.c.at)
        .where(alerts.c.subject == subject, alerts.c.target == "")
        .order_by(alerts.c.at.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else (str(row[0]), int(row[1]))


def subjects_in(connection: Connection, event: str, events: Collection[str]) -> list[str]:
    """The subjects whose newest event, of those in `events`, is `event`."""
    rows = connection.execute(
        select(alerts.c.subject, alerts.c.event)
        .where(alerts.c.event.in_(events), alerts.c.target == "")
        .order_by(alerts.c.at)
    )
    newest = {str(subject): str(found) for subject, found in rows}
    return sorted(subject for subject, found in newest.items() if found == event)


def take_alerts(
    connection: Connection, targets: Collection[str], now: int, until: int, limit: int
) -> list[AlertRow]:
    """Those for `targets` whose time has come, which are the caller's alone until `until`: then
    they can be taken again, so that a process that dies leaves none behind."""
    rows = connection.execute(
        select(*(alerts.c[name] for name in AlertRow._fields))
        .where(alerts.c.state == "due", alerts.c.next_at <= now, alerts.c.target.in_(targets))
        .order_by(alerts.c.next_at, alerts.c.id)
        .limit(limit)
    ).all()
    taken = []
    for row in map(AlertRow._make, rows):
        found = connection.execute(
            update(alerts)
            .where(alerts.c.id == row.id, alerts.c.target == row.target)
            .where(alerts.c.state == "due", alerts.c.next_at == row.next_at)
            .values(next_at=until)
        )
        if found.rowcount == 1:
            taken.append(row._replace(next_at=until))
    return taken


def put_alert(connection: Connection, row: AlertRow) -> None:
    """Store what has become of it."""
    connection.execute(
        update(alerts)
        .where(alerts.c.id == row.id, alerts.c.target == row.target)
        .values(state=row.state, attempts=row.attempts, next_at=row.next_at)
    )


def read_alerts(connection: Connection, limit: int) -> list[AlertRow]:
    """All rows of the newest `limit` alerts, newest first, the log's row before others'."""
    newest = (
        select(alerts.c.id).where(alerts.c.target == "").order_by(alerts.c.at.desc()).limit(limit)
    )
    rows = connection.execute(
        select(*(alerts.c[name] for name in AlertRow._fields))
        .where(alerts.c.id.in_(newest))
        .order_by(alerts.c.at.desc(), alerts.c.id, alerts.c.target)
    )
    return [AlertRow(*row) for row in rows]
