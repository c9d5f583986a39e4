"""A file that a command reads, where `-` is standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from hybridllm.errors import RequestError


def _no_option(type_: object, path: Path | None) -> None:
    if path is not None and str(path).startswith("-") and str(path) != "-":
        raise ValueError(f"there is no such option: {path}")


Source = Annotated[Path, Parameter(allow_leading_hyphen=True, validator=_no_option)]
"""The path of a command's parameter. Without this, `-` would be taken for an option."""


def read_source(path: Path) -> bytes:
    """All of it. Raises RequestError where it cannot be read."""
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as e:
        raise RequestError(
            f"Cannot read {path}: {e.strerror}.", remedy="Give a file, or - for standard input."
        ) from None
