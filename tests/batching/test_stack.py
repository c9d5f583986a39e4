"""`from hybridllm import Stack`: work that can wait, awaited."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from hybridllm import HybridError, RequestError, Stack
from hybridllm.simulators import Fault, Simulators

ASK = [{"role": "user", "content": "Spam or not? [[sim output_tokens=7]]"}]
QUICK = """
preset = "guide"
[batch]
max_age_seconds = 0
poll_seconds = 0.01
max_poll_seconds = 0.02
margin_seconds = 0
"""


@pytest.fixture(autouse=True)
def quick(keys: None, tmp_path: Path) -> None:
    (tmp_path / "hybridllm.toml").write_text(QUICK)


async def test_a_deferred_request_is_awaited_and_costs_half(
    simulators: Simulators, tmp_path: Path
) -> None:
    async with Stack(ledger=tmp_path) as stack:
        later = await stack.defer(task="classification", messages=ASK, deadline="6h")
        reply = await later
        live = await stack.chat(task="classification", messages=ASK)
    assert reply.text and reply.usage is not None and reply.usage.output_tokens == 7
    assert (reply.task, reply.model) == ("classification", "openai/gpt-4o-mini")
    assert (reply.provider, reply.attempts) == ("openai", 1)
    assert reply.reason == "answered in a batch"
    assert reply.cost_usd == live.cost_usd / 2
    assert reply.baseline_usd == live.baseline_usd > 0


async def test_a_handle_outlives_its_process(simulators: Simulators, tmp_path: Path) -> None:
    async with Stack(ledger=tmp_path) as stack:
        later = await stack.defer(task="classification", messages=ASK, deadline=timedelta(hours=9))
    async with Stack(ledger=tmp_path) as stack:
        reply = await (await stack.deferred(later.id))
        assert reply.text
        with pytest.raises(RequestError, match="no batch"):
            await (await stack.deferred("deferred_0")).status()


async def test_a_batch_is_read_in_order_with_each_ones_error(
    simulators: Simulators, tmp_path: Path
) -> None:
    requests = [
        {"messages": ASK, "custom_id": "good"},
        {"messages": [{"content": "no role"}], "custom_id": "bad"},
        {"messages": ASK, "model": "claude-sonnet-4-6"},
    ]
    async with Stack(ledger=tmp_path) as stack:
        batch = await stack.batch(requests, task="classification", deadline=86_400)
        outcomes = await batch
        status = await batch.status()
    assert [outcome.custom_id for outcome in outcomes] == ["good", "bad", "request-2"]
    good, bad, named = outcomes
    assert good.reply is not None and good.error is None
    assert isinstance(bad.error, RequestError) and bad.error.field == "messages[0].role"
    assert named.reply is not None and named.reply.model == "anthropic/claude-sonnet-4-6"
    assert (status.answered, status.failed) == (2, 1)
    total = sum((o.reply.cost_usd for o in (good, named) if o.reply), Decimal(0))
    assert Decimal(status.cost) / 10**12 == total


async def test_an_error_of_all_models_is_raised(simulators: Simulators, tmp_path: Path) -> None:
    simulators.faults(Fault(kind="error", status=400, message="No such knob"))
    try:
        async with Stack(ledger=tmp_path) as stack:
            with pytest.raises(HybridError, match="No such knob"):
                await (await stack.defer(task="classification", messages=ASK, deadline="1m"))
            cancelled = await stack.batch([{"messages": ASK}], deadline="6h")
            await cancelled.cancel()
            (outcome,) = await asyncio.wait_for(cancelled._all(), 20)
            assert outcome.error is not None
    finally:
        simulators.clear_faults()


async def test_what_cannot_be_deferred_is_said_at_once(keys: None, tmp_path: Path) -> None:
    with pytest.raises(HybridError, match="not open"):
        await Stack(ledger=tmp_path).defer(messages=ASK)
    async with Stack(ledger=tmp_path) as stack:
        with pytest.raises(RequestError) as caught:
            await stack.defer(messages=ASK, deadline="soon")
        assert caught.value.field == "deadline"
    off = tmp_path / "off.toml"
    await asyncio.to_thread(off.write_text, "[batch]\nenabled = false\n")
    async with Stack(off, ledger=tmp_path) as stack:
        with pytest.raises(HybridError, match="switched off"):
            await stack.defer(messages=ASK)
