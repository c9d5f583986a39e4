"""`hybridllm eval agree`, as typed."""

from __future__ import annotations

import json

import pytest

from tests.cli.test_eval_run import WORDS, EvalDesk, desk

__all__ = ["desk"]

MINI = "openai/gpt-4o-mini"


@pytest.fixture
def run(desk: EvalDesk) -> str:
    """A run of 20 answers, of which lines 2 to 16 are right."""
    out, _ = desk.run("run", *WORDS, "--models", "gpt-4o-mini", "--full", "--json")
    return str(json.loads(out)["run"])


def test_grades_are_compared_with_peoples_labels(desk: EvalDesk, run: str) -> None:
    people = {2: 1, 3: 1, 4: 0, 17: 0, 18: 0, 19: 1, 99: 1}
    desk.write(
        "labels.jsonl",
        *({"sample": f"line-{n}", "model": MINI, "score": s} for n, s in people.items()),
    )
    out, _ = desk.run("agree", run, "--labels", "labels.jsonl")
    assert "6 answers of 7 labels: 4 agreed; 1 good to the grader alone, 1 to people alone" in out
    assert "Cohen's kappa 0.333" in out
    found = json.loads(desk.run("agree", run, "--labels", "labels.jsonl", "--json")[0])
    assert (found["both_good"], found["both_bad"]) == (2, 2)


def test_what_cannot_be_compared_is_said(desk: EvalDesk, run: str) -> None:
    desk.write("labels.jsonl", {"sample": "line-2", "model": MINI, "score": 1})
    assert "No kappa" in desk.run("agree", run, "--labels", "labels.jsonl")[0]
    _, err = desk.run("agree", "nope", "--labels", "labels.jsonl", status=2)
    assert "There is no run 'nope'" in err
    desk.write("labels.jsonl", {"sample": "x", "model": MINI, "score": 1})
    assert "None of the labels" in desk.run("agree", run, "--labels", "labels.jsonl", status=2)[1]
