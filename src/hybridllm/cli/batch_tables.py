"""How the batch commands show batches."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from hybridllm.cli.batch_desk import Shown
from hybridllm.cli.tables import table


def document(batch: Shown) -> dict[str, Any]:
    """As JSON: exact dollars, times in UTC."""
    return {
        "id": batch.id,
        "status": batch.status,
        "created_at": moment(batch.created_at),
        "deadline": moment(batch.deadline),
        "ended_at": moment(batch.ended_at),
        "total": batch.total,
        "answered": batch.answered,
        "failed": batch.failed,
        "cancelled": batch.cancelled,
        "late": batch.late,
        "cost_usd": f"{batch.cost_usd:f}",
        "baseline_usd": f"{batch.baseline_usd:f}",
        "saved_usd": f"{batch.baseline_usd - batch.cost_usd:f}",
    }


def listing(batches: Sequence[Shown]) -> Table:
    """A row a batch."""
    shown = table(footer=False)
    for heading in ("batch", "status", "created", "deadline"):
        shown.add_column(heading, no_wrap=True)
    for heading in ("requests", "answered", "failed", "cost"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for batch in batches:
        shown.add_row(
            escape(batch.id),
            batch.status.replace("_", " "),
            moment(batch.created_at),
            moment(batch.deadline),
            f"{batch.total:,}",
            f"{batch.answered:,}",
            f"{batch.failed:,}",
            f"${batch.cost_usd:f}",
        )
    return shown


def moment(seconds: int) -> str | None:
    """`2026-11-25T09:00:00Z`; None for what has not come."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)) if seconds else None
