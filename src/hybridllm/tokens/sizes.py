"""The size of an image in pixels, read from the first bytes of its file; and what a file is."""

from __future__ import annotations

from hybridllm.tokens.images import Size

_PNG = b"\x89PNG\r\n\x1a\n"
_GIF = (b"GIF87a", b"GIF89a")
_JPEG = b"\xff\xd8\xff"
_PDF = b"%PDF-"
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG's start-of-frame markers: all of C0-CF but the tables and a reserved one among them."""
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
"""JPEG's markers without a length."""


def media_type(data: bytes) -> str:
    """The MIME type that the first bytes tell, "" for any that we do not know."""
    if data.startswith(_PNG):
        return "image/png"
    if data.startswith(_JPEG):
        return "image/jpeg"
    if data[:6] in _GIF:
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return "application/pdf" if data.startswith(_PDF) else ""


def image_size(data: bytes) -> Size | None:
    """Width and height of a PNG, JPEG, GIF or WebP. None: it is none of these, or it is cut."""
    kind = media_type(data)
    found: Size | None = None
    if kind == "image/png" and len(data) >= 24:
        found = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    elif kind == "image/gif" and len(data) >= 10:
        found = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    elif kind == "image/jpeg":
        found = _jpeg(data)
    elif kind == "image/webp" and len(data) >= 30:
        found = _webp(data)
    return found if found is not None and min(found) > 0 else None


def _jpeg(data: bytes) -> Size | None:
    """The size stands in the first frame header, behind segments that each tell their length."""
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _FRAMES:
            height = int.from_bytes(data[at + 5 : at + 7], "big")
            return int.from_bytes(data[at + 7 : at + 9], "big"), height
        elif marker in _ALONE:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _webp(data: bytes) -> Size | None:
    """Source: https://developers.google.com/speed/webp/docs/riff_container and RFC 6386."""
    chunk = data[12:16]
    if chunk == b"VP8X":
        width, height = data[24:27], data[27:30]
        return int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 ":
        width, height = data[26:28], data[28:30]
        return int.from_bytes(width, "little") & 0x3FFF, int.from_bytes(height, "little") & 0x3FFF
    return None
