"""`hybridllm tasks train` writes weights that the gateway names tasks by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hybridllm.cli import app
from hybridllm.config_file import load_config
from hybridllm.errors import RequestError
from hybridllm.tasks import TaskNamer
from tests.tasks.build import facts

WAYS = ("Book a table for {} at eight.", "I'd like a table, party of {}.", "Table for {} please")
OTHERS = ("Is the {} dish vegan?", "What is in the {} soup?", "Any nuts in the {} cake?")


def run(*arguments: str) -> None:
    app(list(arguments), result_action="return_value")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "labelled.jsonl"
    rows = []
    for n in range(12):
        rows += [{"task": "booking", "text": way.format(n)} for way in WAYS]
        rows += [
            {"task": "menu", "messages": [{"role": "user", "content": way.format(n)}]}
            for way in OTHERS
        ]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_what_is_learned_names_tasks(data: Path, tmp_path: Path, capsys):
    out = tmp_path / "own.json.gz"
    run("tasks", "train", str(data), "--out", str(out), "--scratch", "--json")
    said = json.loads(capsys.readouterr().out)
    assert said["tasks"] == ["booking", "menu"]
    assert said["examples"] == 72
    assert said["right"] == 1.0
    assert said["right_before"] == 0.0
    file = tmp_path / "hybridllm.toml"
    file.write_text(
        f'[routing]\nclassifier_weights = "{out}"\n'
        '[tasks.booking]\ntier = "simple"\ncandidates = ["gpt-4o-mini"]\n'
        '[tasks.menu]\ntier = "simple"\ncandidates = ["gpt-4o-mini"]\n'
    )
    namer = TaskNamer(load_config(str(file), "guide", env={}))
    assert namer.name(facts("A table for nine, please."), None).task.name == "booking"
    assert namer.name(facts("Is the fish soup vegan?"), None).task.name == "menu"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 1 is no JSON object"),
        ('{"text": "hello"}', "line 1 names no task"),
        ('{"task": "a", "text": "hello"}', "has 1 labelled requests of 1 tasks"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, line: str, said: str):
    path = tmp_path / "labelled.jsonl"
    path.write_text(line)
    with pytest.raises(RequestError, match=said):
        run("tasks", "train", str(path))
