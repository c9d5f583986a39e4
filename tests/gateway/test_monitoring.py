"""A share of production is graded after the reply, and routes follow what is found."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hybridllm.simulators import Simulators
from hybridllm.store import open_store
from hybridllm.store.scores import Score, read_scores
from tests.gateway.test_measuring import CHEAPEST, NEXT, live
from tests.gateway.upstream import PATHS
from tests.running import RunningGateway

CONFIG = """
[tasks.classification.monitor]
share = 1.0
check = "schema"
schema = '{"type": "object", "required": ["label"]}'
"""
GOOD, BAD = '[[sim say "{\\"label\\": 1}"]]', '[[sim say "I would say spam"]]'


@pytest.fixture(scope="module")
def monitored(
    simulators: Simulators, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    directory = tmp_path_factory.mktemp("monitored")
    with RunningGateway(directory, simulators.env(), config=CONFIG) as gateway:
        yield gateway


def ask(
    gateway: RunningGateway, text: str, task: str = "classification", **more: Any
) -> dict[str, str]:
    """The answer's headers."""
    body = {"model": f"task/{task}", "messages": [{"role": "user", "content": text}], **more}
    reply = gateway.post(PATHS["openai"], body)
    assert reply.status == 200
    return dict(reply.headers)


def scores(directory: Path, task: str, model: str) -> dict[str, Score]:
    """By request id."""
    engine = open_store(f"sqlite:///{directory / 'ledger.db'}")
    with engine.connect() as connection:
        found = {one.request_id: one for one in read_scores(connection, task, model)}
    engine.dispose()
    return found


def scored(gateway: RunningGateway, headers: dict[str, str]) -> Score:
    """The score of that answer, once it is there."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        found = scores(gateway.ledger, "classification", headers["x-hybridllm-model"])
        if headers["x-hybridllm-request-id"] in found:
            return found[headers["x-hybridllm-request-id"]]
        time.sleep(0.1)
    raise AssertionError("the answer was not graded")


def test_answers_are_graded_whole_and_streamed_and_other_tasks_are_not(
    monitored: RunningGateway,
) -> None:
    other = ask(monitored, f"spam? {BAD}", task="general")
    good = ask(monitored, f"spam? {GOOD}")
    bad = ask(monitored, f"spam? {BAD}", stream=True)
    found = scored(monitored, bad)
    assert (found.score, found.source, found.grader) == (0.0, "production", "schema")
    assert found.sample == bad["x-hybridllm-request-id"] and found.cost == 0
    assert scored(monitored, good).score == 1.0
    assert not scores(monitored.ledger, "general", other["x-hybridllm-model"])


def test_a_model_whose_answers_begin_to_fail_gives_way(monitored: RunningGateway) -> None:
    live(monitored.ledger, 0, 600, 100)
    end = time.monotonic() + 40
    headers = ask(monitored, f"spam? {GOOD}")
    while headers["x-hybridllm-model"] == CHEAPEST and time.monotonic() < end:
        headers = ask(monitored, f"spam? {BAD}")
        time.sleep(0.05)
    assert headers["x-hybridllm-model"] == NEXT
    assert "gpt-4o-mini is degraded since" in headers["x-hybridllm-reason"]
