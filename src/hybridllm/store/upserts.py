"""INSERT that knows what to do where the key is there already; each database has its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from sqlalchemy.dialects.sqlite import Insert


def upsert(connection: Connection, table: Table) -> Insert:
    """With `on_conflict_do_nothing` and `on_conflict_do_update`, which read the same on both."""
    if connection.dialect.name == "postgresql":
        return cast("Insert", postgresql.insert(table))
    return sqlite.insert(table)
