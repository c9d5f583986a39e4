"""Any process may open the store, new or old; the first one there makes it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from hybridllm.errors import ConfigError, ErrorKind, HybridError
from hybridllm.ledger.record import Attempt
from hybridllm.store import open_store, schema, writing
from hybridllm.store.engine import HEAD, parse_url


def test_a_new_store_and_a_migrated_one_are_the_same(
    store_url: str, migrated: Callable[[str], Engine]
) -> None:
    """Tables, columns with their types and defaults, keys and indexes."""
    first = open_store(store_url)
    new = layout(first)
    with first.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    first.dispose()
    engine = migrated("head")
    assert layout(engine) == new
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    engine.dispose()


@pytest.mark.parametrize("version", [f"{n:04}" for n in range(1, int(HEAD))])
def test_an_older_store_is_brought_up(
    store_url: str, migrated: Callable[[str], Engine], version: str
) -> None:
    migrated(version).dispose()
    engine = open_store(store_url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).all() == [
            (HEAD,)
        ]
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    engine.dispose()


def layout(engine: Engine) -> dict[str, object]:
    """What there is, in an order that does not depend on when a column was added."""
    found = inspect(engine)
    return {
        table: (
            sorted(
                (c["name"], str(c["type"]), c["nullable"], c["default"])
                for c in found.get_columns(table)
            ),
            found.get_pk_constraint(table)["constrained_columns"],
            sorted((i["column_names"], i["unique"]) for i in found.get_indexes(table)),
        )
        for table in sorted(found.get_table_names())
    }


def test_the_attempts_table_has_a_column_for_each_field_of_an_attempt() -> None:
    assert tuple(schema.attempts.c.keys()) == Attempt.__struct_fields__


def test_opening_again_changes_nothing(store_url: str) -> None:
    first = open_store(store_url)
    with writing(first) as connection:
        connection.execute(
            schema.loaded.insert().values(run="r", segment=1, bytes=2, finished=False)
        )
    again = open_store(store_url)
    with again.connect() as connection:
        assert connection.execute(schema.loaded.select()).all() == [("r", 1, 2, False)]
    first.dispose()
    again.dispose()


def test_several_processes_may_make_it_at_once(store_url: str) -> None:
    script = f"from hybridllm.store import open_store; open_store({store_url!r})"
    makers = [
        subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE) for _ in range(4)
    ]
    for maker in makers:
        _, complaint = maker.communicate(timeout=60)
        assert maker.returncode == 0, complaint.decode()
    engine = open_store(store_url)
    assert set(inspect(engine).get_table_names()) >= {"attempts", "hourly", "loaded"}
    engine.dispose()


def test_threads_write_side_by_side_and_wait_for_each_other(store_url: str) -> None:
    engine = open_store(store_url)

    def add(i: int) -> None:
        with writing(engine) as connection:
            count = connection.execute(text("SELECT count(*) FROM loaded")).scalar_one()
            connection.execute(
                schema.loaded.insert().values(run=f"{i}", segment=count, bytes=0, finished=False)
            )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM loaded")).scalar_one() == 40
    engine.dispose()


def test_sqlite_survives_a_crash_without_waiting_for_the_disk_each_time(tmp_path: Path) -> None:
    engine = open_store(f"sqlite:///{tmp_path}/deep/down/ledger.db")
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 1
        assert connection.execute(text("PRAGMA busy_timeout")).scalar() == 30_000
    engine.dispose()


def test_a_failed_migration_leaves_nothing_behind(
    store_url: str, migrated: Callable[[str], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic.operations import Operations

    old = migrated("0002")
    make = Operations.create_table

    def fail(self: Operations, name: str, *columns: object, **options: object) -> object:
        if name == "batch_files":
            raise OSError("the machine goes down")
        return make(self, name, *columns, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Operations, "create_table", fail)
        with pytest.raises(HybridError, match="the machine goes down"):
            open_store(store_url)
    assert "batches" not in inspect(old).get_table_names()
    old.dispose()
    engine = open_store(store_url)
    assert set(inspect(engine).get_table_names()) >= {"attempts", "hourly", "batch_files"}
    engine.dispose()


def test_a_store_that_could_not_be_made_whole_is_not_there(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("hybridllm.store.engine._VERSION_TABLE", "CREATE NONSENSE")
        with pytest.raises(HybridError):
            open_store(store_url)
    engine = open_store(store_url)
    assert set(inspect(engine).get_table_names()) >= {"attempts", "hourly", "loaded"}
    engine.dispose()


def test_a_newer_store_is_refused(store_url: str) -> None:
    engine = open_store(store_url)
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(ConfigError, match=r"newer version of hybridllm \(schema 9999"):
        open_store(store_url)


@pytest.mark.parametrize(
    "url",
    ["mysql://db/ledger", "ledger.db", "", "sqlite://", "sqlite:///:memory:", "://"],
)
def test_what_is_no_store_is_refused_with_a_remedy(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_store(url)
    assert caught.value.field == "ledger.store"
    assert "postgresql://" in caught.value.text()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+pg8000"])
def test_postgresql_goes_by_its_usual_names(scheme: str) -> None:
    assert parse_url(f"{scheme}://u:p@h/d").drivername == "postgresql+pg8000"


def test_a_database_that_is_down_is_named_without_its_password() -> None:
    with pytest.raises(HybridError) as caught:
        open_store("postgresql://user:hunter2@127.0.0.1:1/ledger")
    assert caught.value.kind is ErrorKind.UNAVAILABLE
    assert re.search(r"127\.0\.0\.1:1/ledger", caught.value.message)
    assert "hunter2" not in caught.value.text()


def test_an_sslmode_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="sslmode"):
        open_store("postgresql://user@127.0.0.1:1/ledger?sslmode=maybe")
