"""`hybridllm eval grade`, as typed: offline, and without a key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_eval_run import EvalDesk


@pytest.fixture
def desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> EvalDesk:
    made = EvalDesk(tmp_path, {}, (monkeypatch, capsys))
    made.write(
        "s.jsonl",
        {"prompt": "6 x 7?", "grader": "numeric", "expected": 42},
        {"prompt": "2 + 2?", "grader": "numeric", "expected": 4, "weight": 3},
        {"prompt": "?", "grader": {"kind": "rubric", "model": "gpt-4o", "rubric": "Good."}},
    )
    return made


def line(sample: int, model: str, answer: str) -> dict[str, str]:
    return {"sample": f"line-{sample}", "model": model, "answer": answer}


def test_recorded_answers_are_graded(desk: EvalDesk) -> None:
    desk.write("a.jsonl", line(1, "mine", "It is 42"), line(2, "mine", "5"), line(2, "other", "4"))
    out, _ = desk.run("grade", "a.jsonl", "--set", "s.jsonl", "--bar", "0.9")
    rows = {row.split()[0]: row.split() for row in out.splitlines()[1:]}
    assert rows["mine"][1] == "0.250" and rows["other"][1] == "1.000"
    found = json.loads(desk.run("grade", "a.jsonl", "--set", "s.jsonl", "--json")[0])
    assert [(m["model"], m["n"], m["score"]) for m in found["models"]] == [
        ("other", 1, 1.0), ("mine", 2, 0.25),
    ]  # fmt: skip


BAD = [
    ("{oops", "a.jsonl, line 2: "),
    (line(9, "m", "x"), "line 2: sample: 'line-9' is not in s.jsonl"),
    (line(3, "m", "x"), "line 2: sample: rubric does not grade by rule"),
    ({"sample": "line-1", "model": "m"}, "line 2: Object missing required field `answer`"),
]


@pytest.mark.parametrize(("bad", "words"), BAD)
def test_a_bad_line_is_told_with_its_number(desk: EvalDesk, bad: object, words: str) -> None:
    desk.write("a.jsonl", line(1, "m", "42"), bad)
    _, err = desk.run("grade", "a.jsonl", "--set", "s.jsonl", status=2)
    assert words in err


def test_files_that_have_no_answers(desk: EvalDesk) -> None:
    desk.write("a.jsonl", "")
    words = ("grade", "a.jsonl", "--set", "s.jsonl")
    assert "There is no answer" in desk.run(*words, status=2)[1]
    assert "0..1" in desk.run(*words, "--bar", "2", status=2)[1]
    assert "Cannot read" in desk.run("grade", "b.jsonl", "--set", "s.jsonl", status=2)[1]
