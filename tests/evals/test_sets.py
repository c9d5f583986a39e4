"""A set is read from JSONL or CSV, and a mistake in it is told with file, line and field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hybridllm.errors import RequestError
from hybridllm.evals.graders.exact import Exact
from hybridllm.evals.graders.numeric import Numeric
from hybridllm.evals.sets import EvalSet, load_set


def written(tmp_path: Path, *lines: Any) -> Path:
    path = tmp_path / "set.jsonl"
    path.write_text("\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines))
    return path


def test_a_line_is_a_prompt_a_conversation_or_a_template_with_its_fields(tmp_path: Path) -> None:
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}]
    found = load_set(
        written(
            tmp_path,
            {"defaults": {"grader": "exact", "system": "Be brief.", "options": {"temperature": 0}}},
            {"prompt": "1+1?", "expected": "2"},
            "",
            {"id": "talk", "messages": talk, "expected": "x", "weight": 2, "options": {"seed": 1}},
            {"template": "{a} in {{braces}} {b}", "fields": {"a": "A", "b": [1]}, "expected": "x"},
            {"prompt": "2?", "grader": {"kind": "numeric", "tolerance": 1}, "expected": 2},
        )
    )
    one, two, three, four = found.samples
    system = {"role": "system", "content": "Be brief."}
    assert (one.id, one.grader, one.expected) == ("line-2", Exact(), ("2",))
    assert one.messages == [system, {"role": "user", "content": "1+1?"}]
    assert (two.id, two.messages, two.weight, two.options) == ("talk", talk, 2.0, {"seed": 1})
    assert one.options == {"temperature": 0}
    assert three.messages[-1]["content"] == "A in {braces} [1]"
    assert four.grader == Numeric(tolerance=1)


def test_a_table_has_a_template_once_and_its_other_columns_are_fields(tmp_path: Path) -> None:
    path = tmp_path / "set.csv"
    path.write_text(
        "template,text,expected,grader,weight\n"
        '"Spam? {text}","two\nlines",spam,"{""kind"": ""label""}",\n'
        ",hello,ham,,3\n"
    )
    one, two = load_set(path).samples
    assert [s.messages[0]["content"] for s in (one, two)] == ["Spam? two\nlines", "Spam? hello"]
    assert (one.id, two.id, one.weight, two.weight) == ("line-2", "line-4", 1.0, 3.0)
    assert one.grader == two.grader and one.expected == "spam"


GOOD = {"prompt": "x", "grader": "exact", "expected": "y"}
BAD: list[tuple[Any, str]] = [
    ("{oops", "line 2, it is no JSON"),
    ([], "line 2, it is no JSON object"),
    ({**GOOD, "colour": 1}, "line 2, colour: there is no such key"),
    ({**GOOD, "grader": "exakt"}, 'line 2, grader: there is none called "exakt"; did you mean'),
    ({"prompt": "x"}, "line 2, grader: is needed"),
    ({**GOOD, "expected": 5}, "line 2, expected: must be a text"),
    ({**GOOD, "weight": 0}, "line 2, weight: must be a number above 0"),
    ({**GOOD, "weight": True}, "line 2, weight"),
    ({**GOOD, "options": {"model": "m"}}, "line 2, options"),
    ({**GOOD, "id": ""}, "line 2, id"),
    ({**GOOD, "id": "line-1"}, "line 2, id: line 1 has the same"),
    ({**GOOD, "prompt": 5}, "line 2, prompt: must be a text"),
    ({**GOOD, "messages": []}, "line 2, messages: stand beside prompt"),
    ({"grader": "exact", "expected": "y"}, "line 2, messages: are needed"),
    ({"messages": [{"role": "me"}], "grader": "exact", "expected": "y"}, "messages[0].role"),
    ({"template": "{a}", "fields": {"b": 1}, **{k: GOOD[k] for k in ("grader", "expected")}},
     "line 2, fields: the template's {a} is not there"),
    ({**GOOD, "grader": {"kind": "human", "labels": "none"}}, "Cannot read the labels"),
    ({"defaults": {"prompt": "x"}}, "line 2, defaults"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "words"), BAD)
def test_a_mistake_is_told_with_its_line_and_field(tmp_path: Path, line: Any, words: str) -> None:
    with pytest.raises(RequestError) as raised:
        load_set(written(tmp_path, GOOD, line))
    assert words in raised.value.message
    assert "Cannot read" in words or "set.jsonl" in raised.value.message


def test_of_many_mistakes_the_first_ten_are_told(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"line 10, .*; and 90 more"):
        load_set(written(tmp_path, *(["x"] * 100)))


def test_files_that_are_no_sets(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="Cannot read"):
        load_set(tmp_path / "none.jsonl")
    with pytest.raises(RequestError, match="There is no sample"):
        load_set(written(tmp_path, ""))
    (tmp_path / "set.jsonl").write_bytes(b"{}\n\xff")
    with pytest.raises(RequestError, match="line 2: this is not UTF-8"):
        load_set(tmp_path / "set.jsonl")
    (tmp_path / "set.csv").write_text('prompt,grader\nx,exact,more\n"open')
    with pytest.raises(RequestError, match=r"line 2, it has more cells.*line 3, this is no CSV"):
        load_set(tmp_path / "set.csv")


def test_a_smaller_choice_is_within_a_larger_one_and_always_in_the_same_order(
    tmp_path: Path,
) -> None:
    whole = load_set(written(tmp_path, *({**GOOD, "id": str(n)} for n in range(50))))
    chosen: list[EvalSet] = [whole.some(n) for n in (5, 20, 50, 60)]
    ids = [[sample.id for sample in each.samples] for each in chosen]
    assert [len(each) for each in ids] == [5, 20, 50, 50]
    assert ids[0] == ids[1][:5] and ids[1] == ids[2][:20] and ids[2] == ids[3]
    assert ids[2] != [sample.id for sample in whole.samples]  # files are often sorted
