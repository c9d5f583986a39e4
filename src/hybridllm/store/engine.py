"""Opening the store: a URL in, a migrated engine out."""

from __future__ import annotations

import fcntl
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from hybridllm.errors import ConfigError, ErrorKind, HybridError
from hybridllm.store.schema import metadata

HEAD = "0013"
"""The newest migration. Knowing it here spares importing Alembic when nothing is to be done."""

_VERSION_TABLE = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
    "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)
"""As Alembic makes it."""

_BUSY_SECONDS = 30.0
_BEGIN = "hybridllm_begin"
_MIGRATION_LOCK = 0x48594252_4C4C4D01  # any fixed number: PostgreSQL's advisory locks have no names


def open_store(url: str) -> Engine:
    """The store at `url`, created and migrated if need be; several processes may do so at once.

    `sqlite:///path` or `postgresql://user:password@host/database` (libpq's `sslmode` and a
    `host` that is a socket's directory are understood). Raises ConfigError for a URL that cannot
    be used and HybridError(UNAVAILABLE) for a database that cannot be reached.
    """
    parsed = parse_url(url)
    try:
        if parsed.get_backend_name() == "sqlite":
            return _open_sqlite(parsed)
        return _open_postgresql(parsed)
    except ImportError as e:
        raise ConfigError(
            f"The driver for this store is not installed: {e.name}.",
            field="ledger.store",
            remedy="Install it with: pip install 'hybridllm[postgres]'.",
        ) from e
    except (SQLAlchemyError, OSError) as e:
        reason = str(getattr(e, "orig", None) or e).strip().split("\n")[0]
        raise HybridError(
            f"The ledger's store at {parsed.render_as_string()} cannot be opened: {reason}.",
            kind=ErrorKind.UNAVAILABLE,
            field="ledger.store",
            remedy="Check that the database is running and that ledger.store is right.",
        ) from e


def parse_url(url: str) -> URL:
    """The URL with its driver named. Raises ConfigError for anything that is no store of ours."""
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except ArgumentError:
        raise _unusable("It is no database URL.") from None
    if backend == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise _unusable("A SQLite store needs a file.")
        return parsed.set(drivername="sqlite+pysqlite")
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+pg8000")
    raise _unusable(f"'{backend}' is neither SQLite nor PostgreSQL.")


def _unusable(why: str) -> ConfigError:
    return ConfigError(
        f"The ledger's store cannot be used. {why}",
        field="ledger.store",
        remedy="Write sqlite:////path/to/ledger.db or postgresql://user:password@host/database.",
    )


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that holds SQLite's write lock from its start, committed at the end."""
    with engine.connect() as connection:
        connection = connection.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
        with connection.begin():
            yield connection


def _open_sqlite(url: URL) -> Engine:
    path = Path(str(url.database))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": _BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # else sqlite3 commits before DDL, behind our back
        connection.execute("PRAGMA synchronous = NORMAL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))

    # Going over to WAL ignores the busy timeout, so openers take turns; the lock is the
    # directory's own, which leaves no file behind.
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        with engine.connect() as connection:
            raw: Any = connection.connection.dbapi_connection
            raw.execute("PRAGMA journal_mode = WAL")
        _migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    finally:
        os.close(directory)
    return engine


def _open_postgresql(url: URL) -> Engine:
    query = dict(url.query)
    arguments: dict[str, Any] = {"timeout": 10}
    host = query.pop("host", None)
    if isinstance(host, str):
        if host.startswith("/"):
            arguments["unix_sock"] = f"{host}/.s.PGSQL.{query.pop('port', url.port or 5432)}"
        else:
            url = url.set(host=host)
    context = _ssl_context(query.pop("sslmode", "prefer"))
    if context is not None:
        arguments["ssl_context"] = context
    engine = create_engine(
        url.set(query=query),
        connect_args=arguments,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=2,
    )
    try:
        _migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _ssl_context(mode: str | tuple[str, ...]) -> ssl.SSLContext | None:
    """libpq's sslmode. `prefer` and `allow` are taken as `disable`: a connection that may be
    plain protects nothing."""
    if mode in ("disable", "allow", "prefer"):
        return None
    if mode not in ("require", "verify-ca", "verify-full"):
        raise _unusable("sslmode is disable, require, verify-ca or verify-full.")
    context = ssl.create_default_context()
    context.check_hostname = mode == "verify-full"
    if mode == "require":
        context.verify_mode = ssl.CERT_NONE
    return context


def _migrate(engine: Engine) -> None:
    """Make a new store as the schema says, at once; bring an older one up to it by migrations.
    That both come to the same is tested. Only the latter needs Alembic, whose import takes longer
    than all else that is done at a first start."""
    with engine.connect() as connection:
        if _version(connection) == HEAD:
            return
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
        version = _version(connection)
        if version is None:
            metadata.create_all(connection, checkfirst=False)
            connection.execute(text(_VERSION_TABLE))
            connection.execute(text(f"INSERT INTO alembic_version VALUES ('{HEAD}')"))
        elif version != HEAD:
            _upgrade(connection)


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", "hybridllm.store:migrations")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as e:
        raise ConfigError(
            "The store was written by a newer version of hybridllm "
            f"(schema {_version(connection)}, this one knows {HEAD}).",
            field="ledger.store",
            remedy="Upgrade hybridllm, or name another store.",
        ) from e


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
