"""How many tokens a text or a number of bytes makes, exactly or by estimate."""

from __future__ import annotations

from hybridllm.tokens.encodings import encoding_of, exact_available, token_ids

_PER_KBYTE = (("claude", 290), ("gemini", 235))
"""Tokens per 1,000 UTF-8 bytes of English prose, by what the model's name holds. Anthropic and
Google both document about four characters a token; Anthropic's own count runs higher and Gemini's
slightly lower than OpenAI's on the same text."""

_DEFAULT_PER_KBYTE = 250


def tokens_per_kbyte(model: str) -> int:
    """The estimate's ratio for a model whose tokenizer is not published."""
    for part, ratio in _PER_KBYTE:
        if part in model:
            return ratio
    return _DEFAULT_PER_KBYTE


def estimate_bytes(nbytes: int, tokens_per_kbyte: int) -> int:
    """Tokens in `nbytes` UTF-8 bytes at that ratio, rounded up."""
    return -(-nbytes * tokens_per_kbyte // 1000)


def count_text(text: str, model: str) -> int:
    """Tokens of a text for a model: exact for OpenAI's models where `bpe-openai` is installed,
    else an estimate from its UTF-8 bytes."""
    encoding = encoding_of(model)
    if encoding is not None and exact_available():
        return len(token_ids(text, encoding))
    return estimate_bytes(len(text.encode("utf-8", "surrogatepass")), tokens_per_kbyte(model))
