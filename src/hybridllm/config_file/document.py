"""One TOML document and its keys' places; and the error that points at one."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path as FilePath
from typing import Any

from msgspec import Struct

from hybridllm.config_file.lines import Path, lines_of
from hybridllm.errors import ConfigError

_SYNTAX_LINE = re.compile(r"^(.*) \(at (?:line (\d+), column \d+|end of document)\)$", re.DOTALL)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class Document(Struct, frozen=True):
    """A parsed file: its name for messages, what it says, and on which line."""

    name: str
    data: dict[str, Any]
    lines: dict[Path, int]


def parse(name: str, text: str) -> Document:
    """Raises ConfigError at the line of a syntax error. Decimal fractions are read as Decimal:
    prices are exact."""
    try:
        data = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as e:
        found = _SYNTAX_LINE.match(str(e))
        message = found[1] if found else str(e)
        line = int(found[2]) if found and found[2] else text.count("\n") + 1
        raise ConfigError(
            f"This is no TOML: {message}.",
            where=f"{name}:{line}",
            remedy="Text needs quotes, a list needs commas and a closing bracket.",
        ) from None
    return Document(name, data, lines_of(text))


def read(
    path: str,
    what: str = "configuration",
    remedy: str = "Check the path given by --config or $HYBRIDLLM_CONFIG.",
) -> Document:
    """The document in the file at `path`. Raises ConfigError when it cannot be read, which says
    `what` it would have been and the `remedy` for a wrong path."""
    try:
        text = FilePath(path).read_bytes().decode("utf-8-sig")
    except OSError as e:
        raise ConfigError(
            f"The {what} cannot be read: {e.strerror}.", where=path, remedy=remedy
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"The {what} is not UTF-8 text.", where=path) from None
    return parse(path, text)


class Documents:
    """The preset's document and the file's over it. Finds where a key is said last."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._newest_first = list(documents)[::-1]

    def where(self, path: Path) -> str | None:
        """`file:line` of `path`, or of the nearest thing around it that is written down."""
        for length in range(len(path), 0, -1):
            for document in self._newest_first:
                line = document.lines.get(path[:length])
                if line is not None:
                    return f"{document.name}:{line}"
        return self._newest_first[0].name if self._newest_first else None

    def error(self, path: Path, message: str, remedy: str | None = None) -> ConfigError:
        """A ConfigError about the key at `path`, to be raised."""
        return ConfigError(message, where=self.where(path), field=show(path), remedy=remedy)


def show(path: Path) -> str:
    """A path as one writes it: `providers.openai.keys[0].env`, `models."openai/o3".price`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            quoted = part if _BARE_KEY.fullmatch(part) else f'"{part[:100]}"'
            text += f".{quoted}" if text else quoted
    return text


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A remedy that names the close matches of `word`, else all that is known (if few)."""
    choices = sorted(known)
    close = get_close_matches(word[:100], choices, n=3, cutoff=0.6)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    if not choices or len(choices) > 20:
        return "There is nothing close to it."
    return f"Known: {', '.join(choices)}."
