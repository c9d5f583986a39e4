"""Intents and attempts to write into a ledger."""

from __future__ import annotations

from typing import Any

import msgspec

from hybridllm.ledger.record import Attempt, Intent

AT = 1_795_503_600_000_000  # 2026-11-24T07:00:00Z


def intent(request_id: str = "hl-1", attempt: int = 1, **changes: Any) -> Intent:
    sample = Intent(
        request_id=request_id,
        attempt=attempt,
        at=AT,
        key="team-a",
        task="classification",
        task_source="header",
        tier="simple",
        requested="auto",
        provider="openai",
        model="openai/gpt-4o-mini",
        account="default",
        dialect_in="openai",
        dialect_out="openai",
        stream=False,
        upper_input_tokens=2000,
        upper_output_tokens=500,
        upper_cost=600_000_000,
    )
    return msgspec.structs.replace(sample, **changes)


def attempt(request_id: str = "hl-1", attempt: int = 1, **changes: Any) -> Attempt:
    sample = Attempt(
        request_id=request_id,
        attempt=attempt,
        at=AT,
        key="team-a",
        tags="",
        task="classification",
        task_source="header",
        tier="simple",
        requested="auto",
        provider="openai",
        model="openai/gpt-4o-mini",
        account="default",
        dialect_in="openai",
        dialect_out="openai",
        stream=False,
        status=200,
        outcome="ok",
        error_kind="",
        answered=True,
        provider_request_id="req_1",
        input_tokens=1000,
        cache_read_tokens=0,
        cache_write_tokens=0,
        cache_write_long_tokens=0,
        output_tokens=100,
        reasoning_tokens=0,
        cost=210_000_000,
        baseline=4_500_000_000,
        baseline_model="anthropic/claude-sonnet-4-6",
        usage_estimated=False,
        unpriced=False,
        batch=False,
        first_token_us=210_000,
        total_us=480_000,
        reason="cheapest of 3",
        moved_from="",
    )
    return msgspec.structs.replace(sample, **changes)
