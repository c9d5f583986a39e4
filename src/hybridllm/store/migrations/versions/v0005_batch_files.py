"""Files of batches, batches that could not be taken, and who wants to be told of an end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def _columns(kind: type[Any], names: Iterable[str]) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=False) for name in names]


def upgrade() -> None:
    op.create_table(
        "batch_files",
        sa.Column("id", sa.Text, primary_key=True),
        *_columns(sa.Text, ["key", "purpose", "filename", "state", "batch"]),
        *_columns(sa.BigInteger, ["bytes", "created_at", "expires_at"]),
    )
    op.create_index("batch_files_by_key", "batch_files", ["key", "created_at"])
    op.create_table(
        "batch_file_chunks",
        sa.Column("file", sa.Text, primary_key=True),
        sa.Column("place", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "batch_refusals",
        sa.Column("id", sa.Text, primary_key=True),
        *_columns(sa.Text, ["key"]),
        *_columns(sa.BigInteger, ["at"]),
        *_columns(sa.Text, ["document"]),
    )
    op.create_index("batch_refusals_by_key", "batch_refusals", ["key", "at"])
    op.create_table(
        "batch_webhooks",
        sa.Column("id", sa.Text, primary_key=True),
        *_columns(sa.Text, ["batch", "key", "url", "state", "body"]),
        *_columns(sa.BigInteger, ["created_at", "attempts", "next_at"]),
    )
    op.create_index("batch_webhooks_by_time", "batch_webhooks", ["state", "next_at"])
