"""How an entry lies in a journal's segment: a frame that proves itself.

A frame is 4 bytes of mark, the payload's length and CRC-32 (both little-endian, 32 bits), and the
payload: a MessagePack array, an Intent or an Attempt. A frame that was torn by a killed process,
or damaged by a disk, fails its check and costs no other: reading goes on at the next frame that
passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct as Layout
from typing import NamedTuple
from zlib import crc32

import msgspec

from hybridllm.ledger.record import Attempt, Intent

MARK = b"\xc1hl\x01"  # MessagePack never uses the byte c1
_HEADER = Layout("<4sII")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Intent | Attempt).decode


class Placed(NamedTuple):
    """An entry, and the offset at which its frame ends."""

    entry: Intent | Attempt
    end: int


def frame(entry: Intent | Attempt) -> bytes:
    """The entry as bytes to append.

    Raises OverflowError or UnicodeEncodeError for a value that MessagePack cannot hold.
    """
    payload = _encode(entry)
    return _HEADER.pack(MARK, len(payload), crc32(payload)) + payload


def entries(data: bytes) -> Iterator[Placed]:
    """The entries of a segment, or of a part of it that begins at a frame.

    Stops before the first bytes after which no whole frame follows: the tail is torn, or still
    being written.
    """
    start = 0
    while (at := data.find(MARK, start)) >= 0:
        placed = _read(data, at)
        if placed is None:
            start = at + 1
        else:
            yield placed
            start = placed.end


def _read(data: bytes, at: int) -> Placed | None:
    if len(data) < at + _HEADER.size:
        return None
    _, length, checksum = _HEADER.unpack_from(data, at)
    begin = at + _HEADER.size
    payload = data[begin : begin + length]
    if len(payload) != length or crc32(payload) != checksum:
        return None
    try:
        return Placed(_decode(payload), begin + length)
    except msgspec.DecodeError:
        return None
