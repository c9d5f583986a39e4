"""On which line of a TOML file a key stands.

The standard reader gives positions of syntax errors only, so a mistake in what a file *says* could
not be pointed at. This walks a text that the reader has already accepted, and notes where each key
and each array element begins; it does not judge anything, and reads no values.
"""

from __future__ import annotations

import re

Path = tuple[str | int, ...]
"""Keys and array indexes from the top: ("providers", "openai", "keys", 0, "env")."""

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[ \t]*(?:"((?:\\.|[^"\\])*)"|'([^']*)'|([A-Za-z0-9_-]+))[ \t]*""")
_STRING = re.compile(
    r'''"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\])*"|'[^']*\'''', re.DOTALL
)
_BARE = re.compile(r"[^,\]}#\n]*")


def lines_of(text: str) -> dict[Path, int]:
    """The line, from 1, of every key and array element of a well-formed TOML document."""
    return _Walk(text).lines


class _Walk:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {}
        self._counted_to, self._line = 0, 1
        self._lengths: dict[Path, int] = {}
        table: Path = ()
        self._space()
        while self.at < len(text):
            if text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._space()

    def _header(self) -> Path:
        is_array = self.text.startswith("[[", self.at)
        start = self.at
        self.at += 1 + is_array
        keys = self._keys()
        self.at += 1 + is_array
        table: Path = ()
        for depth, key in enumerate(keys, start=1):
            table += (key,)
            last = depth == len(keys)
            if last and is_array:
                self._note(table, start)
                self._lengths[table] = self._lengths.get(table, 0) + 1
            if table in self._lengths and (is_array or not last):
                table += (self._lengths[table] - 1,)
            self._note(table, start)
        return table

    def _pair(self, table: Path) -> None:
        start = self.at
        for key in self._keys():
            table += (key,)
            self._note(table, start)
        self.at += 1  # the equals sign
        self._value(table)

    def _value(self, path: Path) -> None:
        self._space()
        opening = self.text[self.at]
        if opening == "[":
            self._members(path, "]")
        elif opening == "{":
            self._members(path, "}")
        else:
            found = _STRING.match(self.text, self.at) or _BARE.match(self.text, self.at)
            assert found is not None, "the bare pattern matches anything"  # noqa: S101
            self.at = found.end()

    def _members(self, path: Path, closing: str) -> None:
        """An array's elements or an inline table's pairs, up to and with the closing bracket."""
        self.at += 1
        index = 0
        self._space()
        while self.text[self.at] != closing:
            if closing == "]":
                self._note((*path, index), self.at)
                self._value((*path, index))
            else:
                self._pair(path)
            index += 1
            self._space()
            if self.text[self.at] == ",":
                self.at += 1
                self._space()
        self.at += 1

    def _keys(self) -> list[str]:
        keys: list[str] = []
        while True:
            found = _KEY.match(self.text, self.at)
            if found is None:
                return keys
            double, single, bare = found.groups()
            keys.append(next(part for part in (double, single, bare) if part is not None))
            self.at = found.end()
            if not self.text.startswith(".", self.at):
                return keys
            self.at += 1

    def _space(self) -> None:
        found = _SPACE.match(self.text, self.at)
        if found is not None:
            self.at = found.end()

    def _note(self, path: Path, at: int) -> None:
        self._line += self.text.count("\n", self._counted_to, at)
        self._counted_to = at
        self.lines.setdefault(path, self._line)
