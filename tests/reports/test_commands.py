"""`hybridllm report`: tables for people, exact figures for programs, a clear line for mistakes."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hybridllm.cli import main
from hybridllm.config import LedgerConfig
from hybridllm.ledger import Ledger
from hybridllm.ledger.journal import Journal, runs
from hybridllm.store import open_store
from tests.ledger.samples import attempt, intent

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `hybridllm report ...`: (exit status, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYBRIDLLM_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HYBRIDLLM_CONFIG", raising=False)
    monkeypatch.setenv("TERM", "dumb")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["hybridllm", "report", *arguments])
        status = 0
        try:
            main()
        except SystemExit as e:
            status = int(e.code or 0)
        output = capsys.readouterr()
        return status, output.out, output.err

    return run


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A ledger of two answered requests, one of them by a fallback, of the last minute."""
    now = time.time_ns() // 1000
    home = tmp_path / "home"
    ledger = Ledger(LedgerConfig(directory=str(home)))
    ledger.open()
    sonnet = {"model": "anthropic/claude-sonnet-4-6", "provider": "anthropic"}
    for entry in (
        attempt("a", at=now, cost=1_500_000_000_000_000, baseline=2_000_000_000_000_001),
        attempt("b", 1, at=now, cost=7, answered=False, outcome="error", baseline=0),
        attempt("b", 2, at=now, cost=500_000_000_000_000, baseline=10**15, **sonnet),
    ):
        ledger.intend(intent(entry.request_id, entry.attempt, at=now))
        ledger.record(entry)
    ledger.close()
    return home


@pytest.mark.usefixtures("home")
def test_the_table_of_spend_lines_up_money_and_draws_shares(run: Run) -> None:
    status, out, _ = run("spend")
    assert status == 0
    lines = out.splitlines()
    assert lines[0].startswith("Spend by task, provider, 20")
    assert lines[1].split()[:3] == ["TASK", "PROVIDER", "ANSWERED"]
    assert lines[2].split() == [
        *("classification", "openai", "1", "2", "2,000", "200", "$1,500.00", "75.0%"),
        "█████████████▌",
    ]
    assert lines[3].split()[-3:] == ["$500.00", "25.0%", "████▌"]
    assert lines[4].split() == ["total", "2", "3", "3,000", "300", "$2,000.00", "100.0%"]
    ends = {line.index(cost) + len(cost) for line, cost in zip(lines[2:5], COSTS, strict=True)}
    assert len(ends) == 1


COSTS = ["$1,500.00", "$500.00", "$2,000.00"]


@pytest.mark.usefixtures("home")
def test_the_table_of_savings_says_what_trying_again_cost(run: Run) -> None:
    status, out, _ = run("savings", "--since", "24h")
    assert status == 0
    assert out.splitlines()[2].split()[:6] == [
        *("classification", "2", "$3,000.00", "$2,000.00", "$1,000.00", "33.3%")
    ]
    assert "1 request answered by a fallback" in out


@pytest.mark.usefixtures("home")
def test_json_is_exact(run: Run) -> None:
    document = json.loads(run("spend", "--by", "provider", "--json")[1])
    assert document["by"] == ["provider"]
    assert [(row["provider"], row["cost_usd"]) for row in document["rows"]] == [
        ("openai", "1500.000000000007"),
        ("anthropic", "500"),
    ]
    assert document["total"]["cost_usd"] == "2000.000000000007"
    assert document["total"]["fallbacks"] == 1
    saved = json.loads(run("savings", "--json")[1])
    assert saved["total"]["saving_usd"] == "999.999999999994"
    assert saved["total"]["unanswered_cost_usd"] == "0.000000000007"
    assert [task["task"] for task in saved["tasks"]] == ["classification"]


@pytest.mark.usefixtures("home")
def test_csv_is_exact(run: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(run("spend", "--by", "task,model", "--csv")[1])))
    assert [(row["model"], row["cost_usd"], row["share"][:4]) for row in rows] == [
        ("openai/gpt-4o-mini", "1500.000000000007", "0.75"),
        ("anthropic/claude-sonnet-4-6", "500", "0.24"),
    ]
    (row,) = csv.DictReader(io.StringIO(run("savings", "--csv")[1]))
    assert (row["task"], row["baseline_usd"]) == ("classification", "3000.000000000001")


def test_journals_of_dead_processes_are_loaded_first(run: Run, home: Path) -> None:
    journal = Journal(home / "journal", worker=0)
    journal.append(intent("killed", at=time.time_ns() // 1000, upper_cost=10**12))
    journal.close()
    journal.release()
    _, out, _ = run("spend")
    assert "1 attempt of unknown outcome" in out
    assert "$2,001.00" in out
    assert runs(home / "journal") == []


def test_another_store_is_read_without_loading_our_journals_into_it(
    run: Run, home: Path, tmp_path: Path
) -> None:
    other = f"sqlite:///{tmp_path}/other.db"
    open_store(other).dispose()
    journal = Journal(home / "journal", worker=0)
    journal.append(intent("killed", at=time.time_ns() // 1000))
    journal.close()
    journal.release()
    status, out, _ = run("spend", "--store", other)
    assert status == 0
    assert out.startswith("Nothing was recorded from 20")
    assert len(runs(home / "journal")) == 1


def test_a_ledger_elsewhere_is_named_by_its_directory(run: Run, home: Path, tmp_path: Path) -> None:
    home.rename(tmp_path / "moved")
    assert run("spend")[0] == 2
    status, out, _ = run("spend", "--ledger", str(tmp_path / "moved"))
    assert status == 0
    assert "$2,000.00" in out


def test_no_ledger_yet_is_said_in_one_line_and_none_is_made(run: Run, tmp_path: Path) -> None:
    status, out, err = run("spend")
    assert (status, out) == (2, "")
    assert err.startswith(f"hybridllm: There is no ledger yet: nothing at {tmp_path}/home")
    assert "hybridllm serve" in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "home").exists()


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["spend", "--by", "colour"], "Choose from task, provider, model, key, day, hour"),
        (["spend", "--since", "whenever"], "'whenever' is no time"),
        (["savings", "--since", "1h", "--until", "2020-01-01"], "before it begins"),
        (["spend", "--store", "mysql://db/x"], "neither SQLite nor PostgreSQL"),
    ],
)
def test_mistakes_are_said_in_one_line(run: Run, arguments: list[str], said: str) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("command", ["spend", "savings"])
def test_help_shows_an_example(run: Run, command: str) -> None:
    status, out, _ = run(command, "--help")
    assert status == 0
    assert f"hybridllm report {command} --" in out
