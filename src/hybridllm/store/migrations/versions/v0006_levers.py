"""What the levers of cost did, by attempt and by hour; and answers kept to be given again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_MONEY = (
    "batch_cost",
    "batch_saved",
    "batch_left",
    "read_saved",
    "write_extra",
    "hit_saved",
    "prefix_left",
)


def _zero(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def upgrade() -> None:
    hit = sa.Column("cache_hit", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("attempts", hit)
    for name in ("batch_gap", "read_saved", "write_extra", "hit_saved", "prefix_left"):
        op.add_column("attempts", _zero(name))
    for name in ("batched", "cache_hits"):
        op.add_column("hourly", _zero(name))
    for name in _MONEY:
        op.add_column("hourly", _zero(f"{name}_micro"))
        op.add_column("hourly", _zero(f"{name}_pico"))
    op.create_table(
        "responses",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("about", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("responses_by_expiry", "responses", ["expires_at"])
