"""What the learned classifier sees of a request: a few hundred marks, each there or not.

Three groups, weighed apart so that a long text does not drown what a request states:

- `words`: words and pairs of neighbouring words, of both ends of the system prompt and of the
  first turn, and of the ends of the later turns;
- `edges`: the same of the first and last words alone, where instructions stand, marked `^` and `$`;
- `shape`: what the request states (tools, schema, media, sizes) and how it is built (code, lists,
  questions, digits), marked `#`, with what the rules' cues (`cues.py`) say of it.

Cost is bounded: of a text of any size only the windows are read.
"""

from __future__ import annotations

import re
from itertools import pairwise

from msgspec import Struct

from hybridllm.tasks.cues import CODE_CUES, CUES
from hybridllm.tasks.windows import ends
from hybridllm.wire.dialect import Facts, Turn

_WINDOW = 650
"""Characters looked at from either end of the first turn, where it is all that there is."""
_SHARED = 400
"""The same, where a system prompt or later turns are read too."""
_SYSTEM = 200
"""The same, of the system prompt."""
_LATER = 50
"""The same, of a later turn."""
_LATER_TURNS = 4
"""How many of the last turns are looked at."""
_EDGE = 14
"""Words of the beginning and of the end that are marked as such."""

_TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)?|0+|\?|:$|:(?=\n)")
_CODE = re.compile(
    r"```|^\s*(?:def |class |import |from \w+ import |#include|func |fn |public |private |const |"
    r"let |var |function |SELECT |return |if \(|for \()|[;{]\s*$|=>",
    re.MULTILINE,
)
_FILE = re.compile(r"\.(?:py|js|ts|tsx|go|rs|java|cpp|c|h|rb|sql|css|html|yaml|toml)\b")
_SCHEMA = re.compile(r'"(?:parameters|inputSchema|input_schema|arguments)"\s*:\s*[{\[]')
_FORMULA = re.compile(r"\$[^$\n]*[\\^_=][^$\n]*\$|\\(?:frac|sqrt|sum|cdot|le|geq|boxed)\b|\^\{?\d")
_OPTION = re.compile(r"^\s*(?:[-*•]|\(?[A-Ha-h1-9][.)])\s+\S", re.MULTILINE)
_SPEAKER = re.compile(r"^[A-Z][\w .]{1,30}:\s", re.MULTILINE)
_SLOT = re.compile(r"\{\{?\w+\}?\}|<[A-Z_]{3,}>|\[(?:[A-Z][A-Z _]+|(?<=\w\[)[^\]\n]{1,60})\]")
_PAIR = re.compile(r"^\s*[\w ]{2,25}[:=]\s*\S[^\n]{0,80}$", re.MULTILINE)
_QUESTION = frozenset(
    {"who", "what", "when", "where", "which", "why", "how", "is", "are", "was", "were", "does"}
    | {"do", "did", "can", "could", "should", "would"}
)
_DIGITS = str.maketrans("123456789", "000000000")
"""A number counts by how many digits it has."""


class Marks(Struct, frozen=True):
    """The marks of one request by group; each group in no order and without repeats."""

    words: frozenset[str]
    edges: frozenset[str]
    shape: frozenset[str]


def marks(facts: Facts) -> Marks:
    """What the classifier sees of a request with these facts."""
    first = facts.turns[0].text if facts.turns else ""
    alone = not facts.system and len(facts.turns) < 2
    text = "\n".join(ends(first, _WINDOW if alone else _SHARED))
    words = _words(text)
    system = _words("\n".join(ends(facts.system, _SYSTEM))) if facts.system else []
    later = _later(facts.turns)
    seen = set(words)
    seen.update(_pairs(words))
    for more in (system, later):
        seen.update(more)
        seen.update(_pairs(more))
    edges = _edges("^", words[:_EDGE]) | _edges("$", words[-_EDGE:])
    if system:
        edges |= _edges("%", system[:_EDGE]) | _edges("%", system[-_EDGE:])
    shape = _stated(facts) | _built(text, words, first) | _cued(words, system)
    if _SCHEMA.search(facts.system[: 2 * _SYSTEM]):
        shape.add("#function")
    return Marks(frozenset(seen), frozenset(edges), frozenset(shape))


def _words(text: str) -> list[str]:
    return _TOKEN.findall(text.lower().translate(_DIGITS))


def _later(turns: list[Turn]) -> list[str]:
    chosen = turns[1:][-_LATER_TURNS:]
    return _words("\n".join(part for turn in chosen for part in ends(turn.text, _LATER)))


def _pairs(words: list[str]) -> list[str]:
    return [f"{one} {two}" for one, two in pairwise(words)]


def _edges(mark: str, words: list[str]) -> set[str]:
    found = {f"{mark}{word}" for word in words}
    found.update(f"{mark}{pair}" for pair in _pairs(words))
    if mark == "^" and words:
        found.add(f"^1{words[0]}")
    if mark == "$" and words:
        found.add(f"$1{words[-1]}")
    return found


def _stated(facts: Facts) -> set[str]:
    """What the request says of itself beside its words."""
    found = {f"#size {facts.text_bytes.bit_length()}"}
    for name, holds in (
        ("system", bool(facts.system)),
        ("tools", facts.tools > 0),
        ("many tools", facts.tools > 3),
        ("calls", facts.tool_calls > 0),
        ("schema", facts.wants_schema),
        ("json", facts.wants_json),
        ("thinks", facts.thinks),
        ("media", facts.media > 0),
        ("document", facts.documents > 0),
        ("turns", len(facts.turns) > 1),
        ("long", facts.text_bytes >= 24_000),
    ):
        if holds:
            found.add(f"#{name}")
    return found


def _built(text: str, words: list[str], first: str) -> set[str]:
    """How the first turn is built."""
    lines = text.count("\n") + 1
    size = len(text) or 1
    found = {
        f"#lines {min(lines.bit_length(), 7)}",
        f"#digits {_step(sum(map(text.count, '0123456789')) * 100 // size, (1, 3, 6, 12))}",
        f"#commas {_step(text.count(',') * 1000 // size, (5, 15, 40, 80))}",
        f"#asks {min(text.count('?'), 3)}",
        f"#names {_step(text.count('_') + text.count('()'), (1, 3, 6))}",
        f"#options {_step(len(_OPTION.findall(text)), (1, 2, 4, 7))}",
        f"#pairs {_step(len(_PAIR.findall(text)), (1, 2, 4, 7))}",
        f"#speakers {_step(len(_SPEAKER.findall(text)), (1, 3, 6))}",
    }
    stripped = text.rstrip()
    for name, holds in (
        ("code", _CODE.search(text) is not None),
        ("file", _FILE.search(text) is not None),
        ("function", _SCHEMA.search(text) is not None),
        ("formula", ("$" in text or "\\" in text or "^" in text) and bool(_FORMULA.search(text))),
        ("slots", ("[" in text or "{" in text or "<" in text) and bool(_SLOT.search(text))),
        ("object", "{" in text and '":' in text),
        ("quotes", text.count('"') > 1),
        ("ends ?", stripped.endswith("?")),
        ("ends :", stripped.endswith(":")),
        ("ends .", stripped.endswith(".")),
        ("bare", stripped[-1:].isalnum() and lines == 1),
        ("lower", first[:80] == first[:80].lower()),
        ("opens asking", bool(words) and words[0] in _QUESTION),
        ("one line", lines == 1),
        ("paragraphs", "\n\n" in stripped),
        ("cut", len(first) > 2 * _WINDOW),
    ):
        if holds:
            found.add(f"#{name}")
    if {"#opens asking", "#ends ?", "#one line"} <= found:
        found.add("#plain question")
    return found


def _step(value: int, steps: tuple[int, ...]) -> int:
    return sum(value >= step for step in steps)


_Cue = tuple[str, str, int]


def _by_first(*groups: tuple[tuple[str, int, tuple[str, ...]], ...]) -> dict[str, list[_Cue]]:
    found: dict[str, list[_Cue]] = {}
    for group in groups:
        for task, weight, phrases in group:
            for phrase in phrases:
                found.setdefault(phrase.split()[0], []).append((f" {phrase} ", task, weight))
    return found


_CUES_BY_WORD = _by_first(CUES, CODE_CUES)
_CUE_WORDS = frozenset(_CUES_BY_WORD)


def _cued(*passages: list[str]) -> set[str]:
    """The tasks that the rules' cues speak for, how loudly, and the loudest."""
    scores: dict[str, int] = {}
    for words in passages:
        joined = f" {' '.join(words)} "
        for word in sorted(_CUE_WORDS.intersection(words)):
            for phrase, task, weight in _CUES_BY_WORD[word]:
                if phrase in joined:
                    scores[task] = scores.get(task, 0) + weight
    found = {f"#cue {task}" for task in scores}
    found.update(f"#cue+ {task}" for task, score in scores.items() if score >= 4)
    if scores:
        found.add(f"#cue! {max(scores, key=lambda task: (scores[task], task))}")
    return found
