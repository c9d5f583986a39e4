"""Whatever was journalled is in the store exactly once, and the hourly sums are the rows' sums."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from hybridllm.ledger import loader as loading
from hybridllm.ledger.journal import Journal, runs, segments
from hybridllm.ledger.loader import RunLoader, adopt
from hybridllm.ledger.log import AttemptLog
from hybridllm.ledger.record import OUTCOMES, Attempt, Intent
from hybridllm.store import open_store, writing
from hybridllm.store import rows as store_rows
from tests.ledger.reading import all_attempts, all_sums, assert_sums_match_rows, positions
from tests.ledger.samples import AT, attempt, intent

OFF = AttemptLog("off")


@pytest.fixture
def engine(store_url: str) -> Iterator[Engine]:
    engine = open_store(store_url)
    yield engine
    engine.dispose()


@pytest.fixture
def journals(tmp_path: Path) -> Iterator[Journals]:
    journals = Journals(tmp_path / "journal")
    yield journals
    for journal in journals.living:
        journals.die(journal)


class Journals:
    """Journals of processes of which we say when they die."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.living: list[Journal] = []

    def start(self, *entries: Intent | Attempt, segment_bytes: int = 4_000_000) -> Journal:
        journal = Journal(self.root, worker=0)
        journal.segment_bytes = segment_bytes
        self.living.append(journal)
        for entry in entries:
            journal.append(entry)
        return journal

    def die(self, journal: Journal) -> Path:
        self.living = [other for other in self.living if other is not journal]
        journal.close()
        journal.release()
        return journal.run

    def orphan(self, *entries: Intent | Attempt, segment_bytes: int = 4_000_000) -> Path:
        return self.die(self.start(*entries, segment_bytes=segment_bytes))


def mixture(count: int, name: str = "hl") -> tuple[list[Intent | Attempt], dict[Any, str]]:
    """Entries of `count` requests, every third without its record, and the outcome of each."""
    entries: list[Intent | Attempt] = []
    outcomes = {}
    for i in range(count):
        entries.append(intent(f"{name}-{i}"))
        outcomes[f"{name}-{i}", 1] = "unknown"
        if i % 3:
            entries.append(attempt(f"{name}-{i}", cost=i))
            outcomes[f"{name}-{i}", 1] = "ok"
    return entries, outcomes


def outcomes_in(engine: Engine) -> dict[Any, str]:
    return {key: row.outcome for key, row in all_attempts(engine).items()}


def test_a_row_is_the_attempt_as_it_was_recorded(engine: Engine, journals: Journals) -> None:
    recorded = attempt(
        tags='{"team":"ünï"}',
        stream=True,
        cost=2**63 - 1,
        baseline=123_456_789_012_345_678,
        cache_write_long_tokens=7,
        reason='the "cheapest", \\u0000 of 3',
    )
    journals.orphan(intent(), recorded)
    adopt(journals.root, engine, OFF)
    assert all_attempts(engine) == {("hl-1", 1): recorded}
    assert_sums_match_rows(engine)


def test_an_intent_without_a_record_is_booked_at_its_upper_bound(
    engine: Engine, journals: Journals
) -> None:
    journals.orphan(intent("hl-9", 2, stream=True))
    assert adopt(journals.root, engine, OFF) == 1
    (row,) = all_attempts(engine).values()
    assert (row.request_id, row.attempt, row.stream) == ("hl-9", 2, True)
    assert (row.outcome, row.status, row.answered) == ("unknown", 0, False)
    assert (row.input_tokens, row.output_tokens, row.cost) == (2000, 500, 600_000_000)
    assert row.usage_estimated
    assert row.baseline == 0
    assert_sums_match_rows(engine)


def test_a_living_run_shows_its_records_and_keeps_its_open_intents(
    engine: Engine, journals: Journals
) -> None:
    journal = journals.start(intent("hl-1"), attempt("hl-1"), intent("hl-2"))
    loader = RunLoader(journal.run, engine, OFF)
    loader.load()
    assert outcomes_in(engine) == {("hl-1", 1): "ok"}
    journal.append(attempt("hl-2", outcome="cut"))
    loader.load()
    assert adopt(journals.root, engine, OFF) == 0
    assert outcomes_in(engine) == {("hl-1", 1): "ok", ("hl-2", 1): "cut"}
    journal.close()
    loader.load(finish=True)
    assert outcomes_in(engine) == {("hl-1", 1): "ok", ("hl-2", 1): "cut"}
    assert runs(journals.root) == []
    assert positions(engine) == {}
    assert_sums_match_rows(engine)


def test_a_record_in_a_later_segment_meets_its_intent(engine: Engine, journals: Journals) -> None:
    others = [e for i in range(40) for e in (intent(f"o-{i}"), attempt(f"o-{i}"))]
    journals.orphan(intent("hl-1"), *others, attempt("hl-1"), segment_bytes=1000)
    adopt(journals.root, engine, OFF)
    assert set(outcomes_in(engine).values()) == {"ok"}
    assert len(outcomes_in(engine)) == 41


def test_segments_go_once_loaded_but_never_past_an_open_intent(
    engine: Engine, journals: Journals
) -> None:
    def pairs(name: str) -> list[Intent | Attempt]:
        return [e for i in range(20) for e in (intent(f"{name}-{i}"), attempt(f"{name}-{i}"))]

    journal = journals.start(*pairs("a"), segment_bytes=1000)
    loader = RunLoader(journal.run, engine, OFF)
    loader.load()
    assert len(segments(journal.run)) == 1
    journal.append(intent("open"))
    held = segments(journal.run)[-1].number
    for entry in pairs("b"):
        journal.append(entry)
    loader.load()
    assert next(s.number for s in segments(journal.run)) == held
    assert len(segments(journal.run)) > 3
    journals.die(journal)
    adopt(journals.root, engine, OFF)
    outcomes = outcomes_in(engine)
    assert outcomes.pop(("open", 1)) == "unknown"
    assert set(outcomes.values()) == {"ok"}
    assert len(outcomes) == 40
    assert_sums_match_rows(engine)


@pytest.mark.parametrize(
    ("moment", "nth"),
    [
        *((name, n) for name in ("advance", "insert_attempts", "add_hourly") for n in (1, 2, 3)),
        ("first_models", 1),
    ],
)
def test_a_loader_that_dies_is_carried_on_from_where_the_store_is(
    engine: Engine,
    journals: Journals,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
    nth: int,
) -> None:
    entries, expected = mixture(30)
    entries.append(attempt("hl-1", 2, model="google/gemini-2.5-flash"))
    expected["hl-1", 2] = "ok"
    journals.orphan(*entries, segment_bytes=2000)
    monkeypatch.setattr(loading, "GROUP", 8)
    calls = 0
    real = getattr(store_rows, moment)

    def die(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth:
            real(*arguments, **options)
            raise KeyboardInterrupt
        return real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(store_rows, moment, die)
        with pytest.raises(KeyboardInterrupt):
            adopt(journals.root, engine, OFF)
    assert calls == nth
    assert set(all_attempts(engine)) < set(expected)
    assert_sums_match_rows(engine)
    assert adopt(journals.root, engine, OFF) == 1
    assert outcomes_in(engine) == expected
    assert_sums_match_rows(engine)
    assert runs(journals.root) == []


def test_a_run_that_was_loaded_but_not_yet_removed_is_not_loaded_again(
    engine: Engine, journals: Journals, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries, expected = mixture(10)
    journals.orphan(*entries)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda path: (_ for _ in ()).throw(OSError("killed")))
        with pytest.raises(OSError, match="killed"):
            adopt(journals.root, engine, OFF)
    assert len(runs(journals.root)) == 1
    assert outcomes_in(engine) == expected
    adopt(journals.root, engine, OFF)
    assert outcomes_in(engine) == expected
    assert_sums_match_rows(engine)
    assert runs(journals.root) == []
    assert positions(engine) == {}


def test_a_journal_put_back_from_a_backup_doubles_nothing(
    engine: Engine, journals: Journals, tmp_path: Path
) -> None:
    entries, expected = mixture(25)
    run = journals.orphan(*entries)
    shutil.copytree(run, tmp_path / "backup")
    adopt(journals.root, engine, OFF)
    before = all_attempts(engine), all_sums(engine)
    shutil.copytree(tmp_path / "backup", run)
    journals.orphan(attempt("new"), attempt("new"))
    adopt(journals.root, engine, OFF)
    assert outcomes_in(engine) == {**expected, ("new", 1): "ok"}
    assert_sums_match_rows(engine)
    assert {key: all_attempts(engine)[key] for key in before[0]} == before[0]


def test_two_loaders_of_one_run_never_load_an_entry_twice(
    engine: Engine, journals: Journals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock keeps them apart; should it fail (a network file system), the store does."""
    monkeypatch.setattr(loading, "GROUP", 3)
    journal = journals.start()
    loaders = [RunLoader(journal.run, engine, OFF) for _ in range(2)]
    for i in range(20):
        journal.append(intent(f"hl-{i}"))
        journal.append(attempt(f"hl-{i}", cost=i))
        if i % 2:
            loaders[i // 2 % 2].load()
    for loader in loaders:
        loader.load()
    assert len(all_attempts(engine)) == 20
    assert_sums_match_rows(engine)


def test_processes_that_adopt_at_once_share_the_orphans(
    store_url: str, engine: Engine, journals: Journals
) -> None:
    expected = {}
    for i in range(8):
        entries, outcomes = mixture(120, f"run{i}")
        expected.update(outcomes)
        journals.orphan(*entries, segment_bytes=4000)
    script = f"""
from pathlib import Path
from hybridllm.ledger import loader
from hybridllm.ledger.log import AttemptLog
from hybridllm.store import open_store
loader.GROUP = 16
loader.adopt(Path({str(journals.root)!r}), open_store({store_url!r}), AttemptLog("off"))
"""
    adopters = [
        subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE) for _ in range(2)
    ]
    for adopter in adopters:
        _, complaint = adopter.communicate(timeout=60)
        assert adopter.returncode == 0, complaint.decode()
    assert runs(journals.root) == []
    assert outcomes_in(engine) == expected
    assert_sums_match_rows(engine)


def test_a_torn_tail_costs_only_the_entry_that_was_never_whole(
    engine: Engine, journals: Journals
) -> None:
    run = journals.orphan(intent("hl-1"), attempt("hl-1"), intent("hl-2"), attempt("hl-2"))
    (segment,) = segments(run)
    os.truncate(segment.path, segment.path.stat().st_size - 5)
    adopt(journals.root, engine, OFF)
    assert outcomes_in(engine) == {("hl-1", 1): "ok", ("hl-2", 1): "unknown"}


def test_absurd_figures_are_cut_and_marked_and_hold_nothing_up(
    engine: Engine, journals: Journals
) -> None:
    journals.orphan(
        attempt("hl-1", input_tokens=10**30, cost=10**40),
        attempt("hl-2", output_tokens=-5),
        intent("hl-3", upper_output_tokens=2**62, upper_cost=2**63),
        attempt("hl-4", reason="nul \0 byte"),
    )
    adopt(journals.root, engine, OFF)
    rows = {key[0]: row for key, row in all_attempts(engine).items()}
    assert rows["hl-1"].input_tokens == 2**40 - 1
    assert rows["hl-1"].cost == 2**63 - 1
    assert rows["hl-1"].usage_estimated
    assert rows["hl-2"].output_tokens == 0
    assert rows["hl-2"].usage_estimated
    assert rows["hl-3"].cost == 2**63 - 1
    assert rows["hl-4"].reason.startswith("nul ")
    assert_sums_match_rows(engine)


def test_sums_go_past_what_sixty_three_bits_hold(engine: Engine, journals: Journals) -> None:
    dear = 2**63 - 1
    for part in range(3):
        journals.orphan(*(attempt(f"{part}-{i}", cost=dear, baseline=dear - 1) for i in range(5)))
        adopt(journals.root, engine, OFF)
    (sums,) = all_sums(engine).values()
    assert sums["cost"] == 15 * dear
    assert sums["baseline"] == 15 * (dear - 1)


def test_a_fallback_is_an_answer_by_another_model_than_the_first(
    engine: Engine, journals: Journals
) -> None:
    failed = {"outcome": "error", "error_kind": "overloaded", "answered": False, "status": 529}
    flash = {"model": "google/gemini-2.5-flash", "provider": "google"}
    journal = journals.start(
        attempt("retried", 1, **failed), attempt("retried", 2), attempt("moved", 1, **failed)
    )
    loader = RunLoader(journal.run, engine, OFF)
    loader.load()
    journal.append(attempt("moved", 2, **failed, **flash))
    journal.append(attempt("moved", 3, **flash))
    loader.load()
    fallbacks = {key[3]: sums["fallbacks"] for key, sums in all_sums(engine).items()}
    assert fallbacks == {"openai/gpt-4o-mini": 0, "google/gemini-2.5-flash": 1}
    assert_sums_match_rows(engine)


names = st.sampled_from(["a", "b"])
tokens = st.integers(0, 2**40 - 1)
money = st.one_of(st.integers(0, 2**63 - 1), st.integers(0, 10**7))
any_attempt = st.builds(
    attempt,
    request_id=st.sampled_from([f"hl-{i}" for i in range(6)]),
    attempt=st.integers(1, 3),
    at=st.sampled_from([0, AT, AT + 3_599_999_999, AT + 3_600_000_000]),
    task=names,
    model=names,
    key=names,
    outcome=st.sampled_from(OUTCOMES),
    answered=st.booleans(),
    usage_estimated=st.booleans(),
    unpriced=st.booleans(),
    batch=st.booleans(),
    cache_hit=st.booleans(),
    cost=money,
    baseline=money,
    batch_gap=money,
    read_saved=money,
    write_extra=money,
    hit_saved=money,
    prefix_left=money,
    role=st.sampled_from(["", "first", "sample", "judge", "escalated"]),
    verdict=st.sampled_from(["", "passed", "failed", "unknown"]),
    cascade_saved=money,
    cascade_extra=money,
    **dict.fromkeys(("input_tokens", "cache_read_tokens", "output_tokens"), tokens),
)


@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(any_attempt, max_size=20, unique_by=lambda a: (a.request_id, a.attempt)),
    st.lists(st.integers(0, 20), max_size=3),
)
def test_the_sums_are_the_sums_of_the_rows_however_they_were_grouped(
    engine: Engine, journals: Journals, recorded: list[Attempt], cuts: list[int]
) -> None:
    with writing(engine) as connection:
        for table in ("attempts", "hourly", "loaded"):
            connection.execute(text(f"DELETE FROM {table}"))
    recorded.sort(key=lambda a: a.attempt)
    journal = journals.start()
    loader = RunLoader(journal.run, engine, OFF)
    for i, one in enumerate(recorded):
        if i in cuts:
            loader.load()
        journal.append(one)
    journals.die(journal)
    loader.load(finish=True)
    assert all_attempts(engine) == {(a.request_id, a.attempt): a for a in recorded}
    assert_sums_match_rows(engine)


def test_each_attempt_is_one_line_of_the_log_without_key_or_tags(
    engine: Engine, journals: Journals, tmp_path: Path
) -> None:
    log = AttemptLog(str(tmp_path / "logs" / "attempts.jsonl"))
    journals.orphan(
        attempt("hl-1", key="the-key", tags='{"prompt":"secret"}'), intent("hl-2", key="the-key")
    )
    adopt(journals.root, engine, log)
    journals.orphan(attempt("hl-3", cost=1))
    adopt(journals.root, engine, log)
    written = (tmp_path / "logs" / "attempts.jsonl").read_bytes()
    assert b"the-key" not in written and b"secret" not in written
    lines = [msgspec.json.decode(line) for line in written.splitlines()]
    assert lines[0] == {
        "time": "2026-11-24T07:00:00.000+00:00",
        "request_id": "hl-1",
        "attempt": 1,
        "provider_request_id": "req_1",
        "task": "classification",
        "task_source": "header",
        "tier": "simple",
        "model": "openai/gpt-4o-mini",
        "provider": "openai",
        "status": 200,
        "outcome": "ok",
        "error_kind": "",
        "cost_usd": "0.00021",
        "first_token_ms": 210.0,
        "total_ms": 480.0,
    }
    assert [(line["request_id"], line["outcome"]) for line in lines[1:]] == [
        ("hl-2", "unknown"),
        ("hl-3", "ok"),
    ]
    assert lines[2]["cost_usd"] == "0.000000000001"


def test_a_log_that_cannot_be_written_does_not_hold_up_the_ledger(
    engine: Engine, journals: Journals, tmp_path: Path
) -> None:
    journals.orphan(attempt("hl-1"))
    assert adopt(journals.root, engine, AttemptLog(str(tmp_path))) == 1
    assert outcomes_in(engine) == {("hl-1", 1): "ok"}
