"""A share of production is kept, redacted, where a task says so, and becomes a set of samples."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from hybridllm.simulators import Simulators
from hybridllm.store import open_store
from hybridllm.store.captures import count_captures
from tests.gateway.upstream import PATHS
from tests.running import RunningGateway

CONFIG = """
[tasks.classification.capture]
share = 1.0
keep = 6
redact = ['CUST-\\d+']
"""
SECRET = "sk-proj-abcdEFGH1234567890abcd"


@pytest.fixture(scope="module")
def capturing(
    simulators: Simulators, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    directory = tmp_path_factory.mktemp("capturing")
    with RunningGateway(directory, simulators.env(), config=CONFIG) as gateway:
        yield gateway


def command(
    gateway: RunningGateway, *words: str, check: bool = True, env: Mapping[str, str] | None = None
) -> str:
    env = {**os.environ, **(env or {}), "HYBRIDLLM_HOME": str(gateway.ledger)}
    env.pop("HYBRIDLLM_CONFIG", None)
    done = subprocess.run(
        [sys.executable, "-m", "hybridllm", *words],
        capture_output=True, text=True, env=env, cwd=gateway.ledger, check=False,
    )  # fmt: skip
    assert (done.returncode == 0) is check, done.stderr
    return done.stdout if check else done.stderr


def kept(gateway: RunningGateway, request_id: str) -> dict[str, Any]:
    """What is kept of the request, once it is."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        shown = json.loads(command(gateway, "capture", "list", "--json", "--limit", "50"))
        if request_id in [one["request_id"] for one in shown["requests"]]:
            found: dict[str, Any] = json.loads(
                command(gateway, "capture", "show", request_id, "--json")
            )
            return found
        time.sleep(0.2)
    raise AssertionError(f"{request_id} was not kept")


def asked(text: str, task: str = "classification", **more: Any) -> dict[str, Any]:
    return {"model": f"task/{task}", "messages": [{"role": "user", "content": text}], **more}


def test_what_is_kept_is_the_request_and_its_whole_answer_redacted(
    capturing: RunningGateway,
) -> None:
    said = f'CUST-12, jane@example.com, {SECRET} [[sim say "Call +49 30 901820"]]'
    reply = capturing.post(PATHS["openai"], asked(said, user="jane", temperature=0.5))
    found = kept(capturing, reply.headers["x-hybridllm-request-id"])
    assert found["messages"][0]["content"].startswith("[redacted], [email], [secret] ")
    assert found["answer"] == "Call [phone]"
    assert found["model"] == reply.headers["x-hybridllm-model"]
    assert found["redacted"]["email"] == 1 and found["options"] == {"temperature": 0.5}
    held = b"".join(path.read_bytes() for path in capturing.ledger.glob("ledger.db*"))
    assert b"jane" not in held and SECRET.encode() not in held


def test_a_streamed_answer_is_put_together(capturing: RunningGateway) -> None:
    said = 'spam? [[sim say "one two three four"]]'
    reply = capturing.post(PATHS["openai"], asked(said, stream=True))
    assert b"[DONE]" in reply.body
    found = kept(capturing, reply.headers["x-hybridllm-request-id"])
    assert found["answer"] == "one two three four" and found["finish"] == "stop"


def test_another_dialect_is_kept_in_the_same_form(capturing: RunningGateway) -> None:
    body = {**asked('ham? [[sim say "ham"]]'), "max_tokens": 50, "system": "Be brief."}
    reply = capturing.post(PATHS["anthropic"], body)
    found = kept(capturing, reply.headers["x-hybridllm-request-id"])
    assert [m["role"] for m in found["messages"]] in (["system", "user"], ["developer", "user"])
    assert found["answer"] == "ham" and found["dialect"] == "anthropic"


def test_other_tasks_leave_nothing(capturing: RunningGateway) -> None:
    other = capturing.post(PATHS["openai"], asked("hello", task="general"))
    mine = capturing.post(PATHS["openai"], asked("hello"))
    kept(capturing, mine.headers["x-hybridllm-request-id"])
    message = command(
        capturing, "capture", "show", other.headers["x-hybridllm-request-id"], check=False
    )
    assert "Nothing is kept" in message


def test_only_so_many_are_kept_and_become_samples_and_go(
    capturing: RunningGateway, simulators: Simulators
) -> None:
    ids = [
        capturing.post(PATHS["openai"], asked(f'{n}? [[sim say "n{n}"]]')).headers[
            "x-hybridllm-request-id"
        ]
        for n in range(8)
    ]
    kept(capturing, ids[-1])
    lines = command(capturing, "capture", "export", "--task", "classification", "--grader", "exact")
    samples = [json.loads(line) for line in lines.splitlines()]
    assert [sample["id"] for sample in samples] == ids[:1:-1]
    assert [sample["expected"] for sample in samples] == [f"n{n}" for n in range(7, 1, -1)]
    run = ("eval", "run", "--task", "classification", "--captured", "6", "--grader", "exact")
    more = ("--models", "gemini-2.5-flash", "--preset", "guide", "--yes", "--json", "--full")
    found = json.loads(command(capturing, *run, *more, env=simulators.env()))
    assert found["set"]["samples"] == 6
    assert [(one["score"], one["n"]) for one in found["models"]] == [(1.0, 6)]
    assert "--all" in command(capturing, "capture", "purge", check=False)
    deleted = command(capturing, "capture", "purge", "--task", "classification", "--json")
    assert json.loads(deleted) == {"deleted": 6}
    store = open_store(f"sqlite:///{capturing.ledger / 'ledger.db'}")
    with store.connect() as connection:
        assert count_captures(connection, 0) == []
    store.dispose()
