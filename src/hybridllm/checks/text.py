"""Reading answers: normal forms of text, and JSON and code among prose."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import msgspec

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_FENCE = re.compile(r"^[ \t]*```[ \t]*([\w+-]*)[^\n]*\n(.*?)^[ \t]*```", re.DOTALL | re.MULTILINE)


class _Punctuation(dict[int, int]):
    """A table for `str.translate`, which learns each character once: punctuation is a blank."""

    def __missing__(self, code: int) -> int:
        found = ord(" ") if unicodedata.category(chr(code)).startswith("P") else code
        self[code] = found
        return found


_PUNCTUATION = _Punctuation()


def plain(text: str) -> str:
    """Lower case, without punctuation and surplus blanks."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(text.translate(_PUNCTUATION).split())


def normal(text: str) -> str:
    """`plain` without articles, unless there is nothing else: the normal form of SQuAD's evaluation
    script (Rajpurkar et al. 2016, arXiv:1606.05250), with Unicode's punctuation."""
    words = plain(text)
    return " ".join(_ARTICLES.sub(" ", words).split()) or words


def fenced(text: str, *languages: str) -> list[str]:
    """The blocks of code in these languages, or without one; none where the text has no blocks."""
    wanted = {"", *languages}
    return [body for language, body in _FENCE.findall(text) if language.lower() in wanted]


def json_of(text: str) -> Any:
    """The JSON value that an answer is, has in a block of code, or has among its prose. Raises
    ValueError where it has none."""
    tried = [text, *fenced(text, "json")]
    for opening, closing in ("{}", "[]"):
        start, end = text.find(opening), text.rfind(closing)
        if 0 <= start < end:
            tried.append(text[start : end + 1])
    for candidate in tried:
        try:
            return msgspec.json.decode(candidate.strip())
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            continue
    raise ValueError("no JSON in the answer")


def code_of(text: str, *languages: str) -> str:
    """The code of an answer: its blocks, or all of it where it has none."""
    return "\n".join(fenced(text, *languages)) or text
