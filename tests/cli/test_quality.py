"""`hybridllm quality`: what is measured, what is assumed, and what to sample next."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hybridllm.cli import main
from hybridllm.cli.quality import heat
from hybridllm.store import open_store, writing
from hybridllm.store.scores import Score, add_scores

Run = Callable[..., str]
TASK = "classification"
MINI, FLASH, OTHER = "openai/gpt-4o-mini", "google/gemini-2.5-flash", "openai/o3"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `hybridllm ...`; what it printed, to standard output and then to standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYBRIDLLM_HOME", str(tmp_path))
    monkeypatch.delenv("HYBRIDLLM_CONFIG", raising=False)
    monkeypatch.setenv("TERM", "dumb")

    def run(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["hybridllm", *arguments])
        with suppress(SystemExit):
            main()
        return "".join(capsys.readouterr())

    return run


@pytest.fixture
def measured(tmp_path: Path) -> None:
    """gpt-4o-mini is clearly above the bar, gemini-2.5-flash close to it, o3 has one good answer;
    and a caller was not content with gpt-4o-mini."""
    then = round((time.time() - 3 * 86_400) * 1e6)
    rows = [
        Score(TASK, model, "set", str(i), float(i < good), then, "exact", cost=10**9)
        for model, n, good in ((MINI, 200, 197), (FLASH, 150, 141), (OTHER, 1, 1))
        for i in range(n)
    ]
    rows.append(Score(TASK, MINI, "feedback", "q", 0.0, then, "caller", source="feedback"))
    engine = open_store(f"sqlite:///{tmp_path / 'ledger.db'}")
    with writing(engine) as connection:
        add_scores(connection, rows)
    engine.dispose()


def by_model(said: str) -> dict[str, dict[str, Any]]:
    return {row["model"]: row for row in json.loads(said)["rows"]}


def test_what_is_measured_stands_in_the_place_of_what_was_assumed(run: Run, measured: None) -> None:
    rows = by_model(run("quality", "--preset", "guide", "--task", TASK, "--json"))
    mini = rows[MINI]
    assert (mini["n"], mini["value"], mini["measured"], mini["state"]) == (
        200,
        0.985,
        True,
        "meets",
    )
    assert 0.9 < mini["lower"] < mini["value"] and mini["source"] == "benchmark"
    assert mini["age_days"] == pytest.approx(3, abs=0.1) and mini["cost_usd"] == "0.2"
    assert mini["feedback"] == 1 and mini["next"] == 0


def test_what_is_not_decided_stays_assumed_and_gets_the_next_samples(
    run: Run, measured: None
) -> None:
    rows = by_model(run("quality", "--preset", "guide", "--task", TASK, "--json"))
    flash = rows[FLASH]
    assert (flash["measured"], flash["n"], flash["score"]) == (False, 150, 0.94)
    assert flash["score_lower"] < 0.9 < flash["score_upper"] and flash["next"] == 2
    assert flash["lower"] == flash["value"] != flash["score"]
    other = rows[OTHER]
    assert (other["measured"], other["n"], other["score"]) == (False, 1, 1.0)
    assert other["next"] == 1, "far from 0.90 as it seems, it would be decided soonest"


def test_a_person_sees_value_bound_age_and_source(run: Run, measured: None) -> None:
    said = run("quality", "--preset", "guide", "--task", TASK)
    (line,) = [line for line in said.splitlines() if MINI in line]
    for figure in ("0.90", "0.985", "200", "3d", "benchmark", "meets"):
        assert figure in line
    (line,) = [line for line in said.splitlines() if FLASH in line]
    assert "assumed" in line and "judged 0.940 of 150; to sample next: 2" in line


def test_the_route_goes_by_the_same_figures(run: Run, measured: None, tmp_path: Path) -> None:
    ask = {"model": "auto", "messages": [{"role": "user", "content": "spam?"}]}
    (tmp_path / "ask.json").write_text(json.dumps(ask))
    said = json.loads(run("route", "--preset", "guide", "--task", TASK, "--json", "ask.json"))
    assert said["chain"][0] == MINI and "measured" in said["reason"]


def test_the_review_tells_what_was_measured(run: Run, measured: None) -> None:
    said = json.loads(run("review", "--preset", "guide", "--workload", "guide", "--json"))
    (moved,) = said["quality_moved"]
    assert (moved["model"], moved["samples"], moved["meets"]) == (MINI, 200, True)


def test_a_newer_measurement_of_the_configuration_counts(
    run: Run, measured: None, tmp_path: Path
) -> None:
    stated = f'[[quality]]\nmodel = "{MINI}"\ntask = "{TASK}"\nvalue = 0.97\nlower = 0.95\n'
    config = tmp_path / "hybridllm.toml"
    for at, value in (("2026-01-01", 0.985), ("2999-01-01", 0.97)):
        config.write_text(f'preset = "guide"\n{stated}samples = 300\nat = "{at}"\n')
        assert by_model(run("quality", "--task", TASK, "--json"))[MINI]["value"] == value


def test_csv_has_a_row_for_every_model_of_every_task(run: Run, measured: None) -> None:
    rows = list(csv.DictReader(io.StringIO(run("quality", "--preset", "guide", "--csv"))))
    assert {row["task"] for row in rows} > {TASK}
    assert len({(row["task"], row["model"], row["variant"]) for row in rows}) == len(rows)
    assert sum(row["measured"] == "True" for row in rows) == 1


def test_where_nothing_was_measured_all_is_assumed_and_no_store_is_made(
    run: Run, tmp_path: Path
) -> None:
    said = run("quality", "--preset", "guide")
    assert "assumed" in said and "0 measured" in said
    assert not (tmp_path / "ledger.db").exists()


def test_a_task_that_does_not_exist_is_named(run: Run) -> None:
    said = run("quality", "--task", "nonsense")
    assert "nonsense" in said and TASK in said


def test_the_nearer_to_the_bar_the_warmer_and_above_it_green() -> None:
    def color(lower: float) -> tuple[int, int]:
        red, green, _ = heat(lower, 0.9, pale=False).removeprefix("rgb(").split(",")
        return int(red), int(green)

    for lower in (0.5, 0.8, 0.85, 0.895):
        red, green = color(lower)
        assert red >= green
    assert color(0.8)[1] < color(0.87)[1]
    for lower in (0.91, 0.95, 1.0):
        red, green = color(lower)
        assert green > red
    assert heat(None, 0.9, pale=False) == "dim" and "dim" in heat(0.95, 0.9, pale=True)


def test_a_degraded_model_is_marked_and_route_says_why(run: Run, tmp_path: Path) -> None:
    day = 86_400 * 10**6
    first = time.time_ns() // 1000 - 30 * day
    rows = [
        Score(
            task=TASK,
            model=MINI,
            run="live",
            sample=f"{i:04}",
            score=float(i % (100 if i < 600 else 4) != 0),
            at=first + i * day // 100,
            grader="exact",
            source="production",
        )
        for i in range(800)
    ]
    engine = open_store(f"sqlite:///{tmp_path / 'ledger.db'}")
    with writing(engine) as connection:
        add_scores(connection, rows)
    engine.dispose()
    row = by_model(run("quality", "--task", TASK, "--preset", "guide", "--json"))[MINI]
    assert row["state"] == "degraded" and row["lower"] < 0.75 < row["score"]
    assert row["decline"].endswith("0.99 before, 0.75 now")
    assert "degraded since" in run("quality", "--task", TASK, "--preset", "guide")
    (tmp_path / "ask.json").write_text(
        '{"model": "task/classification", "messages": [{"role": "user", "content": "spam?"}]}'
    )
    said = " ".join(run("route", "ask.json", "--preset", "guide").split())
    assert "gpt-4o-mini is degraded since" in said
