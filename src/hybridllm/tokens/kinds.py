"""What kind of text this is, told from classes of bytes in a sample: tokenizers make different
numbers of tokens of prose, code, JSON, Chinese and Russian.

Cheap enough for the way of a request: a few passes of C over at most two thousand bytes, whatever
the size of the text. What it tells apart is what tokenizers treat apart, no more.
"""

from __future__ import annotations

from typing import Literal, get_args

Kind = Literal["prose", "code", "json", "cjk", "script"]
"""`prose`: Latin letters with few signs; `code`: source, markup, logs; `json`: JSON and what has as
many quotes and brackets; `cjk`: Chinese, Japanese, Korean; `script`: other scripts than Latin."""

KINDS: tuple[Kind, ...] = get_args(Kind)

SAMPLE_CHARACTERS = 1_000

FACTORS: dict[str, int] = {"prose": 100, "code": 120, "json": 135, "cjk": 100, "script": 65}
"""Tokens a byte, in percent of those of English prose. Measured with o200k, whose ranks are
published, on some pages of each kind; where calibration starts from for any model."""

_HIGH = bytes(range(0x80, 0x100))
_CJK_LEADS = bytes(range(0xE3, 0xEE))
"""The first of the three UTF-8 bytes of U+3000 to U+DFFF: kana, ideographs, Hangul."""
_QUOTES = b'"{}[]'
_SIGNS = b"{}[]()<>=;_/\\+*&|#$@`~^%"
_MARKS = bytes({*_QUOTES, *_SIGNS})


def kind_of(text: str) -> Kind:
    """The kind of a text, by its first and last `SAMPLE_CHARACTERS` / 2 characters."""
    half = SAMPLE_CHARACTERS // 2
    sample = text if len(text) <= SAMPLE_CHARACTERS else text[:half] + text[-half:]
    data = sample.encode("utf-8", "surrogatepass")
    size = len(data)
    if not sample.isascii():
        if _count(data, _CJK_LEADS) * 3 * 100 > size * 30:
            return "cjk"
        if _count(data, _HIGH) * 100 > size * 30:
            return "script"
    marks = _count(data, _MARKS)
    if marks * 100 < size * 6 and b"\n  " not in data and b"\n\t" not in data:
        return "prose"  # too few of either kind of mark: what nearly every request is
    if _count(data, _QUOTES) * 100 >= size * 10 and size:
        return "json"
    indented = data.count(b"\n  ") + data.count(b"\n\t")
    if (_count(data, _SIGNS) + 2 * indented) * 100 >= size * 6 and size:
        return "code"
    return "prose"


def of_kind(tokens_per_kbyte: int, kind: str) -> int:
    """A model's ratio for English prose as one for `kind`, where nothing better is known. Any
    other name of a kind counts as prose."""
    return tokens_per_kbyte * percent_of_prose(kind) // 100


def percent_of_prose(kind: str) -> int:
    """Tokens a byte of this kind of text, in percent of those of English prose."""
    return FACTORS.get(kind, 100)


def _count(data: bytes, those: bytes) -> int:
    return len(data) - len(data.translate(None, those))
