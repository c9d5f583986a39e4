"""The ledger as the engine uses it: cheap to write, sure to be loaded, whatever the store does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from hybridllm.config import LedgerConfig
from hybridllm.errors import ConfigError, ErrorKind, HybridError
from hybridllm.ledger import Ledger
from hybridllm.ledger.journal import runs
from hybridllm.ledger.paths import ledger_directory
from hybridllm.ledger.paths import store_url as url_of
from hybridllm.store import open_store
from tests.ledger.reading import all_attempts, assert_sums_match_rows
from tests.ledger.samples import attempt, intent


@contextmanager
def opened(config: LedgerConfig, worker: int = 0) -> Iterator[Ledger]:
    ledger = Ledger(config, worker)
    ledger.open()
    try:
        yield ledger
    finally:
        ledger.close()


@pytest.fixture
def config(store_url: str, tmp_path: Path) -> LedgerConfig:
    return LedgerConfig(store=store_url, directory=str(tmp_path), load_seconds=0.02)


def test_what_was_recorded_is_found_at_once_with_all_its_attempts(config: LedgerConfig) -> None:
    failed = attempt("hl-1", 1, outcome="error", answered=False, status=503)
    with opened(config) as ledger:
        for entry in (failed, attempt("hl-1", 2)):
            ledger.intend(intent(entry.request_id, entry.attempt))
            ledger.record(entry)
        ledger.intend(intent("hl-2"))
        assert ledger.find("hl-1") == [
            msgspec.structs.asdict(failed),
            msgspec.structs.asdict(attempt("hl-1", 2)),
        ]
        assert ledger.find("hl-2") == []
        assert ledger.find("hl-never") == []


def test_it_is_loaded_without_being_asked(config: LedgerConfig) -> None:
    arrived = threading.Event()
    engine = open_store(config.store)
    with opened(config) as ledger:
        ledger.record(attempt())
        for _ in range(1000):
            if all_attempts(engine) or arrived.wait(0.02):
                break
    assert list(all_attempts(engine)) == [("hl-1", 1)]
    engine.dispose()


def test_closing_loads_all_and_leaves_no_journal(config: LedgerConfig) -> None:
    with opened(config) as ledger:
        ledger.intend(intent("hl-1"))
        ledger.record(attempt("hl-1"))
        ledger.intend(intent("hl-2"))
    engine = open_store(config.store)
    outcomes = {key[0]: row.outcome for key, row in all_attempts(engine).items()}
    assert outcomes == {"hl-1": "ok", "hl-2": "unknown"}
    assert_sums_match_rows(engine)
    assert runs(Path(config.directory) / "journal") == []
    engine.dispose()


def test_several_workers_and_threads_write_one_ledger(config: LedgerConfig) -> None:
    with opened(config, 0) as one, opened(config, 1) as two:

        def write(ledger: Ledger, name: str) -> None:
            for i in range(200):
                ledger.intend(intent(f"{name}-{i}"))
                ledger.record(attempt(f"{name}-{i}"))

        threads = [
            threading.Thread(target=write, args=(ledger, f"{name}{part}"))
            for name, ledger in (("one", one), ("two", two))
            for part in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        one.flush()
        two.flush()
        engine = open_store(config.store)
        assert len(all_attempts(engine)) == 800
        assert_sums_match_rows(engine)
        engine.dispose()


def test_a_store_that_is_down_holds_nothing_up_and_costs_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "down").touch()
    url = f"sqlite:///{tmp_path}/down/ledger.db"
    config = LedgerConfig(store=url, directory=str(tmp_path), load_seconds=0.02)
    with caplog.at_level(logging.WARNING), opened(config) as ledger:
        ledger.record(attempt("hl-1"))
        with pytest.raises(HybridError, match="could not be loaded") as caught:
            ledger.flush(0.2)
        assert caught.value.kind is ErrorKind.UNAVAILABLE
        ledger.record(attempt("hl-2"))
        (tmp_path / "down").unlink()
        assert len(ledger.find("hl-1")) == 1
        assert len(ledger.find("hl-2")) == 1
    complaints = [r.message for r in caplog.records if "cannot be loaded" in r.message]
    assert len(complaints) == 1


def test_a_store_that_is_down_at_the_end_leaves_the_journal_to_the_next_process(
    tmp_path: Path,
) -> None:
    (tmp_path / "down").touch()
    url = f"sqlite:///{tmp_path}/down/ledger.db"
    config = LedgerConfig(store=url, directory=str(tmp_path), load_seconds=0.02)
    with opened(config) as ledger:
        ledger.intend(intent("hl-1"))
        ledger.record(attempt("hl-1"))
    assert len(runs(tmp_path / "journal")) == 1
    (tmp_path / "down").unlink()
    with opened(config) as ledger:
        assert len(ledger.find("hl-1")) == 1
        assert len(runs(tmp_path / "journal")) == 1


def test_nothing_is_accepted_before_opening_or_after_closing(config: LedgerConfig) -> None:
    ledger = Ledger(config)
    with pytest.raises(HybridError, match="not open"):
        ledger.intend(intent())
    ledger.open()
    ledger.close()
    with pytest.raises(HybridError, match="not open"):
        ledger.record(attempt())
    ledger.close()


def test_another_kind_of_database_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="neither SQLite nor PostgreSQL"):
        Ledger(LedgerConfig(store="mysql://db/ledger", directory=str(tmp_path / "new")))
    assert not (tmp_path / "new").exists()


def test_where_the_files_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    monkeypatch.delenv("HYBRIDLLM_HOME", raising=False)

    def directory(name: str = "") -> str:
        return str(ledger_directory(LedgerConfig(directory=name)))

    assert directory() == f"{tmp_path}/.hybridllm"
    assert directory("~/led") == f"{tmp_path}/led"
    assert directory("$HYBRIDLLM_HOME/led") == f"{tmp_path}/.hybridllm/led"
    assert url_of(LedgerConfig()) == f"sqlite:///{tmp_path}/.hybridllm/ledger.db"
    assert (
        url_of(LedgerConfig(store="postgresql://me:${PGPASSWORD}@db/led"))
        == "postgresql://me:hunter2@db/led"
    )
    monkeypatch.setenv("HYBRIDLLM_HOME", "/srv/hybrid")
    assert directory() == "/srv/hybrid"
    assert directory("${HYBRIDLLM_HOME}/led") == "/srv/hybrid/led"
