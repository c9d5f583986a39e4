"""Reasoning signatures on their way through another provider's dialect.

A signature vouches for a thought only to the provider that made it, but the caller hands it back
in the caller's own dialect. So that the next turn can tell whose it is, a foreign signature
travels wrapped: `hllm1.<origin>.<signature>`. A signature without the wrapper is the dialect's own.
"""

from __future__ import annotations

MARK = "hllm1."
MARK_BYTES = b"hllm1."


def wrap(signature: str, origin: str, native: str) -> str:
    """The signature as a caller of dialect `native` should carry it."""
    return signature if origin == native or not origin else f"{MARK}{origin}.{signature}"


def unwrap(signature: str, native: str) -> tuple[str, str]:
    """(origin, signature) of what a caller of dialect `native` sent back."""
    if signature.startswith(MARK):
        origin, _, rest = signature[len(MARK) :].partition(".")
        return origin, rest
    return native, signature
