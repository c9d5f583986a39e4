"""The lane of what can wait: batches, their lines, the jobs at providers, and who drives it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_TO_DO = sa.text("state = 'waiting' OR state = 'live'")
_IN_JOB = sa.text("job <> ''")


def _columns(kind: type[Any], names: str) -> Iterable[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=False) for name in names.split()]


def _place() -> list[sa.Column[Any]]:
    return [
        sa.Column("batch", sa.Text, primary_key=True),
        sa.Column("place", sa.BigInteger, primary_key=True, autoincrement=False),
    ]


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.Text, primary_key=True),
        *_columns(sa.Text, "key dialect endpoint kind model metadata webhook input_file"),
        *_columns(sa.BigInteger, "deadline_at"),
        *_columns(sa.Text, "state"),
        *_columns(sa.BigInteger, "created_at total answered failed cancelled late cost baseline"),
        *_columns(sa.BigInteger, "ended_at cancelled_at"),
    )
    op.create_index("batches_by_key", "batches", ["key", "created_at"])
    op.create_index("batches_by_state", "batches", ["state", "created_at"])
    op.create_table(
        "batch_lines",
        *_place(),
        *_columns(sa.Text, "custom_id state model dialect job"),
        *_columns(sa.BigInteger, "attempts retries"),
        *_columns(sa.Text, "tried"),
        *_columns(sa.BigInteger, "ready_at deadline_at created_at size tokens"),
        *_columns(sa.LargeBinary, "note"),
        *_columns(sa.BigInteger, "status"),
        *_columns(sa.Text, "mode"),
        *_columns(sa.BigInteger, "cost baseline"),
        *_columns(sa.Boolean, "late"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "batch_lines_to_do",
        "batch_lines",
        ["model", "dialect", "deadline_at", "ready_at", "created_at", "size", "tokens"],
        sqlite_where=_TO_DO,
        postgresql_where=_TO_DO,
    )
    op.create_index(
        "batch_lines_by_job",
        "batch_lines",
        ["job"],
        sqlite_where=_IN_JOB,
        postgresql_where=_IN_JOB,
    )
    for table in ("batch_requests", "batch_results"):
        op.create_table(table, *_place(), *_columns(sa.LargeBinary, "body"))
    op.create_table(
        "batch_jobs",
        sa.Column("id", sa.Text, primary_key=True),
        *_columns(sa.Text, "state provider model dialect account credential external_id excluded"),
        *_columns(sa.BigInteger, "lines size tokens deadline_at created_at submitted_at ended_at"),
        *_columns(sa.BigInteger, "cancelled_at next_at polls failures"),
        *_columns(sa.Text, "error"),
    )
    op.create_index("batch_jobs_by_state", "batch_jobs", ["state", "next_at"])
    op.create_index("batch_jobs_by_provider", "batch_jobs", ["provider", "ended_at"])
    op.create_table(
        "batch_lease",
        sa.Column("name", sa.Text, primary_key=True),
        *_columns(sa.Text, "holder"),
        *_columns(sa.BigInteger, "until"),
    )
