"""Embeddings: unit vectors, the same for the same text, near for texts that share words.

Each word falls on a few places of the vector, chosen and signed by its hash; what falls on one
place adds up. No meaning is in it: a synonym is as far away as any other word.
"""

from __future__ import annotations

import math
import re
from base64 import b64encode
from functools import lru_cache
from hashlib import blake2b
from struct import pack

_WORD = re.compile(r"\w+")
_PLACES = 16


def vector_of(text: str, dimensions: int) -> list[float]:
    """A vector of length 1 (but for rounding) with `dimensions` numbers."""
    vector = [0.0] * dimensions
    for word in _WORD.findall(text.lower()) or [text]:
        for place, sign in _places(word):
            vector[place % dimensions] += sign
    length = math.sqrt(sum(value * value for value in vector))
    if not length:
        # All has cancelled out, as it may in few dimensions.
        vector[0] = length = 1.0
    return [value / length for value in vector]


@lru_cache(maxsize=4096)
def _places(word: str) -> tuple[tuple[int, float], ...]:
    raw = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=4 * _PLACES).digest()
    numbers = [int.from_bytes(raw[at : at + 4], "big") for at in range(0, len(raw), 4)]
    return tuple((number >> 1, 1.0 if number & 1 else -1.0) for number in numbers)


def as_base64(vector: list[float]) -> str:
    """32-bit floats, little-endian, as OpenAI's SDK asks for them."""
    return b64encode(pack(f"<{len(vector)}f", *vector)).decode()
