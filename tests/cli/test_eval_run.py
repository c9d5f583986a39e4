"""`hybridllm eval run`, as typed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hybridllm.simulators import Simulators
from hybridllm.store import open_store
from hybridllm.store.schema import attempts, scores
from tests.cli.test_batch import Desk

WORDS = ("--task", "classification", "--set", "s.jsonl", "--preset", "guide", "--yes")


class EvalDesk(Desk):
    """Where one types `hybridllm eval ...`."""

    group = "eval"

    def table(self, table: Any) -> list[Any]:
        """All rows of a table of the ledger."""
        engine = open_store(f"sqlite:///{self.home / 'ledger' / 'ledger.db'}")
        with engine.connect() as connection:
            found = list(connection.execute(table.select()))
        engine.dispose()
        return found


@pytest.fixture
def desk(
    simulators: Simulators,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> EvalDesk:
    simulators.reset()
    made = EvalDesk(tmp_path, simulators.env(), (monkeypatch, capsys))
    made.write(
        "s.jsonl",
        {"defaults": {"grader": {"kind": "label", "labels": ["spam", "ham"]}}},
        *(
            {"prompt": f'Is {n} spam? [[sim say "{said}"]]', "expected": "spam"}
            for n, said in enumerate(["spam"] * 15 + ["ham"] * 5)
        ),
    )
    return made


def test_it_ends_with_a_row_for_each_model(desk: EvalDesk) -> None:
    out, err = desk.run("run", *WORDS, "--models", "gpt-4o-mini", "gemini-2.5-flash", "--full")
    assert "20 samples of s.jsonl for 2 models at classification, live." in err
    assert "The budget of $5.00 is never overdrawn" in err
    for model in ("openai/gpt-4o-mini", "google/gemini-2.5-flash"):
        row = next(line for line in out.splitlines() if line.startswith(model))
        assert row.split()[1] == "0.750" and "20" in row.split()
        assert "macro-f1" in row
    assert len(desk.table(attempts)) == len(desk.table(scores)) == 40


def test_programs_get_one_document_with_exact_dollars(desk: EvalDesk) -> None:
    out, _ = desk.run("run", *WORDS, "--models", "gpt-4o-mini", "--samples", "10", "--json")
    found = json.loads(out)
    (model,) = found["models"]
    assert found["set"]["samples"] == 10 and found["task"] == "classification"
    assert set(model) >= {"score", "lower", "upper", "n", "verdict", "cost_usd", "macro_f1"}
    spent = sum(row.cost for row in desk.table(attempts))
    assert round(float(found["cost_usd"]) * 10**12) == spent > 0


def test_money_is_spent_only_by_who_says_so(desk: EvalDesk, simulators: Simulators) -> None:
    words = [word for word in WORDS if word != "--yes"]
    _, err = desk.run("run", *words, status=2)
    assert "at most" in err and "Say --yes" in err
    assert simulators.counts().calls == 0


BAD = [
    (("--budget", "much"), "'much' is no budget"),
    (("--budget", "0"), "'0' is no budget"),
    (("--samples", "0"), "--samples must be at least 1"),
    (("--deadline", "soon"), "soon"),
    (("--models", "nope"), "There is no chat model 'nope'"),
]


@pytest.mark.parametrize(("words", "message"), BAD)
def test_what_cannot_be_run_is_said_in_a_line(
    desk: EvalDesk, simulators: Simulators, words: tuple[str, ...], message: str
) -> None:
    _, err = desk.run("run", *WORDS, *words, status=2)
    assert message in err and "Traceback" not in err
    assert simulators.counts().calls == 0


def test_samples_of_a_task_are_found_by_its_name(desk: EvalDesk) -> None:
    words = [word for word in WORDS if word not in ("--set", "s.jsonl")]
    _, err = desk.run("run", *words, status=2)
    assert "evals/classification.jsonl is not there" in err
    _, err = desk.run("run", *words, "--set", "none.jsonl", status=2)
    assert "Cannot read none.jsonl" in err
    (desk.home / "evals").mkdir()
    (desk.home / "s.jsonl").rename(desk.home / "evals" / "classification.jsonl")
    desk.run("run", *words, "--models", "gpt-4o-mini", "--samples", "2")


def test_a_killed_command_goes_on_and_asks_nothing_twice(
    desk: EvalDesk, simulators: Simulators
) -> None:
    """SIGKILL in the middle: at most the calls under way are lost to it."""
    lines = [
        {"prompt": f'{n}? [[sim say "spam" delay_ms=30]]', "grader": "exact", "expected": "spam"}
        for n in range(40)
    ]
    desk.write("s.jsonl", *lines)
    words = ("run", *WORDS, "--models", "gpt-4o-mini", "--concurrency", "2", "--full")
    process = subprocess.Popen(
        [sys.executable, "-m", "hybridllm", "eval", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(os.environ),
    )
    end = time.monotonic() + 30
    while simulators.counts().calls < 10:
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    out, err = desk.run(*words, "--json")
    assert "Going on with the run" in err
    assert json.loads(out)["models"][0]["n"] == 40
    assert 40 <= simulators.counts().calls <= 42
    assert len(desk.table(scores)) == 40


def test_ctrl_c_leaves_a_run_that_goes_on(desk: EvalDesk, simulators: Simulators) -> None:
    """What was under way is cancelled, booked, and in the ledger."""
    lines = [
        {"prompt": f'{n}? [[sim say "spam" delay_ms=50]]', "grader": "exact", "expected": "spam"}
        for n in range(30)
    ]
    desk.write("s.jsonl", *lines)
    words = ("run", *WORDS, "--models", "gpt-4o-mini", "--concurrency", "2", "--full")
    process = subprocess.Popen(
        [sys.executable, "-m", "hybridllm", "eval", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=dict(os.environ),
        # A shell has what it runs in the background ignore Ctrl-C, and so its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    end = time.monotonic() + 30
    while simulators.counts().calls < 5:
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Start it again, and it goes on" in err and b"Traceback" not in err
    outcomes = {row.outcome for row in desk.table(attempts)}
    assert outcomes <= {"ok", "cancelled"} and len(desk.table(scores)) >= 3


def test_batches_are_half_the_price(desk: EvalDesk, simulators: Simulators) -> None:
    words = ("run", *WORDS, "--models", "gpt-4o-mini", "--full", "--json")
    live, batched = (
        json.loads(desk.run(*words, *more)[0])["models"][0] for more in ((), ("--batch",))
    )
    assert (batched["n"], batched["score"]) == (live["n"], live["score"]) == (20, 0.75)
    assert float(batched["cost_usd"]) == pytest.approx(float(live["cost_usd"]) / 2)
    assert simulators.counts().lines == 20


def test_a_variant_is_measured_for_itself(desk: EvalDesk) -> None:
    """Live and in batches: what it says is sent, and its scores are no other prompt's."""
    (desk.home / "worse.toml").write_text(
        "prompt = '{prompt} [[sim say \"ham\"]]'\nsystem = 'Judge.'\n"
    )
    words = ("run", *WORDS, "--models", "gpt-4o-mini", "--full", "--json")
    plain = json.loads(desk.run(*words)[0])
    for more in ((), ("--batch",)):
        out, err = desk.run(*words, "--variant", "worse.toml", *more)
        found = json.loads(out)
        assert found["variant"] in err and found["variant"].startswith("worse@")
        assert (plain["models"][0]["score"], found["models"][0]["score"]) == (0.75, 0.0)
    variants = [row.variant for row in desk.table(scores)]
    assert (variants.count(""), variants.count(found["variant"])) == (20, 40)
    asked = [row.variant for row in desk.table(attempts)]
    assert asked.count(found["variant"]) == 40
