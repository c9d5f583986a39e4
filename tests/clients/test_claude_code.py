"""The real Claude Code, run without a person (`make claude-code` installs it and runs this).

It gets a base URL, a dummy key and a home of its own; what calls home is turned off by its own
variables. The simulated model has it use its tools, with arguments that fit their schemas and no
purpose: Claude Code judges them for real, and hands back what came of it.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hybridllm.simulators import Simulators
from tests.clients.cells import results_sent
from tests.clients.tape import Wiretap
from tests.running import RunningGateway

CLAUDE = os.environ.get("HYBRIDLLM_CLAUDE_CODE", "")
MODELS = (
    "anthropic/claude-sonnet-4-6",
    "openai/o3",
    "openai/gpt-4o-mini",
    "google/gemini-2.5-flash",
    "google/gemini-3-flash-preview",
)
MOST_TOKENS = {"openai/gpt-4o-mini": "16000"}
"""Claude Code asks for 32,000 tokens of output unless told otherwise; this model has 16,384."""

pytestmark = pytest.mark.skipif(
    not CLAUDE, reason="HYBRIDLLM_CLAUDE_CODE does not name Claude Code: see `make claude-code`"
)


def run(prompt: str, model: str, gateway: RunningGateway, home: Path, *args: str) -> Any:
    """What Claude Code prints for a prompt, in a directory with one file."""
    work = home / "work"
    work.mkdir(parents=True, exist_ok=True)
    (work / "notes.txt").write_text("the secret word is xylophone\n")
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "ANTHROPIC_BASE_URL": gateway.url,
        "ANTHROPIC_API_KEY": "sk-dummy",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": model,
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": MOST_TOKENS.get(model, "32000"),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_ERROR_REPORTING": "1",
    }
    command = [CLAUDE, "-p", prompt, "--model", model, "--output-format", "json", *args]
    done = subprocess.run(
        command,
        env=env,
        cwd=work,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    printed = json.loads(done.stdout)
    assert done.returncode == 0, printed
    assert not printed["is_error"]
    return printed


def rows_since(
    before: int, model: str | None, gateway: RunningGateway, simulators: Simulators
) -> list[dict[str, Any]]:
    """The ledger's rows for the calls since then: each has what the provider billed, and came from
    `model`, if one was named."""
    rows = []
    for call in simulators.calls()[before:]:
        (row,) = gateway.attempts(call.attempt.rpartition("-")[0])
        assert (row["outcome"], row["answered"]) == ("ok", True)
        assert model in (None, row["model"])
        assert call.billed is not None
        for name in call.billed.__struct_fields__:
            assert row[name] == getattr(call.billed, name), name
        rows.append(row)
    return rows


@pytest.mark.parametrize("model", MODELS)
def test_it_answers(
    model: str, today: RunningGateway, simulators: Simulators, tmp_path: Path
) -> None:
    before = len(simulators.calls())
    printed = run('Hello. [[sim say "It works."]]', model, today, tmp_path)
    assert (printed["result"], printed["stop_reason"]) == ("It works.", "end_turn")
    rows = rows_since(before, model, today, simulators)
    assert rows and rows[-1]["stream"]
    assert printed["usage"]["output_tokens"] == sum(row["output_tokens"] for row in rows)


@pytest.mark.parametrize("model", MODELS)
def test_it_uses_its_tools_and_goes_on(
    model: str, today: RunningGateway, simulators: Simulators, wiretap: Wiretap, tmp_path: Path
) -> None:
    """Two calls at once, both of which it refuses, then the answer; and a second prompt in the same
    session. The long prefix is read from the provider's cache."""
    before = len(simulators.calls())
    printed = run('Look. [[sim tools=Read,Bash say "It works."]]', model, today, tmp_path)
    assert printed["result"] == "It works."
    rows = rows_since(before, model, today, simulators)
    assert len(rows) == 2
    results = results_sent(model.partition("/")[0], wiretap.sent(model.partition("/")[0]))
    assert len(results) == 2
    assert rows[1]["cache_read_tokens"] > 10_000, "the long prefix is cached"
    before = len(simulators.calls())
    again = run(
        'And now? [[sim say "Still works."]]',
        model,
        today,
        tmp_path,
        "--resume",
        printed["session_id"],
    )
    assert again["result"] == "Still works."
    (row,) = rows_since(before, model, today, simulators)
    assert row["moved_from"] == ""


def test_it_may_name_a_task_instead_of_a_model(
    today: RunningGateway, simulators: Simulators, tmp_path: Path
) -> None:
    before = len(simulators.calls())
    printed = run('Look. [[sim tools=Read say "It works."]]', "task/agentic", today, tmp_path)
    assert printed["result"] == "It works."
    rows = rows_since(before, None, today, simulators)
    assert [row["task"] for row in rows] == ["agentic", "agentic"]
    assert len({row["model"] for row in rows}) == 1, "the conversation stays with its model"
