"""A body that routing sends to a model of the caller's own dialect passes as it stands, unless that
model refuses a setting in it which others take; one that the caller named gets it regardless."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.test_passthrough import REPLIES
from tests.gateway.upstream import PATHS, Seen, gateway_before, http
from tests.providers.servers import Peer

OPENAI = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "x_future": [1.5]}
CLAUDE = OPENAI | {"max_tokens": 4_000}
BUDGET = {"thinking": {"type": "enabled", "budget_tokens": 2_000}}

CASES: list[tuple[str, str, dict[str, Any], dict[str, Any], str]] = [
    # dialect, task, the caller's settings, what the provider gets of them, what was dropped
    ("openai", "specialized_reasoning", {"max_tokens": 9}, {"max_completion_tokens": 9}, ""),
    (
        "openai",
        "specialized_reasoning",
        {"temperature": 0.2, "seed": 7},
        {"seed": 7},
        "temperature",
    ),
    (
        "openai",
        "specialized_reasoning",
        {"reasoning_effort": "high"},
        {"reasoning_effort": "high"},
        "",
    ),
    ("openai", "general", {"max_tokens": 9, "stop": ["x"]}, {"max_tokens": 9, "stop": ["x"]}, ""),
    ("openai", "general", {"reasoning_effort": "high"}, {}, "reasoning"),
    ("anthropic", "code_generation", BUDGET, BUDGET, ""),
    ("anthropic", "complex_coding", BUDGET, {"thinking": {"type": "adaptive"}}, ""),
    ("anthropic", "complex_coding", {"temperature": 0.2}, {}, "temperature"),
]


@pytest.mark.parametrize(("dialect", "task", "said", "got", "dropped"), CASES)
async def test_what_routing_chose_takes_the_body(
    dialect: str, task: str, said: dict[str, Any], got: dict[str, Any], dropped: str, tmp_path: Path
) -> None:
    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(http(REPLIES[dialect]))

    body = (OPENAI if dialect == "openai" else CLAUDE) | said
    async with gateway_before(script, tmp_path) as (gateway, seen):
        reply = await asyncio.to_thread(
            gateway.post, PATHS[dialect], body, {"x-hybridllm-task": task}
        )
    assert reply.status == 200, reply.body
    sent = seen[0].json()
    settings = {k: v for k, v in sent.items() if k not in ("model", "messages", "x_future")}
    if dialect == "anthropic":
        assert settings.pop("max_tokens") == 4_000
        settings.pop("output_config", None)
        settings.get("thinking", {}).pop("display", None)
    assert settings == got
    assert sent["x_future"] == [1.5], "unknown fields survive all the same"
    assert reply.headers.get("x-hybridllm-dropped", "") == dropped


async def test_a_model_asked_for_by_name_gets_the_body_as_it_stands(tmp_path: Path) -> None:
    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(http(REPLIES["openai"]))

    body = OPENAI | {"model": "openai/o3", "max_tokens": 9, "temperature": 0.2}
    async with gateway_before(script, tmp_path) as (gateway, seen):
        await asyncio.to_thread(gateway.post, PATHS["openai"], body)
    assert seen[0].json() == body | {"model": "o3"}
