"""A line of a batch is sent with the variant of the prompt that its model gets."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hybridllm.batching.lane import Lane
from hybridllm.batching.structs import NewBatch, NewLine
from hybridllm.catalog.prompts import Variant
from hybridllm.config import Config
from hybridllm.config_file import load_config
from hybridllm.engine.runtime import open_runtime
from hybridllm.ledger import Ledger
from hybridllm.simulators import Simulators

SHOTS = "Input: {prompt}\\nOutput:"
CONFIG = """
preset = "guide"
[tasks.classification]
candidates = ["gpt-4o-mini"]
[batch]
min_lines = 1
max_age_seconds = 0.05
poll_seconds = 0.05
[prompts.classification]
openai = "wrap.toml"
"""


@pytest.fixture
def config(simulators: Simulators, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    simulators.reset()
    (tmp_path / "wrap.toml").write_text(f'prompt = "{SHOTS}"\n')
    (tmp_path / "h.toml").write_text(f'{CONFIG}[ledger]\ndirectory = "{tmp_path}"\n')
    for name, value in simulators.env().items():
        monkeypatch.setenv(name, value)
    return load_config(str(tmp_path / "h.toml"))


async def rows_of(config: Config, *lines: NewLine) -> list[dict[str, Any]]:
    """The ledger's rows of the lines, in their order."""
    ledger = Ledger(config.ledger)
    ledger.open()
    runtime = open_runtime(config)
    lane = Lane(lambda: runtime, ledger, ledger.store_url)
    await lane.open()
    new = NewBatch(
        dialect="openai", key="k", deadline_at=2**52, endpoint="/v1/chat/completions", kind="run"
    )
    batch = await lane.accept(new, lines)
    await lane.wait(batch.id, "k", 20.0)
    ids = [one.request_id async for one in lane.results(batch.id)]
    await lane.close()
    await runtime.close()
    rows = []
    for id in ids:
        (row,) = await asyncio.to_thread(ledger.find, id)
        rows.append(row)
    await asyncio.to_thread(ledger.close)
    return rows


def test_each_lines_attempt_names_what_it_was_sent_with(config: Config) -> None:
    asked = b'{"model":"auto","messages":[{"role":"user","content":"Is it? [[sim echo]]"}]}'
    own = Variant(name="own", prompt="{prompt} And more of it than there was.")
    rows = asyncio.run(
        rows_of(
            config,
            NewLine(custom_id="a", body=asked, task="classification"),
            NewLine(custom_id="b", body=asked, task="extraction"),
            NewLine(custom_id="c", body=asked, task="classification", variant=own),
        )
    )
    assert [row["variant"].partition("@")[0] for row in rows] == ["wrap", "", "own"]
    wrap, plain, brought = rows
    assert wrap["batch"] and brought["batch"]
    assert wrap["text_bytes"] - plain["text_bytes"] == len("Input: \nOutput:")
    assert plain["input_tokens"] < wrap["input_tokens"] < brought["input_tokens"]
