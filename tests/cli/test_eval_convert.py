"""`hybridllm eval convert`, as typed."""

from __future__ import annotations

import json

from hybridllm.evals.sets import load_set
from tests.cli.test_eval_grade import EvalDesk, desk

__all__ = ["desk"]

CONFIG = {
    "prompts": ["Spam? {{text}}"],
    "tests": [{"vars": {"text": "Hi"}, "assert": [{"type": "icontains", "value": "ham"}]}],
}


def test_tests_become_samples_once(desk: EvalDesk) -> None:
    desk.write("p.json", CONFIG)
    out, _ = desk.run("convert", "p.json", "--out", "evals/set.jsonl")
    assert "1 sample: evals/set.jsonl" in out
    (sample,) = load_set(desk.home / "evals" / "set.jsonl").samples
    assert sample.messages == [{"role": "user", "content": "Spam? Hi"}]
    _, err = desk.run("convert", "p.json", "--out", "evals/set.jsonl", status=2)
    assert "is there already" in err


def test_nothing_is_written_of_what_cannot_be_taken_over(desk: EvalDesk) -> None:
    bad = {"vars": {"text": "x"}, "assert": [{"type": "regex", "value": "("}]}
    desk.write("p.json", json.dumps({**CONFIG, "tests": [*CONFIG["tests"], bad]}))
    _, err = desk.run("convert", "p.json", "--out", "set.jsonl", status=2)
    assert "p.json: line 2, expected: is no regular expression" in err
    assert not (desk.home / "set.jsonl").exists()
