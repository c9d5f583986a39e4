"""What each checkable grader calls right, wrong, and in between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridllm.evals.graders.label import macro_f1
from hybridllm.evals.graders.registry import GRADERS, grader_of
from hybridllm.evals.grading import Judge

INVOICE = {"to": "ACME Ltd.", "lines": [{"what": "Bolt", "n": 2}, {"what": "Nut", "n": 1}]}
SCHEMA = {
    "type": "object",
    "properties": {"age": {"type": "integer"}},
    "required": ["age"],
}


def score(said: Any, expected: Any, answer: str) -> float:
    """By the grader that `said` names."""
    grader = grader_of(said)
    return grader.grade(answer, grader.expect(expected)).score


CASES: list[tuple[Any, Any, str, float]] = [
    ("exact", "Paris", " Paris\n", 1),
    ("exact", "Paris", "paris", 0),
    ("exact", ["Paris", "Lutetia"], "Lutetia", 1),
    ("normalised", "The Beatles", "beatles!", 1),
    ("normalised", "Beatles", "It was the Beatles.", 0),
    ({"kind": "normalised", "contains": True}, "Beatles", "It was the Beatles.", 1),
    ({"kind": "normalised", "contains": True}, "art", "The party", 0),
    ("f1", "the quick brown fox", "quick fox", 0.8),
    ("f1", ["no", "quick fox"], "a quick fox", 1),
    ("f1", "fox", "", 0),
    ("numeric", 42, "So 6 x 7 = 42.", 1),
    ("numeric", "1,234.5", "It costs $1,234.50", 1),
    ("numeric", -3, "The answer: -3", 1),
    ("numeric", 5, "between 10-5", 1),
    ("numeric", 1000000, "1e6", 1),
    ("numeric", 42, "It is v42 or x.42", 0),
    ("numeric", 42, "many", 0),
    ({"kind": "numeric", "tolerance": 0.01}, 3.14, "3.1415", 1),
    ({"kind": "numeric", "tolerance": 0.001}, 3.14, "3.1415", 0),
    ({"kind": "numeric", "relative": 0.05}, 100, "104", 1),
    ({"kind": "numeric", "take": "first"}, 1, "1 or 2", 1),
    ({"kind": "numeric", "take": "only"}, 1, "It is 1", 0),
    ({"kind": "numeric", "take": "only"}, 1, " 1.0 ", 1),
    ("regex", r"\bv\d+", "It is v12.", 1),
    ({"kind": "regex", "whole": True}, r"v\d+", "It is v12.", 0),
    ({"kind": "regex", "ignore_case": True}, "yes", "YES", 1),
    ({"kind": "json_schema", "schema": SCHEMA}, None, '```json\n{"age": 3}\n```', 1),
    ("json_schema", SCHEMA, '{"age": "3"}', 0),
    ("json_schema", SCHEMA, "three", 0),
    ({"kind": "json_schema", "only": True}, {}, '{"age": 3}', 1),
    ({"kind": "json_schema", "only": True}, {}, 'It is {"age": 3}', 0),
    ("all", [{"grader": "regex", "expected": "x"}, {"grader": "f1", "expected": "x y"}], "x z", .5),
    ("extraction", INVOICE, '{"lines": [{"what":"nut","n":1.0},{"n":2,"what":"Bolt"}], '
     '"to": "acme ltd"}', 1),
    ("extraction", {"a": 1, "b": 2}, 'Here: {"a": 1, "c": null}', 2 / 3),
    ({"kind": "extraction", "fields": ["a"]}, {"a": 1, "b": 2}, '{"a": 1, "b": 3}', 1),
    ("extraction", {"a": 1}, "nothing", 0),
    ("label", "spam", "Spam.", 1),
    ("label", "spam", "It is spam", 0),
    ("label", "A", "(A)", 1),
    ("normalised", "A", "a.", 1),
    ({"kind": "label", "labels": ["spam", "not spam"]}, "spam", "It is spam", 1),
    ({"kind": "label", "labels": ["spam", "not spam"]}, "not spam", "That is not spam!", 1),
    ({"kind": "label", "labels": ["spam", "ham"]}, "spam", "spam or ham", 0),
    ({"kind": "rouge", "variant": "rouge1"}, "the cat sat", "the cat", 0.8),
    ("rouge", "the cat sat", "the cat sat", 1),
    ("bleu", ["the cat sat on the mat"], "the cat sat on the mat", 1),
    ("bleu", "the cat sat on the mat", "dogs run", 0),
]  # fmt: skip


@pytest.mark.parametrize(("said", "expected", "answer", "wanted"), CASES)
def test_an_answer_gets_its_score(said: Any, expected: Any, answer: str, wanted: float) -> None:
    assert score(said, expected, answer) == pytest.approx(wanted)


BAD: list[tuple[Any, Any, str]] = [
    ("exakt", "", 'did you mean "exact"'),
    ({"tolerance": 1}, 1, "must be a name"),
    ({"kind": "numeric", "tolerence": 1}, 1, "numeric: Object contains unknown field `tolerence`"),
    ({"kind": "numeric", "tolerance": "much"}, 1, "tolerance"),
    ("exact", 5, "must be a text"),
    ("exact", [], "must be a text"),
    ("normalised", "...", "more than punctuation"),
    ("numeric", "many", "must be a number"),
    ("numeric", True, "must be a number"),
    ({"kind": "numeric", "tolerance": -1}, 1, "negative"),
    ("regex", "(", "no regular expression"),
    ("json_schema", {"type": "objekt"}, "no JSON Schema"),
    ("json_schema", "object", "must be a JSON Schema"),
    ("extraction", "x", "must be a JSON object"),
    ("label", "", "name of a class"),
    ({"kind": "label", "labels": ["a"]}, "b", "one of the grader's labels"),
    ("all", [], "must be a list of graders"),
    ("all", [{"expected": 1}], "part 1 must be"),
    ("all", [{"grader": "numeric", "expected": "x"}], "part 1: must be a number"),
    ("all", [{"grader": "code", "expected": "1"}], "part 1: code cannot be one of several"),
    ("code", "", "must be tests"),
    ("code", "assert (", "no Python"),
    ({"kind": "rubric", "model": "m", "rubric": " "}, None, "needs a rubric"),
    ({"kind": "pairwise", "model": "m"}, "", "must be the reference"),
]


@pytest.mark.parametrize(("said", "expected", "words"), BAD)
def test_what_cannot_grade_says_why(said: Any, expected: Any, words: str) -> None:
    with pytest.raises(ValueError) as raised:
        grader_of(said).expect(expected)
    assert words in str(raised.value)


CHECKABLE = sorted(
    name for name, kind in GRADERS.items() if not kind.slow and not issubclass(kind, Judge)
)
EXPECTED = {
    "numeric": 7,
    "all": [{"grader": "exact", "expected": "x"}],
    "json_schema": SCHEMA,
    "extraction": {"a": "x"},
}


@pytest.mark.parametrize("name", CHECKABLE)
@settings(max_examples=25, deadline=None)
@given(answer=st.text(max_size=60) | st.sampled_from(["NaN", "{" * 5_000, "1e999", "\ud800"]))
def test_any_answer_at_all_is_graded_from_nought_to_one(name: str, answer: str) -> None:
    if name in ("rouge", "bleu") and answer.startswith("{{"):
        return  # they take their time over it
    assert 0 <= score(name, EXPECTED.get(name, "x"), answer) <= 1


def test_macro_f1_is_the_mean_over_the_classes_that_there_are() -> None:
    pairs: Sequence[tuple[str, str]] = [("a", "a"), ("a", "b"), ("b", "b"), ("c", "")]
    # a: precision 1, recall 1/2; b: precision 1/2, recall 1; c: never named
    assert macro_f1(pairs) == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    grader = grader_of("label")
    graded = [(wanted, grader.grade(said, wanted)) for wanted, said in pairs]
    assert grader.summary(graded) == {"macro_f1": pytest.approx(4 / 9)}
