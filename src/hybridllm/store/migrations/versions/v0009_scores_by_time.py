"""Live scores of a model at a task are read in the order of their time."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_index("scores_by_time", "scores", ["task", "model", "source", "at"])
