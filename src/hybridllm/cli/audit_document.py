"""The audit as one JSON document: money as exact dollars under `*_usd`."""

from __future__ import annotations

from typing import Any

from hybridllm.cli.output import dollars
from hybridllm.planning.audit.groups import FileScan
from hybridllm.planning.audit.report import Audit, ModelLine, TaskLine


def document(found: Audit) -> dict[str, Any]:
    monthly = found.monthly_saving
    return {
        "day": found.day,
        "preset": found.preset,
        "catalog_as_of": found.as_of,
        "first": found.first or None,
        "last": found.last or None,
        "rows": found.rows,
        "calls": found.calls,
        "unpriced_rows": found.unpriced_rows,
        "bill_usd": dollars(found.bill),
        "now_usd": dollars(found.now),
        "hybrid_usd": dollars(found.hybrid),
        "hybrid_batch_usd": dollars(found.batched),
        "saving_usd": dollars(found.saving),
        "saving_30_days_usd": None if monthly is None else dollars(monthly),
        "tasks": [_task(line) for line in found.tasks],
        "models": [_model(line) for line in found.models],
        "levers": _levers(found),
        "assumptions": [
            {
                "name": made.name,
                "text": made.text,
                "if_wrong": made.if_wrong,
                "calls": made.touches,
                "saving_usd": dollars(made.saving),
                "change_usd": dollars(made.change),
            }
            for made in found.assumptions
        ],
        "charged": [
            {
                "file": one.file,
                "provider": one.provider,
                "first": one.first or None,
                "last": one.last or None,
                "stated_usd": dollars(one.stated),
                "bill_usd": dollars(one.bill),
            }
            for one in found.charged
        ],
        "files": [_file(file) for file in found.files],
        "notes": found.notes,
    }


def _task(line: TaskLine) -> dict[str, Any]:
    return {
        "name": line.name,
        "task": line.task,
        "known_by": line.how,
        "why": line.why or None,
        "rows": line.rows,
        "calls": line.calls or None,
        "input_tokens": line.input_tokens,
        "cached_tokens": line.cached_tokens,
        "output_tokens": line.output_tokens,
        "can_wait": line.can_wait,
        "models": {model: dollars(cost) for model, cost in line.models.items()},
        "routed": {model: dollars(cost) for model, cost in line.routed.items()},
        "now_usd": dollars(line.now),
        "hybrid_usd": dollars(line.hybrid),
        "hybrid_batch_usd": dollars(line.batched),
        "saving_usd": dollars(line.saving),
    }


def _model(line: ModelLine) -> dict[str, Any]:
    """`difference_usd` is ours less the file's."""
    has_cost = line.stated_rows > 0
    return {
        "model": line.id or None,
        "written": line.written,
        "rows": line.rows,
        "calls": line.calls or None,
        "bill_usd": None if line.bill is None else dollars(line.bill),
        "stated_usd": dollars(line.stated) if has_cost else None,
        "stated_rows": line.stated_rows,
        "difference_usd": dollars(line.stated_bill - line.stated) if has_cost and line.id else None,
    }


def _levers(found: Audit) -> dict[str, Any]:
    batch, cache = found.batch, found.cache
    return {
        "router": {"saving_usd": dollars(found.now - found.hybrid)},
        "batch": {
            "eligible_calls": batch.eligible_calls,
            "calls": batch.calls,
            "saving_usd": dollars(batch.saving),
        },
        "cache": {
            "seen_share": round(cache.seen, 4),
            "possible_share": round(cache.possible, 4),
            "measured": cache.measured,
            "saving_usd": dollars(cache.saving),
        },
    }


def _file(file: FileScan) -> dict[str, Any]:
    return {
        "file": file.path,
        "format": file.format,
        "rows": file.rows,
        "used": file.good,
        "bad": file.bad,
        "skipped": file.skipped,
        "problems": [
            {"row": problem.row, "field": problem.field, "why": problem.why}
            for problem in file.problems
        ],
    }
