"""Attempts name the variant of the prompt that they sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("attempts", sa.Column("variant", sa.Text, nullable=False, server_default=""))
