"""`hybridllm select`: by options, by JSON, and asked in a terminal, back and forth."""

import io
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pexpect
import pytest

from hybridllm.cli import app
from hybridllm.cli.select import select
from hybridllm.config_file import load_config
from hybridllm.errors import RequestError

DOWN, LEFT, ENTER = "\x1b[B", "\x1b[D", "\r"
PROGRAM = [sys.executable, "-m", "hybridllm", "select"]


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    monkeypatch.delenv("HYBRIDLLM_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)


def document(capsys, **options):
    select(json=True, preset="guide", **options)
    return json.loads(capsys.readouterr().out)


def test_by_options_as_json(capsys):
    found = document(capsys, task="classification", wait=True)
    assert found["model"] == "openai/gpt-4o-mini"
    assert found["answers"] == {
        "task": "classification",
        "input_tokens": 500,
        "bar": None,
        "shared": False,
        "wait": True,
        "cloud": None,
    }
    assert found["usd_per_1000_calls"] == "0.0525"
    assert found["runner_up"] == "google/gemini-2.5-flash"
    assert "[tasks.classification]" in found["toml"]


def test_by_a_file_or_standard_input_with_options_over_it(capsys, monkeypatch):
    said = {"task": "classification", "input_tokens": 200_000}
    Path("answers.json").write_text(json.dumps(said))
    assert document(capsys, answers=Path("answers.json"))["model"] == "google/gemini-2.5-flash"
    assert document(capsys, answers=Path("answers.json"), input_tokens=500)["model"] == (
        "openai/gpt-4o-mini"
    )
    stdin = SimpleNamespace(buffer=io.BytesIO(json.dumps(said).encode()))
    monkeypatch.setattr("sys.stdin", stdin)
    app(["select", "--answers", "-", "--preset", "guide", "--json"], result_action="return_value")
    assert json.loads(capsys.readouterr().out)["model"] == "google/gemini-2.5-flash"


@pytest.mark.parametrize("said", ['{"task": 5}', '{"tusk": "classification"}', "{}", "[]", "{"])
def test_answers_that_make_no_sense_are_refused(said):
    Path("answers.json").write_text(said)
    with pytest.raises(RequestError, match="The answers"):
        select(answers=Path("answers.json"))


def test_for_people_with_a_route_that_loads(capsys):
    select(task="code_generation", input_tokens=50_000, shared=True, preset="guide")
    text = capsys.readouterr().out
    for part in ("anthropic/claude-sonnet-4-6", "$72.00 for 1,000 calls", "runner-up", "90% off"):
        assert part in text
    Path("hybridllm.toml").write_text(text.partition("In hybridllm.toml:\n")[2])
    assert load_config(env={}).tasks["code_generation"].can_wait is False


def test_without_a_terminal_it_says_how_to_answer(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(RequestError, match="no terminal"):
        select()


class Terminal:
    """The program in a pseudo-terminal."""

    def __init__(self, *options):
        env = {**os.environ, "TERM": "xterm", "PYTHONWARNINGS": "ignore"}
        env["PROMPT_TOOLKIT_NO_CPR"] = "1"  # a pseudo-terminal does not tell where its cursor is
        self.child = pexpect.spawn(
            PROGRAM[0],
            [*PROGRAM[1:], "--preset", "guide", *options],
            env=env,
            encoding="utf-8",
            timeout=30,
            dimensions=(40, 120),
        )

    def at(self, number):
        self.child.expect_exact(f"{number}/5")
        self.child.expect_exact("Enter)")

    def press(self, *keys):
        for key in keys:
            self.child.send(key)

    def end(self):
        self.child.expect(pexpect.EOF)
        self.child.close()
        return self.child.before


def test_five_questions_in_a_terminal():
    terminal = Terminal()
    terminal.at(1)
    terminal.press(ENTER)  # classification
    terminal.at(2)
    terminal.press(DOWN, DOWN, DOWN, ENTER)  # 200,000 tokens
    for number in (3, 4, 5):
        terminal.at(number)
        terminal.press(ENTER)
    shown = terminal.end()
    assert "google/gemini-2.5-flash" in shown and "[tasks.classification]" in shown
    assert terminal.child.exitstatus == 0


def test_going_back_changes_an_answer_and_keeps_the_others():
    terminal = Terminal("--json")
    terminal.at(1)
    terminal.press(ENTER)
    terminal.at(2)
    terminal.press(DOWN, DOWN, DOWN, ENTER)  # 200,000 tokens
    terminal.at(3)
    terminal.press(LEFT)
    terminal.at(2)
    terminal.press(LEFT)
    terminal.at(1)
    terminal.press(DOWN, ENTER)  # extraction now
    terminal.at(2)
    terminal.press(ENTER)  # still on 200,000 tokens
    terminal.at(3)
    terminal.press(ENTER)
    terminal.at(4)
    terminal.press(DOWN, ENTER)  # shared
    terminal.at(5)
    terminal.press(DOWN, DOWN, DOWN, ENTER)  # can wait, on Google Cloud
    shown = terminal.end()
    found = json.loads(shown[shown.index('{\r\n  "answers"') :])
    assert found["answers"] == {
        "task": "extraction",
        "input_tokens": 200_000,
        "bar": None,
        "shared": True,
        "wait": True,
        "cloud": "google",
    }


def test_leaving_ends_without_an_answer():
    terminal = Terminal()
    terminal.at(1)
    terminal.press("\x03")
    assert "In hybridllm.toml" not in terminal.end()
    assert terminal.child.exitstatus == 130
