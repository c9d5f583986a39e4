"""A small, deterministic classifier for requests that name neither a task nor a model.

It reads the whole conversation, never only its last line: what the system prompt and the first
turn ask weighs most, later turns and the answers given so far weigh less but count together, so
that "ok, continue" deep in a coding session is still coding. Tool definitions, calls already made,
size, code and a wanted JSON schema weigh in beside the words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

from msgspec import Struct

from hybridllm.config import Config
from hybridllm.tasks.cues import CODE_CUES, CUES
from hybridllm.tasks.windows import ends
from hybridllm.wire.dialect import Facts


class Classifier(Protocol):
    """Names the task of a request and says in words by what."""

    def classify(self, facts: Facts) -> tuple[str, str]: ...


_OPENING = 1_500
"""Characters looked at from either end of the system prompt and of the first turn."""
_LATER = 600
"""The same, of each later turn."""
_FIRST_TURNS, _LAST_TURNS = 4, 8
"""How many turns of a conversation are looked at from its beginning and from its end."""

_LONG_BYTES = 24_000
"""A request of this size that says nothing plainer is a document to be analysed."""
_ENOUGH = 6
"""The least score that names a task: one phrase that speaks for it where it weighs most."""

_WORD = re.compile(r"[a-z0-9'+]+")
_CODE = re.compile(
    r"```|^\s*(?:def |class |import |from \w+ import |#include|func |fn |public |private |const |"
    r"let |var |function |SELECT |return |if \(|for \()|[;{]\s*$|"
    r"\b\w+\.(?:py|js|ts|go|rs|java|cpp)\b|\b\w+\(\)|=>",
    re.MULTILINE,
)
_IDENTIFIER = re.compile(
    r"\b[a-z]+_[a-z_]+\b|\b_[a-z]\w+|\b(?:python|javascript|java|sql|css|html)\b", re.IGNORECASE
)
"""Not code, but talk of it: enough for 'rename' or 'convert' to mean code."""
_SCHEMA = re.compile(r'"parameters"\s*:\s*\{')
_FORMULA = re.compile(r"\$[^$]*[\\^_=][^$]*\$|\\(?:frac|sqrt|sum|cdot|le|geq)\b")


class _Passage(Struct):
    """A stretch of the conversation: its text, as words in lower case with single spaces, and how
    much a cue in it weighs."""

    where: str
    text: str
    words: str
    weight: int


class _Tally:
    """Scores by task, with what made them."""

    def __init__(self) -> None:
        self.scores: dict[str, int] = {}
        self.signs: dict[str, list[str]] = {}

    def add(self, task: str, score: int, sign: str) -> None:
        self.scores[task] = self.scores.get(task, 0) + score
        self.signs.setdefault(task, []).append(sign)


class RuleClassifier:
    """Adds up what speaks for each task that the configuration defines. The highest score names
    it; equal scores go by the order of the cues; too low a score is the default task."""

    def __init__(self, config: Config) -> None:
        self._default = config.routing.default_task
        self._known = frozenset(config.tasks)

    def classify(self, facts: Facts) -> tuple[str, str]:
        """The task's name and the signs that it was known by."""
        tally = _Tally()
        passages = list(_passages(facts))
        code = _count_code(passages, tally)
        _count_cues(CUES, passages, tally)
        if code:
            _count_cues(CODE_CUES, passages, tally)
        _count_shape(facts, tally)
        best, score = "", 0
        for task, found in tally.scores.items():
            if found > score and task in self._known:
                best, score = task, found
        if score < _ENOUGH:
            return self._default, "nothing in the conversation speaks plainly for a task"
        return best, f"the conversation speaks for it: {', '.join(tally.signs[best][:4])}"


def _passages(facts: Facts) -> Iterator[_Passage]:
    if facts.system:
        yield _passage("system prompt", ends(facts.system, _OPENING), 3)
    turns = facts.turns
    if not turns:
        return
    yield _passage("first turn", ends(turns[0].text, _OPENING), 3)
    later = turns[1:]
    if len(later) > _FIRST_TURNS + _LAST_TURNS:
        later = later[:_FIRST_TURNS] + later[-_LAST_TURNS:]
    for where, weight, ours in (("later turns", 2, False), ("answers so far", 1, True)):
        chosen = [turn.text for turn in later if (turn.role == "assistant") is ours]
        texts = [part for text in chosen for part in ends(text, _LATER)]
        if texts:
            yield _passage(where, texts, weight)


def _passage(where: str, texts: tuple[str, ...] | list[str], weight: int) -> _Passage:
    text = "\n".join(texts)
    words = f" {' '.join(_WORD.findall(text.lower()))} "
    return _Passage(where, text, words, weight)


def _count_cues(
    cues: tuple[tuple[str, int, tuple[str, ...]], ...], passages: list[_Passage], tally: _Tally
) -> None:
    """Each phrase counts once in each passage, however often it stands there."""
    for task, weight, phrases in cues:
        for passage in passages:
            for phrase in phrases:
                if f" {phrase} " in passage.words:
                    tally.add(task, weight * passage.weight, f"'{phrase}' ({passage.where})")


def _count_code(passages: list[_Passage], tally: _Tally) -> bool:
    """Whether there is code, or talk of files of code, anywhere."""
    found = False
    for passage in passages:
        if _SCHEMA.search(passage.text):
            tally.add("agentic", 6 * passage.weight, f"function definitions ({passage.where})")
        elif _CODE.search(passage.text):
            tally.add("code_generation", 2 * passage.weight, f"code ({passage.where})")
            found = True
        elif _IDENTIFIER.search(passage.text):
            found = True
        if _FORMULA.search(passage.text):
            tally.add("specialized_reasoning", 4 * passage.weight, f"formulas ({passage.where})")
    return found


def _count_shape(facts: Facts, tally: _Tally) -> None:
    if facts.tools:
        tally.add("agentic", 9, f"{facts.tools} tools defined")
    if facts.tool_calls:
        tally.add("agentic", 9, f"{facts.tool_calls} tool calls made")
    if facts.wants_schema:
        tally.add("extraction", 3, "a JSON schema is wanted")
    if facts.thinks:
        tally.add("complex_reasoning", 3, "reasoning is asked for")
    if facts.text_bytes >= _LONG_BYTES:
        tally.add("analysis", 9, f"{facts.text_bytes:,} bytes of text")
