"""How many answers of cascades were checked, and how many passed."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import Connection, func, select

from hybridllm.store.schema import hourly


class Checks(Struct, frozen=True):
    """Of one hour (Unix seconds of its start), task and model."""

    hour: int
    task: str
    model: str
    checked: int
    passed: int


def read_checks(connection: Connection, *, since: int) -> list[Checks]:
    """The hours from `since` (Unix seconds) in which any were, the oldest first."""
    query = (
        select(
            hourly.c.hour,
            hourly.c.task,
            hourly.c.model,
            func.sum(hourly.c.checked),
            func.sum(hourly.c.passed),
        )
        .where(hourly.c.hour >= since, hourly.c.checked > 0)
        .group_by(hourly.c.hour, hourly.c.task, hourly.c.model)
        .order_by(hourly.c.hour)
    )
    return [
        Checks(int(hour), task, model, int(checked), int(passed))
        for hour, task, model, checked, passed in connection.execute(query)
    ]
