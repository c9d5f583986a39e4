"""The ledger: attempts, their hourly sums, and how far the journals are loaded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _columns(kind: type[Any], names: Iterable[str], **options: Any) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=False, **options) for name in names]


def upgrade() -> None:
    op.create_table(
        "attempts",
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("attempt", sa.BigInteger, primary_key=True, autoincrement=False),
        *_columns(sa.BigInteger, ["at"]),
        *_columns(sa.Text, ["key", "tags", "task", "task_source", "tier", "requested"]),
        *_columns(sa.Text, ["provider", "model", "account", "dialect_in", "dialect_out"]),
        *_columns(sa.Boolean, ["stream"]),
        *_columns(sa.BigInteger, ["status"]),
        *_columns(sa.Text, ["outcome", "error_kind"]),
        *_columns(sa.Boolean, ["answered"]),
        *_columns(sa.Text, ["provider_request_id"]),
        *_columns(sa.BigInteger, ["input_tokens", "cache_read_tokens", "cache_write_tokens"]),
        *_columns(sa.BigInteger, ["cache_write_long_tokens", "output_tokens", "reasoning_tokens"]),
        *_columns(sa.BigInteger, ["cost", "baseline"]),
        *_columns(sa.Text, ["baseline_model"]),
        *_columns(sa.Boolean, ["usage_estimated", "unpriced", "batch"]),
        *_columns(sa.BigInteger, ["first_token_us", "total_us"]),
        *_columns(sa.Text, ["reason", "moved_from"]),
    )
    op.create_table(
        "hourly",
        sa.Column("hour", sa.BigInteger, primary_key=True, autoincrement=False),
        *_columns(sa.Text, ["task", "provider", "model", "key"], primary_key=True),
        *_columns(sa.BigInteger, ["attempts", "answered", "errors", "cut", "cancelled"]),
        *_columns(sa.BigInteger, ["unknown", "fallbacks", "estimated", "unpriced"]),
        *_columns(sa.BigInteger, ["input_tokens", "cache_read_tokens", "cache_write_tokens"]),
        *_columns(sa.BigInteger, ["cache_write_long_tokens", "output_tokens", "reasoning_tokens"]),
        *_columns(sa.BigInteger, ["cost_micro", "cost_pico", "baseline_micro", "baseline_pico"]),
        *_columns(sa.BigInteger, ["unanswered_cost_micro", "unanswered_cost_pico"]),
    )
    op.create_table(
        "loaded",
        sa.Column("run", sa.Text, primary_key=True),
        *_columns(sa.BigInteger, ["segment", "bytes"]),
        *_columns(sa.Boolean, ["finished"]),
    )
