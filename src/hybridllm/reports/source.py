"""What reports read from: the store, with everything in it that dead processes left behind."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from hybridllm.config import LedgerConfig
from hybridllm.errors import ErrorKind, HybridError
from hybridllm.ledger.loader import adopt
from hybridllm.ledger.log import AttemptLog
from hybridllm.ledger.paths import journal_directory, store_url
from hybridllm.store import open_store


def open_ledger(config: LedgerConfig, store: str | None = None) -> Engine:
    """The ledger's store; journals of dead processes are loaded into it first.

    With `store`, that URL is read instead, and no journal is touched: journals belong to the
    configured store. Raises HybridError(NOT_FOUND) if nothing was ever recorded there, and what
    `open_store` raises.
    """
    url = store or store_url(config)
    root = journal_directory(config)
    path = url.removeprefix("sqlite:///") if url.startswith("sqlite:///") else None
    if path is not None and not Path(path).exists() and (store is not None or not root.exists()):
        raise HybridError(
            f"There is no ledger yet: nothing at {path}.",
            kind=ErrorKind.NOT_FOUND,
            remedy="Start `hybridllm serve` and send it a request, or name another ledger with "
            "--config or --store.",
        )
    engine = open_store(url)
    if store is None:
        adopt(root, engine, AttemptLog(config.log))
    return engine
