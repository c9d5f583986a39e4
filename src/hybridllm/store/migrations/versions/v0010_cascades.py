"""What an attempt was for in a cascade, what its check said, and what cascades saved."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def _zero(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def upgrade() -> None:
    for name in ("role", "verdict"):
        op.add_column("attempts", sa.Column(name, sa.Text, nullable=False, server_default=""))
    for name in ("cascade_saved", "cascade_extra"):
        op.add_column("attempts", _zero(name))
        for part in ("micro", "pico"):
            op.add_column("hourly", _zero(f"{name}_{part}"))
    for name in ("checked", "passed"):
        op.add_column("hourly", _zero(name))
