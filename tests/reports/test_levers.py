"""What levers saved and left is exact to the picodollar; the change proposed is one that works."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine, text

from hybridllm.catalog.structs import Usage
from hybridllm.cli.report_levers import levers as command
from hybridllm.config import CachingConfig, Config, LedgerConfig
from hybridllm.config_file import load_config, load_preset
from hybridllm.ledger import Ledger
from hybridllm.ledger.record import Attempt
from hybridllm.pricing import cost_of, levers
from hybridllm.reports.levers import Change, LeversReport
from hybridllm.reports.levers import levers as report_levers
from hybridllm.store import writing
from tests.ledger.samples import AT, attempt
from tests.reports.conftest import Record

SINCE = datetime.fromtimestamp(AT / 1e6, UTC)
UNTIL = SINCE + timedelta(hours=1)
GUIDE = load_preset("guide")
DAY = "2026-04-15"


def priced(id: str, model: str, task: str, usage: Usage, *, batch: bool = False) -> Attempt:
    """The row that the engine, or the lane, makes of such a call."""
    of = GUIDE.catalog.models[model]
    lever = levers(of, usage, DAY, batch=batch)
    return attempt(
        id,
        model=model,
        provider=of.provider,
        task=task,
        batch=batch,
        cost=cost_of(of, usage, DAY, batch=batch) or 0,
        batch_gap=lever.batch_gap,
        read_saved=lever.read_saved,
        write_extra=lever.write_extra,
    )


def report(engine: Engine, config: Config = GUIDE) -> LeversReport:
    return report_levers(engine, config, SINCE, UNTIL)


def test_each_lever_is_told_by_task(engine: Engine, record: Record) -> None:
    words = Usage(input_tokens=500, output_tokens=100)
    code = Usage(input_tokens=2000, output_tokens=1000)
    sonnet = "anthropic/claude-sonnet-4-6"
    talk = Usage(input_tokens=10, cache_read_tokens=5000, cache_write_tokens=200, output_tokens=9)
    record(
        priced("a", "openai/gpt-4o-mini", "classification", words, batch=True),
        priced("b", "openai/gpt-4o-mini", "classification", words),
        priced("c", sonnet, "code_generation", code, batch=True),
        priced("d", sonnet, "complex_reasoning", talk),
        attempt("e", task="classification", cost=0, cache_hit=True, hit_saved=135_000_000),
        attempt("f", task="complex_reasoning", prefix_left=77, outcome="ok"),
        attempt("g", task="classification", outcome="error", answered=False, batch_gap=5),
    )
    found = {one.task: one.levers for one in report(engine).tasks}
    simple = found["classification"]
    assert (simple.answered, simple.batched, simple.cache_hits) == (3, 1, 1)
    assert (simple.batch_cost, simple.batch_saved) == (67_500_000, 67_500_000)
    assert simple.hit_saved == 135_000_000
    assert simple.saved == 67_500_000 + 135_000_000
    assert simple.batch_left == 67_500_000, "what failed live would have failed in a batch too"
    assert found["code_generation"].batch_saved == 10_500_000_000
    reasoning = found["complex_reasoning"]
    assert reasoning.read_saved == 5000 * 2_700_000
    assert reasoning.write_extra == 200 * 750_000
    assert reasoning.saved == reasoning.read_saved - reasoning.write_extra
    assert (reasoning.batch_left, reasoning.prefix_left) == (0, 77)
    assert reasoning.could_wait > 0, "it does not say that it can wait"
    total = report(engine).total
    for name in total.__struct_fields__:
        assert getattr(total, name) == sum(getattr(one, name) for one in found.values())


def test_no_attempt_is_read(engine: Engine, record: Record) -> None:
    record(attempt("a", batch=True, batch_gap=7))
    with writing(engine) as connection:
        connection.execute(text("DROP TABLE attempts"))
    assert report(engine).total.batch_saved == 7


def test_nothing_recorded_is_nothing_to_change(engine: Engine) -> None:
    empty = report(engine)
    assert (empty.tasks, empty.total.saved, empty.change) == ([], 0, None)


def with_task(config: Config, name: str, **changes: Any) -> Config:
    task = msgspec.structs.replace(config.tasks[name], **changes)
    return msgspec.structs.replace(config, tasks={**config.tasks, name: task})


def change(engine: Engine, config: Config = GUIDE) -> Change:
    found = report(engine, config).change
    assert found is not None
    return found


def loaded(found: Change, path: Path) -> Config:
    """The configuration that the change makes."""
    path.write_text(found.toml)
    return load_config(str(path), "guide", env={})


def test_a_task_that_can_wait_is_told_to(engine: Engine, record: Record, tmp_path: Path) -> None:
    record(
        attempt("a", task="classification", batch_gap=5),
        attempt("b", task="code_generation", batch_gap=9),
        attempt("c", task="complex_reasoning", batch_gap=1000),
    )
    found = change(engine)
    assert (found.lever, found.task, found.saving) == ("batch", "code_generation", 9)
    assert found.condition == "", "it goes before what only people can know, though that is more"
    changed = loaded(found, tmp_path / "hybridllm.toml")
    assert changed.tasks["code_generation"].deadline == "24h"
    waits = with_task(GUIDE, "code_generation", deadline="24h")
    waits = with_task(waits, "classification", deadline="6h")
    other = change(engine, waits)
    assert (other.task, other.saving) == ("complex_reasoning", 1000)
    assert "can wait" in other.condition
    assert loaded(other, tmp_path / "hybridllm.toml").tasks["complex_reasoning"].can_wait
    hurried = with_task(waits, "complex_reasoning", max_latency_ms=500)
    assert report(engine, hurried).change is None


def test_a_lane_that_is_off_is_switched_on_first(
    engine: Engine, record: Record, tmp_path: Path
) -> None:
    record(attempt("a", task="classification", batch_gap=5))
    off = msgspec.structs.replace(GUIDE, batch=msgspec.structs.replace(GUIDE.batch, enabled=False))
    assert loaded(change(engine, off), tmp_path / "hybridllm.toml").batch.enabled
    assert "[batch]" not in change(engine).toml


@pytest.mark.parametrize(
    ("caching", "saving"),
    [
        (CachingConfig(enabled=False), 30),
        (CachingConfig(enabled=True, off=("analysis", "general")), 20),
    ],
    ids=["all off", "some off"],
)
def test_prompt_caching_that_is_off_is_switched_on(
    engine: Engine, record: Record, tmp_path: Path, caching: CachingConfig, saving: int
) -> None:
    record(attempt("a", task="analysis", prefix_left=20), attempt("b", prefix_left=10))
    found = change(engine, msgspec.structs.replace(GUIDE, caching=caching))
    assert (found.lever, found.saving) == ("prompt caching", saving)
    changed = loaded(found, tmp_path / "hybridllm.toml").caching
    assert changed.enabled and "analysis" not in changed.off
    on = msgspec.structs.replace(GUIDE, caching=CachingConfig(enabled=True))
    assert report(engine, on).change is None, "where it is on already, there is nothing to say"


def test_the_command_tells_people_and_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYBRIDLLM_CONFIG", raising=False)
    book = Ledger(LedgerConfig(directory=str(tmp_path / "book")))
    book.open()
    now = time.time_ns() // 1000
    book.record(attempt("a", at=now, batch=True, batch_gap=2_000_000_000_000))
    book.record(attempt("b", at=now, batch_gap=1_250_000_000_001))
    book.close()
    command(ledger=tmp_path / "book")
    shown = capsys.readouterr().out
    assert "$2.0000" in shown
    assert '[tasks.classification]\ndeadline = "24h"' in shown
    command(ledger=tmp_path / "book", json=True)
    figures = json.loads(capsys.readouterr().out)
    assert figures["total"]["batch_saved_usd"] == "2"
    assert figures["change"]["saving_usd"] == "1.250000000001"
    command(ledger=tmp_path / "book", csv=True)
    heading, row = capsys.readouterr().out.splitlines()
    assert dict(zip(heading.split(","), row.split(","), strict=True))["batched"] == "1"
