"""`hybridllm review` and `hybridllm report impact` as one types them."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hybridllm.cli import main
from hybridllm.config import LedgerConfig
from hybridllm.config_file import load_config
from hybridllm.ledger import Ledger
from tests.ledger.samples import attempt, intent

Run = Callable[..., tuple[int, str, str]]
USD = 10**12


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `hybridllm ...`: (exit status, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYBRIDLLM_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HYBRIDLLM_CONFIG", raising=False)
    monkeypatch.setenv("TERM", "dumb")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["hybridllm", *arguments])
        status = 0
        try:
            main()
        except SystemExit as e:
            status = int(e.code or 0)
        output = capsys.readouterr()
        return status, output.out, output.err

    return run


@pytest.fixture
def november(monkeypatch: pytest.MonkeyPatch) -> None:
    """The day of which the findings are told."""
    monkeypatch.setattr("hybridllm.cli.review._now", lambda: datetime(2026, 11, 25, 12, tzinfo=UTC))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A ledger of now: twelve requests that OpenAI failed and Anthropic answered, and one more."""
    now = time.time_ns() // 1000
    ledger = Ledger(LedgerConfig(directory=str(tmp_path / "home")))
    ledger.open()
    rescue = {"model": "anthropic/claude-sonnet-4-6", "provider": "anthropic"}
    failed = {"answered": False, "outcome": "error", "baseline": 0, "cost": 0}
    entries = [attempt("one", at=now, cost=USD + 1, baseline=1000 * USD)]
    for i in range(12):
        entries.append(attempt(f"r{i}", 1, at=now, **failed))
        entries.append(attempt(f"r{i}", 2, at=now, cost=USD, baseline=USD, **rescue))
    for entry in entries:
        ledger.intend(intent(entry.request_id, entry.attempt, at=now))
        ledger.record(entry)
    ledger.close()
    return tmp_path / "home"


# -- review


@pytest.mark.usefixtures("november")
def test_the_guides_policy_is_reviewed_without_ledger_or_file(run: Run, tmp_path: Path) -> None:
    status, out, _ = run("review", "--preset", "guide")
    assert status == 0
    text = " ".join(out.split())
    for finding in (
        "costs 2.00/8.00, not 10.00/40.00, since 2025-06-10",
        "costs 0.30/2.50, not 0.15/0.60",
        "o3 is withdrawn on 2026-12-11",
        "0.75/3.75 until then, 1.50/7.50 from 2027-01-01",
        "evaluate the model on 200 samples",
        "$2,292.50 (42.6%) less",
    ):
        assert finding in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("columns", [80, 100, 140])
def test_no_figure_is_cut_short(run: Run, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    from rich.console import Console

    wide = Console(width=columns, highlight=False)
    monkeypatch.setattr("hybridllm.cli.review.console", lambda: wide)
    out = run("review", "--preset", "guide")[1]
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= columns


@pytest.mark.usefixtures("november")
def test_json_is_exact(run: Run) -> None:
    document = json.loads(run("review", "--preset", "guide", "--json")[1])
    assert (document["today_usd"], document["proposed_usd"]) == ("5377.5", "3085")
    flash = next(one for one in document["prices"] if one["model"] == "google/gemini-2.5-flash")
    assert flash["before_usd_per_mtok"]["output"] == "0.6"
    assert flash["after_usd_per_mtok"] == {"input": "0.3", "output": "2.5", "cache_read": "0.03"}


@pytest.mark.usefixtures("home")
def test_a_kept_review_is_shown_again(run: Run) -> None:
    status, _, err = run("review", "--last")
    assert status == 2 and "No review has been kept yet" in err
    first = json.loads(run("review", "--preset", "guide", "--save", "--json")[1])
    assert first["mix"].startswith("the ledger's last 30 days")
    assert json.loads(run("review", "--last", "--json")[1]) == first


def test_pages_are_written(run: Run, tmp_path: Path) -> None:
    status, out, err = run("review", "--preset", "guide", "--html", "r.html", "--markdown", "r.md")
    assert (status, out) == (0, "")
    assert "Wrote r.html" in err
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
    assert (tmp_path / "r.md").read_text().startswith("# Review")
    status, _, err = run("review", "--html", "no/such/r.html")
    assert status == 2 and "cannot be written" in err


def test_nothing_is_changed_where_nobody_agrees(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "hybridllm.toml"
    file.write_text('preset = "guide"\n')
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))  # no terminal
    status, out, err = run("review", "--apply")
    assert status == 0
    assert "+catalog" in out and "Nothing was changed." in out and "--yes" in err
    assert file.read_text() == 'preset = "guide"\n'
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.usefixtures("november")
def test_a_proposal_is_applied_with_a_backup(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "hybridllm.toml"
    file.write_text('preset = "guide"\n# mine\n')
    file.chmod(0o640)
    status, out, _ = run("review", "--apply", "--yes", "--task", "analysis")
    assert status == 0
    (backup,) = tmp_path.glob("*.bak")
    assert backup.read_text() == 'preset = "guide"\n# mine\n' and backup.name in out
    assert file.stat().st_mode & 0o777 == 0o640
    config = load_config(str(file))
    assert config.tasks["analysis"].candidates[0] == "openai/gpt-6.1-terra"
    assert {path.name for path in tmp_path.iterdir()} == {file.name, backup.name}
    assert "Nothing to change" in run("review", "--apply", "--yes", "--task", "analysis")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--task", "analisys"], 'There is no task "analisys"'),
        (["--preset", "july"], 'There is no preset "july"'),
        (["--save"], "There is no ledger yet"),
        (["--workload", "gide"], "cannot be read"),
    ],
)
def test_mistakes_are_said_in_one_line(run: Run, arguments: list[str], said: str) -> None:
    status, out, err = run("review", *arguments)
    assert (status, out) == (2, "")
    assert said in err and len(err.splitlines()) == 1


# -- impact


@pytest.mark.usefixtures("home")
def test_the_impact_reads_from_the_baseline_down_to_the_net(run: Run) -> None:
    status, out, _ = run("report", "impact")
    assert status == 0
    text = " ".join(out.split())
    for said in (
        "baseline $1,012.00 100.0%",
        "actual $13.00 1.3%",
        "gross saving $999.00 98.7%",
        "net saving",
        "above the target of 25 to 40%",
        "12 requests saved. 1 incident of 10 or more: worth $500 to $2,000",
    ):
        assert said in text


@pytest.mark.usefixtures("home")
def test_the_impact_is_exact_in_json_and_csv(run: Run) -> None:
    document = json.loads(run("report", "impact", "--json", "--explain")[1])
    assert document["saving_usd"] == "998.999999999999"
    assert document["requests_saved"] == 12
    traces = {trace["figure"]: trace for trace in document["explain"]["traces"]}
    assert traces["saving"]["value"] == "$998.999999999999"
    assert "FROM hourly WHERE hour >= " in traces["saving"]["query"]
    rows = list(csv.DictReader(io.StringIO(run("report", "impact", "--csv")[1])))
    assert [(row["provider"], row["cost_usd"]) for row in rows] == [
        ("anthropic", "12"),
        ("openai", "1.000000000001"),
    ]


@pytest.mark.usefixtures("home")
def test_the_impact_explains_itself_to_people_too(run: Run) -> None:
    out = run("report", "impact", "--explain")[1]
    assert "SELECT SUM(cost_micro), SUM(cost_pico)" in " ".join(out.split())
    assert "Prices, dollars per million tokens" in out


@pytest.mark.usefixtures("home")
def test_an_empty_period_is_said(run: Run) -> None:
    out = run("report", "impact", "--since", "2020-01-01", "--until", "2020-02-01")[1]
    assert out.startswith("Nothing was recorded")
