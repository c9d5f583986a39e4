"""Scores of answers, and their sums by cell, run and week."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _integer(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def upgrade() -> None:
    op.create_table(
        "scores",
        *map(_key, ("task", "model", "variant", "run", "sample", "metric")),
        _integer("score"),
        _integer("weight"),
        _text("grader"),
        _text("source"),
        _integer("at"),
        _text("request_id"),
        _integer("cost"),
    )
    op.create_table(
        "score_sums",
        *map(_key, ("task", "model", "variant", "metric", "source", "run")),
        sa.Column("week", sa.BigInteger, primary_key=True, autoincrement=False),
        *map(
            _integer,
            ("n", "weight", "weight_squares", "total", "squares", "cost", "last_at"),
        ),
    )
