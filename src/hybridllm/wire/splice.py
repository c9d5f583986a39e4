"""Edit top-level values of a JSON object without touching any other byte.

A body passes through to the provider as the caller wrote it; only the few values that routing or
metering must set are replaced, inserted or removed. msgspec finds each top-level value's raw bytes
in one scan; the offsets follow by walking the keys in order.
"""

from __future__ import annotations

import re

import msgspec

from hybridllm.errors import RequestError

_decode_top = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
_SMALL = 65_536
"""A larger body is not copied once more for the sake of a few microseconds."""
_KEY = re.compile(rb'[\s,]*("(?:[^"\\]|\\.)*")\s*:\s*', re.DOTALL)
_OPEN = re.compile(rb"\s*\{")


def splice(body: bytes, edits: dict[str, bytes | None]) -> bytes:
    """`body` with each top-level key of `edits` set to those raw JSON bytes, or removed if None.

    A key that is absent is added at the end of the object. Raises RequestError if the body is not
    a JSON object or names a top-level key twice (which providers resolve in different ways).
    """
    top = top_level(body)
    if len(body) <= _SMALL and _encode(top) == body:
        # Written as we would write it, without white space, as SDKs do: then so is the result.
        for key, new in edits.items():
            if new is None:
                top.pop(key, None)
            else:
                top[key] = msgspec.Raw(new)
        return _encode(top)
    opened = _OPEN.match(body)
    if opened is None:  # pragma: no cover - _decode_top has already seen the brace
        raise RequestError("The body is not a JSON object.")
    pos = opened.end()
    out: list[bytes] = []
    done = 0
    kept = 0
    for key, raw in top.items():
        start, value = _find(body, pos, key)
        end = value + memoryview(raw).nbytes
        new = edits.get(key, raw)
        if new is None:
            # Everything from the end of the previous value goes, the separating comma with it.
            out.append(body[done:pos])
            done = end
        else:
            if not kept and done == pos and pos > opened.end():
                # All keys before this one were removed: the comma that follows them goes too.
                done = start
            kept += 1
            if new is not raw:
                out.append(body[done:value])
                out.append(new)
                done = end
        pos = end
    tail = body[pos:]
    if tail.strip() != b"}":
        raise RequestError("The body names a top-level key twice.", remedy="Send each key once.")
    out.append(body[done:pos])
    for key, new in edits.items():
        if new is not None and key not in top:
            out.append(b"," if kept else b"")
            out.append(msgspec.json.encode(key) + b":" + new)
            kept += 1
    out.append(tail)
    return b"".join(out)


def _find(body: bytes, pos: int, key: str) -> tuple[int, int]:
    """Where `key`, which comes next after `pos`, and its value begin.

    Walking on by the lengths of the values goes astray after a key that is there twice, and then
    what is found is not the key that should follow: that is how such a body is known. Raises
    RequestError.
    """
    name = key.encode()
    start = body.find(b'"', pos)
    end = start + 1 + len(name)
    plain = body.startswith(name, start + 1) and body.startswith(b'"', end)
    if not plain or body[pos:start].strip(b" \t\r\n,"):
        return _find_escaped(body, pos, key)
    value = end + 1
    while body[value] in b" \t\r\n:":
        value += 1
    return start, value


def _find_escaped(body: bytes, pos: int, key: str) -> tuple[int, int]:
    """As `_find`, of a key that is not written as it reads."""
    match = _KEY.match(body, pos)
    if match is None or msgspec.json.decode(match[1]) != key:
        raise RequestError(
            f"The body names the top-level key '{key}' twice.",
            field=key,
            remedy="Send each key once.",
        )
    return match.start(1), match.end()


def top_level(body: bytes) -> dict[str, msgspec.Raw]:
    """The values of a JSON object by key, as they are. Raises RequestError if it is none."""
    try:
        return _decode_top(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise RequestError(f"The body is not a JSON object: {e}.") from e


def element_spans(array: bytes) -> list[tuple[int, int]]:
    """Where each element of a JSON array begins and ends in its bytes. Raises RequestError if it is
    no array."""
    try:
        elements = _decode_array(array)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise RequestError(f"This is not a JSON array: {e}.") from e
    spans: list[tuple[int, int]] = []
    pos = array.find(b"[") + 1
    for element in elements:
        while array[pos] in b" \t\r\n,":
            pos += 1
        end = pos + memoryview(element).nbytes
        spans.append((pos, end))
        pos = end
    return spans
