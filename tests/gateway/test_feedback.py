"""What a caller says of an answer counts, once, for its task and its model."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridllm import Stack
from hybridllm.errors import RequestError
from hybridllm.simulators import Simulators
from hybridllm.store import open_store
from hybridllm.store.feedback import read_feedback
from hybridllm.store.scores import read_scores, read_sums
from tests.running import RunningGateway

CHAT = {"model": "task/classification", "messages": [{"role": "user", "content": "spam?"}]}


def asked(gateway: RunningGateway) -> str:
    """The id of a request that was answered."""
    reply = gateway.post("/v1/chat/completions", CHAT)
    assert reply.status == 200
    return reply.headers["x-hybridllm-request-id"]


def test_a_score_and_a_thumb_count_for_their_task_and_model(
    simulators: Simulators, tmp_path: Path
) -> None:
    with RunningGateway(tmp_path, simulators.env()) as gateway:
        ids = [asked(gateway) for _ in range(3)]
        words = [{"score": 0.25}, {"thumb": "up"}, {"thumb": "down", "comment": "no, ham"}]
        for id, word in zip(ids, words, strict=True):
            told = gateway.post("/v1/feedback", {"request_id": id, **word})
            assert told.status == 200
            assert told.json() == {
                "request_id": id,
                "task": "classification",
                "model": "openai/gpt-4o-mini",
                "score": {"up": 1.0, "down": 0.0}.get(word.get("thumb"), 0.25),
                "counted": True,
            }
        again = gateway.post("/v1/feedback", {"request_id": ids[0], "score": 1})
        assert (again.status, again.json()["counted"]) == (200, False)
    engine = open_store(f"sqlite:///{gateway.ledger / 'ledger.db'}")
    with engine.connect() as connection:
        found = read_scores(connection, "classification", "openai/gpt-4o-mini")
        assert sorted((row.request_id, row.score) for row in found) == sorted(
            zip(ids, [0.25, 1.0, 0.0], strict=True)
        )
        assert {(row.source, row.grader) for row in found} == {("feedback", "caller")}
        (sums,) = read_sums(connection)
        assert (sums.n, sums.source) == (3, "feedback")
        comments = {said.request_id: said.comment for said in read_feedback(connection)}
        assert comments == {ids[0]: "", ids[1]: "", ids[2]: "no, ham"}
    engine.dispose()


WRONG = [
    ({"request_id": "x"}, "score"),
    ({"request_id": "x", "score": 1, "thumb": "up"}, "score"),
    ({"request_id": "x", "score": 1.5}, "score"),
    ({"request_id": "x", "score": True}, "score"),
    ({"request_id": "x", "thumb": "sideways"}, "thumb"),
    ({"score": 1}, "request_id"),
    ({"request_id": 7, "score": 1}, "request_id"),
    ({"request_id": "x", "score": 1, "comment": 5}, "comment"),
    ({"request_id": "x", "score": 1, "comment": "x" * 4_001}, "comment"),
    ({"request_id": "x", "score": 1, "stars": 5}, "stars"),
    (b"[", None),
    (b'{"request_id": "x", "score": NaN}', None),
]


@pytest.mark.parametrize(("body", "field"), WRONG)
def test_what_is_no_feedback_is_refused_by_the_fields_name(
    gateway: RunningGateway, body: object, field: str | None
) -> None:
    told = gateway.post("/v1/feedback", body)
    assert told.status == 400
    error = told.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", field)
    assert error["message"]


def test_a_request_that_is_not_there_or_had_no_answer_is_told(gateway: RunningGateway) -> None:
    told = gateway.post("/v1/feedback", {"request_id": "hl-none-1", "score": 1})
    assert told.status == 404
    assert "'hl-none-1' is not in the ledger" in told.json()["error"]["message"]


def test_errors_come_in_the_callers_dialect(gateway: RunningGateway) -> None:
    told = gateway.post("/v1/feedback", {}, {"anthropic-version": "2023-06-01"})
    assert (told.status, told.json()["type"]) == (400, "error")


async def test_the_library_says_it_too(
    simulators: Simulators, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in simulators.env().items():
        monkeypatch.setenv(name, value)
    async with Stack(preset="guide", ledger=tmp_path) as stack:
        reply = await stack.chat(CHAT["messages"], task="classification")  # type: ignore[arg-type]
        taken = await stack.feedback(reply.request_id, thumb="up", comment="right")
        assert (taken.task, taken.model, taken.score) == ("classification", reply.model, 1.0)
        with pytest.raises(RequestError, match="number between 0 and 1"):
            await stack.feedback(reply.request_id, score=2)
