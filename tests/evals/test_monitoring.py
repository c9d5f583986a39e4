"""Live answers are scored by checks that need no expected answer, whichever check a task has."""

from __future__ import annotations

import json

import msgspec
import pytest

from hybridllm.catalog.structs import Monitor
from hybridllm.config_file import load_config
from hybridllm.engine.call import Call
from hybridllm.engine.sampling import Backlog, Seen
from hybridllm.evals.monitoring import score_of, scores_of
from hybridllm.wire.conversation import Refusal, Reply, Text
from hybridllm.wire.dialect import RequestShape
from hybridllm.wire.registry import get_dialect

SCHEMA = Monitor(share=1.0, check="schema", schema='{"type": "object", "required": ["name"]}')
WORD = Monitor(share=1.0, check="regex", expression=r"\bspam\b")
TESTS = Monitor(share=1.0, check="tests", tests="assert double(2) == 4")
CODE = "```python\ndef double(n):\n    return {}\n```"


def seen(text: str, dialect: str = "openai", task: str = "extraction", number: int = 0) -> Seen:
    """An answer of production that says `text`."""
    said = get_dialect(dialect)
    reply = Reply(id="r", model="m", parts=[Text(text=text)])
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "?"}]}).encode()
    call = Call(dialect=said, shape=RequestShape(), body=body)
    return Seen(
        request_id=f"r{number}", task=task, model="openai/gpt-4o-mini", at=1, call=call,
        stream=False, reply=said.encode_reply(reply),
    )  # fmt: skip


@pytest.mark.parametrize("dialect", ["openai", "responses", "anthropic", "google"])
@pytest.mark.parametrize(
    ("monitor", "good", "bad"),
    [
        pytest.param(SCHEMA, '{"name": "Ada"}', '{"age": 36}', id="schema"),
        pytest.param(WORD, "It is spam.", "It is spammy.", id="regex"),
        pytest.param(TESTS, CODE.format("2 * n"), CODE.format("n"), id="tests"),
    ],
)
def test_an_answer_passes_or_fails_its_tasks_check(
    monitor: Monitor, good: str, bad: str, dialect: str
) -> None:
    assert score_of(seen(good, dialect), monitor) == 1.0
    assert score_of(seen(bad, dialect), monitor) == 0.0
    assert score_of(seen("", dialect), monitor) == 0.0


def test_a_refusal_fails_and_what_is_no_answer_is_not_scored() -> None:
    refused = seen("")
    reply = Reply(id="r", model="m", parts=[Refusal(text="It is spam, and I will not say so.")])
    refused.reply = refused.call.dialect.encode_reply(reply)
    assert score_of(refused, WORD) == 0.0
    broken = seen("")
    broken.reply = b'{"error": {"message": "spam"}}'
    assert score_of(broken, WORD) is None


def test_scores_are_live_ones_of_the_tasks_that_are_monitored() -> None:
    tasks = dict(load_config(None, "guide").tasks)
    tasks["extraction"] = msgspec.structs.replace(tasks["extraction"], monitor=WORD)
    answers = [seen("spam", number=1), seen("ham", number=2), seen("spam", task="chat", number=3)]
    found = scores_of([*answers, seen("spam", task="gone", number=4)], tasks)
    assert [(one.request_id, one.score, one.source, one.cost) for one in found] == [
        ("r1", 1.0, "production", 0),
        ("r2", 0.0, "production", 0),
    ]


def test_a_full_backlog_drops_the_newest_and_counts_them() -> None:
    backlog: Backlog[int] = Backlog(most=3)
    for number in range(5):
        backlog.put(number)
    assert backlog.take() == [0, 1, 2] and backlog.lost == 2
    backlog.put(5)
    assert backlog.take() == [5] and backlog.lost == 2
