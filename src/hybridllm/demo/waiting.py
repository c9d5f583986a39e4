"""The demo's third part: what can wait goes through OpenAI's batch API to the gateway's own lane,
and a conversation about a long document reads it from a prompt cache.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

from hybridllm.demo.prompts import prompt
from hybridllm.errors import HybridError
from hybridllm.simulators import prompt_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from anthropic import AsyncAnthropic
    from openai import AsyncOpenAI

    from hybridllm.demo.replay import Ask, Stage

LANE = """
[batch]
max_age_seconds = 0.5
poll_seconds = 0.1
max_poll_seconds = 0.5

[caching]
enabled = true
"""
"""A lane that does not wait for more work: there is none. And breakpoints where they pay."""

TALK = "general"
"""The conversation's task, of which the month has nothing."""
TURNS = 6
DOCUMENT_TOKENS = 20_000
_HOURS_AT_ONCE = 3600.0
_PATIENCE_SECONDS = 60.0


async def batched(stage: Stage, asks: list[Ask], advance: Callable[[], None]) -> list[str]:
    """Send these calls as one batch, and let the simulated providers' hours pass until it has
    ended. The failures' texts."""
    from openai import AsyncOpenAI

    from hybridllm.demo.callers import KEY

    async with AsyncOpenAI(base_url=f"{stage.url}/v1", api_key=KEY, max_retries=0) as client:
        lines = await asyncio.to_thread(lambda: b"".join(map(_line, asks)))
        file = await client.files.create(file=("month.jsonl", lines), purpose="batch")
        batch = await client.batches.create(
            input_file_id=file.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
        )
        output = await _output(client, stage, batch.id)
    failures = []
    for line in output.splitlines():
        result = json.loads(line)
        if result["error"] or result["response"]["status_code"] != 200:
            failures.append(f"batch: {result['custom_id']}: {line[:200]}")
        advance()
    return failures


async def _output(client: AsyncOpenAI, stage: Stage, batch_id: str) -> str:
    """The results, as soon as they are there. Raises HybridError if they do not come."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end:
        batch = await client.batches.retrieve(batch_id)
        if batch.status == "completed" and batch.output_file_id is not None:
            return (await client.files.content(batch.output_file_id)).text
        if batch.status in ("failed", "expired", "cancelled"):
            raise HybridError(f"The demo's batch ended as {batch.status}.")
        await asyncio.to_thread(stage.simulators.advance, _HOURS_AT_ONCE)
        await asyncio.sleep(0.2)
    raise HybridError("The demo's batch did not end in time.")


def _line(ask: Ask) -> bytes:
    body = {
        "model": f"task/{ask.task}",
        "max_completion_tokens": ask.output_tokens,
        "messages": [
            {
                "role": "user",
                "content": prompt(ask.task, ask.number, ask.input_tokens, ask.output_tokens),
            }
        ],
    }
    named = {"custom_id": f"{ask.task}-{ask.number}", "method": "POST"}
    line = {**named, "url": "/v1/chat/completions", "body": body}
    return json.dumps(line).encode() + b"\n"


async def talked(stage: Stage, advance: Callable[[], None]) -> list[str]:
    """A conversation of some turns about one long document. The failures' texts."""
    from anthropic import AsyncAnthropic

    from hybridllm.demo.callers import KEY

    document = prompt_of(DOCUMENT_TOKENS, seed=1, start="The handbook of the house.")
    messages: list[dict[str, Any]] = []
    async with AsyncAnthropic(base_url=stage.url, api_key=KEY, max_retries=0) as client:
        for turn in range(1, TURNS + 1):
            messages.append({"role": "user", "content": f"Question {turn}: what does it say?"})
            try:
                said = await _turn(client, document, messages)
            except Exception as e:
                return [f"conversation: {e}"]
            messages.append({"role": "assistant", "content": said})
            advance()
    return []


async def _turn(client: AsyncAnthropic, document: str, messages: list[dict[str, Any]]) -> str:
    reply = await client.messages.create(
        model="claude-sonnet-4-6",
        max_tokens=200,
        system=document,
        messages=messages,  # type: ignore[arg-type]
        extra_headers={"x-hybridllm-task": TALK, "x-session-id": "handbook"},
    )
    return "".join(block.text for block in reply.content if block.type == "text")
