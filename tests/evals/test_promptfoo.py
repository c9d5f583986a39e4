"""A promptfoo configuration becomes a set that means the same; what cannot is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hybridllm.errors import RequestError
from hybridllm.evals.promptfoo import samples_of
from hybridllm.evals.sets import Sample, load_set


def written(tmp_path: Path, config: Any) -> Path:
    path = tmp_path / "promptfooconfig.json"
    path.write_text(json.dumps(config))
    return path


def loaded(tmp_path: Path, path: Path, **options: Any) -> tuple[Sample, ...]:
    """As the set that it becomes."""
    made = tmp_path / "set.jsonl"
    made.write_text("\n".join(json.dumps(row) for row in samples_of(path, **options)))
    return load_set(made).samples


def score(tmp_path: Path, asserts: list[Any], answer: str) -> float:
    test = {"vars": {"x": "Y.Z"}, "assert": asserts}
    path = written(tmp_path, {"prompts": ["?"], "tests": [test]})
    (sample,) = loaded(tmp_path, path)
    return sample.grader.grade(answer, sample.expected).score


CASES: list[tuple[list[Any], str, str]] = [
    ([{"type": "equals", "value": "{{x}}"}], "Y.Z", "Y.Z!"),
    ([{"type": "equals", "value": {"a": [1]}}], '{"a": [1]}', '{"a": [1], "b": 2}'),
    ([{"type": "contains", "value": "{{x}}"}], "is Y.Z.", "is y.z."),
    ([{"type": "icontains", "value": "{{x}}"}], "is y.z.", "is y-z."),
    ([{"type": "contains-any", "value": ["a", "b"]}], "b", "c"),
    ([{"type": "icontains-all", "value": "a, b"}], "B\nand A", "a"),
    ([{"type": "starts-with", "value": "Yes"}], "Yes, it is", "Oh Yes"),
    ([{"type": "regex", "value": "^v\\d+$"}], "v12", "v12 or so"),
    ([{"type": "is-json"}], '{"a": 1}', 'It is {"a": 1}'),
    ([{"type": "contains-json", "value": {"required": ["a"]}}], 'It is {"a": 1}', "{}"),
    ([{"type": "contains", "value": "a"}, {"type": "contains", "value": "b"}], "ab", "a"),
]


@pytest.mark.parametrize(("asserts", "good", "bad"), CASES)
def test_an_assertion_holds_here_as_there(
    tmp_path: Path, asserts: list[Any], good: str, bad: str
) -> None:
    assert score(tmp_path, asserts, good) == 1
    assert score(tmp_path, asserts, bad) == 0


def test_yaml_csv_conversations_and_defaults(tmp_path: Path) -> None:
    (tmp_path / "chat.json").write_text(
        '[{"role": "system", "content": "Be {{how}}."}, {"role": "user", "content": "{{text}}"}]'
    )
    (tmp_path / "tests.csv").write_text(
        'text,how,__expected\nHi,kind,Hello\n"a ""b""",brief,icontains:yes\n'
    )
    path = tmp_path / "promptfooconfig.yaml"
    path.write_text(
        "prompts:\n  - Say {{text}}.\n  - file://chat.json\ntests: file://tests.csv\n"
        "defaultTest:\n  vars: {how: plain}\n"
    )
    one, two = loaded(tmp_path, path)
    assert one.messages == [{"role": "user", "content": "Say Hi."}]
    assert (one.id, one.expected, two.grader.kind) == ("test-1", ("Hello",), "regex")
    _, two = loaded(tmp_path, path, prompt=2)
    assert [m["content"] for m in two.messages] == ["Be brief.", 'a "b"']


def test_a_rubric_has_the_judge_that_is_named(tmp_path: Path) -> None:
    tests = [{"assert": [{"type": "llm-rubric", "value": "It is kind."}]}]
    path = written(tmp_path, {"prompts": ["Hi"], "tests": tests})
    (sample,) = loaded(tmp_path, path, judge="gpt-4o")
    assert sample.grader.kind == "rubric"
    with pytest.raises(RequestError, match="test 1: llm-rubric needs a judge"):
        samples_of(path)


def test_what_has_no_counterpart_is_named(tmp_path: Path) -> None:
    fine = {"type": "contains", "value": "x"}
    tests = [
        {"assert": [{"type": "javascript", "value": "1"}]},
        {"assert": [{**fine, "threshold": 1}]},
        {"vars": {"a": ["x"]}, "assert": [fine]},
        {},
        {"assert": [{"type": "contains-any", "value": []}]},
        {"assert": [{"type": "equals", "value": "{{nothing}}"}]},
        {"assert": [{"type": "not-contains", "value": "x"}]},
    ]
    with pytest.raises(RequestError) as raised:
        samples_of(written(tmp_path, {"prompts": ["?"], "tests": tests}))
    for words in (
        "test 1: there is no counterpart of the assertion javascript",
        "test 2: contains has a threshold",
        "test 3: the variable a is a list",
        "test 4: it asserts nothing",
        "test 5: contains-any has no text",
        "test 6: there is no variable nothing",
        "test 7: there is no counterpart of the assertion not-contains",
    ):
        assert words in raised.value.message


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ([], "it is no object"),
        ({"prompts": [], "tests": []}, "There is no prompt 1"),
        ({"prompts": ["file://p.js"], "tests": []}, "is a program"),
        ({"prompts": ["x"], "tests": []}, "There is no test"),
        ({"prompts": ["x"], "tests": 5}, "its tests are no list"),
        ({"prompts": ["{% if a %}"], "tests": [{"assert": [{"type": "is-json"}]}]}, "more than"),
        ({"prompts": ["file://none.txt"]}, "Cannot read"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, config: Any, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        samples_of(written(tmp_path, config))
    (tmp_path / "x.yaml").write_text("a: [")
    with pytest.raises(RequestError, match="this is no YAML"):
        samples_of(tmp_path / "x.yaml")
