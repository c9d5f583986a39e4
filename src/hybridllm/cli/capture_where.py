"""The store that the options of a capture command mean, opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from sqlalchemy import Engine

from hybridllm.config_file import load_config
from hybridllm.errors import ErrorKind, RequestError
from hybridllm.ledger.paths import store_url
from hybridllm.store import open_store


@contextmanager
def store_of(config: Path | None, ledger: Path | None) -> Iterator[Engine]:
    """The ledger's store, where what is captured is kept. Raises ConfigError, HybridError."""
    settings = load_config(str(config) if config else None).ledger
    if ledger is not None:
        settings = msgspec.structs.replace(settings, directory=str(ledger))
    engine = open_store(store_url(settings))
    try:
        yield engine
    finally:
        engine.dispose()


def nothing_of(request_id: str) -> RequestError:
    """Nothing is kept of a request."""
    return RequestError(
        f"Nothing is kept of the request '{request_id[:100]}'.",
        kind=ErrorKind.NOT_FOUND,
        field="request_id",
        remedy="`hybridllm capture list` shows what is kept.",
    )


def iso(microseconds: int) -> str:
    """A Unix time as people read it, UTC: `2026-11-25T16:04:05Z`."""
    return datetime.fromtimestamp(microseconds / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
