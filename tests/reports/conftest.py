from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from hybridllm.ledger.journal import Journal
from hybridllm.ledger.loader import adopt
from hybridllm.ledger.log import AttemptLog
from hybridllm.ledger.record import Attempt, Intent
from hybridllm.store import open_store
from tests.databases import postgres_server, store_url

__all__ = ["postgres_server", "store_url"]

Record = Callable[..., None]


@pytest.fixture
def engine(store_url: str) -> Iterator[Engine]:
    engine = open_store(store_url)
    yield engine
    engine.dispose()


@pytest.fixture
def record(engine: Engine, tmp_path: Path) -> Record:
    """Journals entries as a process that then dies, and loads them."""

    def record(*entries: Intent | Attempt) -> None:
        journal = Journal(tmp_path / "journal", worker=0)
        for entry in entries:
            journal.append(entry)
        journal.close()
        journal.release()
        adopt(tmp_path / "journal", engine, AttemptLog("off"))

    return record
