"""OpenAI's published encodings, loaded on first use: exact counts without a network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

_LONGEST = 50_000
"""Characters that `bpe-openai` is given at a time: it refuses a million of them, and 200,000
tokens, and a character may be four."""

_SEARCHED = 5_000
_SEAM = re.compile(r"[^\W\d_](?= [^\W\d_]|[，。、])|\n(?=[^\W\d_])")
"""Where both encodings end a token whatever stands around: after a letter before a space and a
letter or before CJK punctuation, and after a line before a letter."""

O200K = "o200k_base"
CL100K = "cl100k_base"

_CL100K_MODELS = re.compile(r"^(gpt-4(-(?!o).*)?|gpt-3\.5.*|text-embedding.*)$")
_O200K_MODELS = re.compile(r"^(gpt-.*|chatgpt-.*|o\d.*|codex-.*|computer-use.*)$")


@lru_cache(maxsize=1024)
def encoding_of(model: str) -> str | None:
    """The name of the encoding of an OpenAI model (`gpt-4o`, `openai/gpt-4o`), else None.

    Source: the table of models to encodings that OpenAI publishes with tiktoken.
    """
    provider, _, name = model.rpartition("/")
    if provider not in ("", "openai"):
        return None
    if _CL100K_MODELS.match(name):
        return CL100K
    return O200K if _O200K_MODELS.match(name) else None


@lru_cache(maxsize=1)
def exact_available() -> bool:
    """Whether exact counts can be had here (the optional extra `hybridllm[tokens]`)."""
    return find_spec("bpe_openai") is not None


@lru_cache(maxsize=2)
def _encoder(encoding: str) -> Any:
    import bpe_openai

    return bpe_openai.get_encoding(encoding)


def token_ids(text: str, encoding: str = O200K) -> list[int]:
    """The text's tokens, special tokens read as plain text.

    Raises ImportError where `bpe-openai` is not installed (`exact_available` tells).
    """
    encode = _encoder(encoding).encode_ordinary
    if len(text) < _LONGEST:
        ids: list[int] = encode(text)
        return ids
    return [token for part in _parts(text) for token in encode(part)]


def _parts(text: str) -> Iterator[str]:
    """The text in parts of at most `_LONGEST` characters, cut at seams. Where a part has none near
    its end it is cut anywhere, which may count one token more."""
    start = 0
    while len(text) - start >= _LONGEST:
        end = start + _LONGEST
        seams = list(_SEAM.finditer(text, end - _SEARCHED, end))
        end = seams[-1].end() if seams else end
        yield text[start:end]
        start = end
    yield text[start:]


def cut_to_tokens(text: str, tokens: int, encoding: str = O200K) -> str:
    """The longest prefix of whole characters that the first `tokens` tokens of the text spell."""
    ids = token_ids(text, encoding)
    if len(ids) <= tokens:
        return text
    raw: bytes = _encoder(encoding).decode_bytes(ids[:tokens])
    return raw.decode("utf-8", "ignore")
