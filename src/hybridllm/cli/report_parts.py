"""What the reports' commands share: finding the ledger, and what they say of their figures."""

from __future__ import annotations

from pathlib import Path

import msgspec
from sqlalchemy import Engine

from hybridllm.cli.tables import counted
from hybridllm.config_file import load_config
from hybridllm.reports import open_ledger


def find_ledger(config: Path | None, ledger: Path | None, store: str | None) -> Engine:
    """The store that the options name. Raises HybridError if there is none yet, ConfigError."""
    settings = load_config(str(config) if config else None).ledger
    if ledger is not None:
        settings = msgspec.structs.replace(settings, directory=str(ledger))
    return open_ledger(settings, store)


def title(what: str, since: str, until: str) -> str:
    """What, and of when."""
    return f"{what}, up to {until}" if since.startswith("1970-") else f"{what}, {since} to {until}"


def caveats(unknown: int, estimated: int, unpriced: int) -> list[str]:
    """What keeps the figures from being exact, a sentence each."""
    said = []
    if estimated > unknown:
        said.append(f"{counted(estimated - unknown, 'attempt')} with estimated usage.")
    if unknown:
        said.append(
            f"{counted(unknown, 'attempt')} of unknown outcome (the gateway was killed), booked "
            "at the upper bound."
        )
    if unpriced:
        said.append(
            f"{counted(unpriced, 'attempt')} on models without a known price, booked as $0."
        )
    return said
