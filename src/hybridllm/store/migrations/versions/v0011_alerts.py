"""What people were told, so that each thing is told once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("target", sa.Text, primary_key=True),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("event", "subject", "text", "state")
        ),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("at", "attempts", "next_at")),
    )
    op.create_index("alerts_by_subject", "alerts", ["subject", "at"])
    op.create_index("alerts_by_time", "alerts", ["state", "next_at"])
