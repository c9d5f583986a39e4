"""How many tokens an image or another file takes, by documented rules.

OpenAI (https://platform.openai.com/docs/guides/images-vision, gpt-4o): 85, and at high detail 170
more for each 512-pixel tile after scaling into 2048 x 2048 and to a shortest side of 768.
Anthropic (https://docs.anthropic.com/en/docs/build-with-claude/vision): width x height / 750 after
scaling the longest side to 1568. Google (https://ai.google.dev/gemini-api/docs/tokens): 258, or
258 for each 768-pixel tile where a side exceeds 384. PNG sizes are read; others count as
1024 x 1024. Other files count as one token for every 4 bytes of base64, at most 100,000.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as BadBase64

PNG = b"\x89PNG\r\n\x1a\n"
_ASSUMED = (1024, 1024)


def decode_base64(data: str) -> bytes | None:
    """The bytes, or None where the text is no base64 (or empty)."""
    try:
        return b64decode(data, validate=True) or None
    except (BadBase64, ValueError):
        return None


def image_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels."""
    if data.startswith(PNG) and len(data) >= 24:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    return _ASSUMED


def _scaled(width: int, height: int, longest: int) -> tuple[int, int]:
    most = max(width, height)
    if most <= longest:
        return width, height
    return max(width * longest // most, 1), max(height * longest // most, 1)


def _tiles(length: int, tile: int) -> int:
    return max(-(-length // tile), 1)


def openai_image_tokens(data: bytes, detail: str) -> int:
    if detail == "low":
        return 85
    width, height = _scaled(*image_size(data), 2048)
    least = min(width, height)
    if least > 768:
        width, height = width * 768 // least, height * 768 // least
    return 85 + 170 * _tiles(width, 512) * _tiles(height, 512)


def anthropic_image_tokens(data: bytes) -> int:
    width, height = _scaled(*image_size(data), 1568)
    return max(-(-width * height // 750), 1)


def google_image_tokens(data: bytes) -> int:
    width, height = image_size(data)
    if width <= 384 and height <= 384:
        return 258
    return 258 * _tiles(width, 768) * _tiles(height, 768)


def file_tokens(data: str) -> int:
    return min(-(-len(data) // 4), 100_000)
