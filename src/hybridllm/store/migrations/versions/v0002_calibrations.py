"""What an attempt says of tokens a byte, and what all of them have taught."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for name, kind, default in (("text_bytes", sa.BigInteger, "0"), ("text_kind", sa.Text, "")):
        column = sa.Column(name, kind, nullable=False, server_default=default)
        op.add_column("attempts", column)
    op.create_table(
        "calibrations",
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("start", "ratio", "reports", "error", "start_error")
        ),
    )
