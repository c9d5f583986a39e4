"""Where the ledger's files are."""

from __future__ import annotations

import os
from pathlib import Path

from hybridllm.config import LedgerConfig
from hybridllm.errors import ConfigError


def home() -> Path:
    """$HYBRIDLLM_HOME, else ~/.hybridllm."""
    return Path(os.environ.get("HYBRIDLLM_HOME") or "~/.hybridllm").expanduser()


def ledger_directory(config: LedgerConfig) -> Path:
    """The absolute directory of the journal and of the default store; it may not exist yet."""
    if not config.directory:
        return home().absolute()
    name = config.directory
    for spelling in ("${HYBRIDLLM_HOME}", "$HYBRIDLLM_HOME"):
        name = name.replace(spelling, str(home()))
    return Path(os.path.expandvars(name)).expanduser().absolute()


def journal_directory(config: LedgerConfig) -> Path:
    """The directory with one directory a run of a process."""
    return ledger_directory(config) / "journal"


def store_url(config: LedgerConfig) -> str:
    """The store's URL. Environment variables in it ($NAME, ${NAME}) are expanded, so that a
    password need not stand in the file. Raises ConfigError for another kind of database."""
    if config.store:
        if not config.store.startswith(("sqlite:", "postgresql:", "postgresql+", "postgres:")):
            raise ConfigError(
                "The ledger's store is neither SQLite nor PostgreSQL.",
                field="ledger.store",
                remedy="Write sqlite:////path/to/ledger.db or "
                "postgresql://user:password@host/database.",
            )
        return os.path.expandvars(config.store)
    return f"sqlite:///{ledger_directory(config) / 'ledger.db'}"
