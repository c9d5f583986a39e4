"""What answers say, apart from how they say it."""

from __future__ import annotations

import pytest

from hybridllm.checks.agreement import gist, largest


@pytest.mark.parametrize(
    ("compare", "expression", "one", "other"),
    [
        ("text", None, "The answer: Paris!", "answer paris"),
        ("json", None, 'Here: {"a": 1, "b": [2]}', '{"b": [2], "a": 1}'),
        ("number", None, "It is 1,200.50 in all", "so: 1200.5"),
        ("text", r"#### (.*)", "Long reasoning. #### 42", "Another way.\n#### 42"),
    ],
)
def test_the_same_in_other_words_agrees(compare, expression, one, other) -> None:
    assert gist(one, compare, expression) == gist(other, compare, expression) is not None


@pytest.mark.parametrize(
    ("compare", "expression", "answer"),
    [
        ("json", None, "none"),
        ("number", None, "none"),
        ("text", "x(y)", "none"),
        ("text", None, ""),
    ],
)
def test_what_has_no_gist_agrees_with_nothing(compare, expression, answer) -> None:
    assert gist(answer, compare, expression) is None


@pytest.mark.parametrize(
    ("gists", "expected"),
    [
        (["a", "b", "b"], (1, 2)),
        (["a", "b"], (0, 1)),
        ([None, None], (0, 0)),
        ([None, "a", None], (1, 1)),
        (["a", "b", "a", "b"], (0, 2)),
    ],
)
def test_the_largest_group_wins_and_of_two_the_first(gists, expected) -> None:
    assert largest(gists) == expected
