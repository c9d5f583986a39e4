"""DuckDB, in bounded memory, with the share done told while a query runs."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hybridllm.errors import ConfigError, HybridError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Progress = Callable[[float], None]
"""Told the share done, 0..1."""

MEMORY = "1GB"
"""DuckDB's own limit; beyond it groups are spilled to a temporary directory."""

_MOST_THREADS = 8
"""Each takes buffers of its own, of as much as 32 MB for JSON."""

_POLL_SECONDS = 0.1


class Engine:
    """One DuckDB in memory. Errors of a file become ConfigErrors."""

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._connection = connection

    def run(self, sql: str, progress: Progress | None = None) -> list[tuple[Any, ...]]:
        """All rows of a query that yields few."""
        if progress is None:
            return self._fetch(sql)
        rows: list[list[tuple[Any, ...]]] = []
        failed: list[BaseException] = []

        def work() -> None:
            try:
                rows.append(self._fetch(sql))
            except BaseException as e:
                failed.append(e)

        thread = threading.Thread(target=work, name="audit-scan", daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(_POLL_SECONDS)
                progress(max(0.0, min(self._connection.query_progress() / 100, 1.0)))
        except KeyboardInterrupt:
            self._connection.interrupt()
            thread.join()
            raise
        if failed:
            raise failed[0]
        progress(1.0)
        return rows[0]

    def many(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        """The statement once for each of `rows`."""
        if rows:
            self._connection.executemany(sql, rows)

    def columns(self, select: str) -> dict[str, str]:
        """The names and types of what `select` yields, without running it."""
        return {str(row[0]): str(row[1]) for row in self._fetch(f"DESCRIBE {select}")}

    def _fetch(self, sql: str) -> list[tuple[Any, ...]]:
        import duckdb

        try:
            return self._connection.execute(sql).fetchall()
        except duckdb.Error as e:
            first = str(e).strip().splitlines()[0]
            raise ConfigError(f"DuckDB cannot read it: {first}") from None


@contextmanager
def open_engine(threads: int | None = None, memory: str = MEMORY) -> Iterator[Engine]:
    """Raises HybridError, naming the extra, where DuckDB is not installed."""
    try:
        import duckdb
    except ImportError:
        raise HybridError(
            "The audit needs DuckDB, which is not installed.",
            remedy="Install the extra: pip install 'hybridllm[audit]'.",
        ) from None
    with tempfile.TemporaryDirectory(prefix="hybridllm-audit-") as spill:
        connection = duckdb.connect(
            config={
                "memory_limit": memory,
                "threads": threads or min(os.cpu_count() or 1, _MOST_THREADS),
                "temp_directory": spill,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )
        try:
            connection.execute("SET enable_progress_bar = true")
            connection.execute("SET enable_progress_bar_print = false")
            connection.execute("SET TimeZone = 'UTC'")
            yield Engine(connection)
        finally:
            connection.close()
