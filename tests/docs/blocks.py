"""The fenced blocks of README.md and docs/*.md.

A block that a test cannot run has a comment on the line before it that says why:
`<!-- not run: needs a real key -->`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])

_FENCE = re.compile(r"^(`{3,})([\w-]*)\s*$")
_MARKER = re.compile(r"^<!--\s*not run(?::\s*(.*?))?\s*-->$")


@dataclass(frozen=True)
class Block:
    """`line` is that of its opening fence. `reason` is why it is not run: None where it is run, ""
    where the marker gives none."""

    page: Path
    line: int
    language: str
    text: str
    reason: str | None

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks_of(page: Path, text: str | None = None) -> list[Block]:
    """The blocks of a page in order; an unclosed one ends with the page."""
    found: list[Block] = []
    before, fence, start, language, body = "", "", 0, "", [""]
    for number, line in enumerate((page.read_text() if text is None else text).splitlines(), 1):
        opening = _FENCE.match(line)
        if fence and line.strip() == fence:
            marker = _MARKER.match(before.strip())
            reason = None if marker is None else marker[1] or ""
            found.append(Block(page, start, language, "\n".join(body) + "\n", reason))
            fence, before = "", ""
        elif fence:
            body.append(line)
        elif opening is not None:
            fence, language, start, body = opening[1], opening[2], number, []
        else:
            before = line
    return found


def blocks(*languages: str) -> list[Block]:
    """All blocks of these languages."""
    return [block for page in PAGES for block in blocks_of(page) if block.language in languages]
