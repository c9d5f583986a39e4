"""Token counts as the simulators bill them, remembered for repeated texts.

OpenAI's models are counted by their own encodings. Claude's and Gemini's tokenizers are not
published, so their simulators count with o200k as well: exact to the token within a simulator,
near to the real figure outside it.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b

from hybridllm.errors import ConfigError
from hybridllm.tokens import encoding_of, exact_available, token_ids
from hybridllm.tokens.encodings import O200K

_REMEMBERED = 8192
_KEPT_AS_TEXT = 2048


def require_tokenizer() -> None:
    """Raises ConfigError where the tokenizer is not installed: a simulator never estimates."""
    if not exact_available():
        raise ConfigError(
            "The simulators count tokens exactly and need a tokenizer.",
            remedy="Install it with: pip install 'hybridllm[tokens]'.",
        )


class Counter:
    """Counts with a bounded memory: long texts are remembered by digest, so that it stays small."""

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[str, str | bytes], int] = OrderedDict()

    def count(self, text: str, encoding: str = O200K) -> int:
        if not text:
            return 0
        key = (encoding, text if len(text) <= _KEPT_AS_TEXT else digest(text))
        known = self._counts.get(key)
        if known is not None:
            return known
        tokens = len(token_ids(text, encoding))
        self._counts[key] = tokens
        if len(self._counts) > _REMEMBERED:
            self._counts.popitem(last=False)
        return tokens


def digest(text: str) -> bytes:
    """16 bytes that stand for the text. Lone surrogates are legal in JSON, so they must pass."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def encoding_for(model: str) -> str:
    """The encoding that the simulators count this model's text with."""
    return encoding_of(model) or O200K
