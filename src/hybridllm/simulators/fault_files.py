"""Fault plans as files, for `hybridllm simulate --faults`.

TOML, a table for each fault::

    [[faults]]
    kind = "outage"
    provider = "anthropic"
    start = 60
    duration = 30

or JSON: a list of the same objects, or `{"faults": [...]}`.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from hybridllm.errors import ConfigError
from hybridllm.simulators.faults import Fault


class FaultFile(Struct, forbid_unknown_fields=True):
    """A plan. Its clock starts when the simulators do."""

    faults: list[Fault]


def read_faults(path: Path) -> list[Fault]:
    """The plan in a `.toml` or `.json` file. Raises ConfigError naming the file and what is wrong
    in it."""
    try:
        data = path.read_bytes()
    except OSError as e:
        raise ConfigError(
            f"Cannot read the fault plan: {e.strerror}.",
            where=str(path),
            remedy="Give a .toml or .json file of faults.",
        ) from None
    try:
        if path.suffix == ".json":
            return _from_json(data)
        return msgspec.toml.decode(data, type=FaultFile).faults
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise ConfigError(
            f"The fault plan cannot be used: {e}.",
            where=str(path),
            remedy="docs/simulators.md has the table of faults.",
        ) from None


def _from_json(data: bytes) -> list[Fault]:
    if data.lstrip().startswith(b"["):
        return msgspec.json.decode(data, type=list[Fault])
    return msgspec.json.decode(data, type=FaultFile).faults
