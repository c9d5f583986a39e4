"""What is kept of a line from when it came to when it is answered, and the names of things."""

from __future__ import annotations

import re
from secrets import token_hex

import msgspec
from msgspec import Struct

from hybridllm.catalog.prompts import Variant

PREFIXES = {"openai": "batch_", "anthropic": "msgbatch_", "google": ""}
"""How each API's batches are named."""
_KINDS = {"deferred": "deferred_", "run": "run_"}
_CUSTOM_ID = re.compile(r"(hl-[0-9a-f]{1,32}-[0-9a-f]{1,16})-([0-9]{1,9})")


class Note(Struct, array_like=True, kw_only=True):
    """What was found out of a line when it came: its caller's key and tags, its task and how that
    is known, what it asked for (`asked` as it said it, `requested` the id of a model named), the
    ids of the models that can serve it, the first to be tried first, and why. `dialect` and `shape`
    say how its body is read, `header` is the task named beside it. `variant` is
    the prompt's variant that the line brought, `prompt` the label of the one that it was last sent
    with, which `added` so many bytes of text."""

    key: str
    tags: str
    header: str
    dialect: str
    shape: str
    task: str
    source: str
    tier: str
    asked: str
    requested: str
    chain: list[str]
    reason: str
    text_bytes: int
    text_kind: str
    variant: Variant | None = None
    prompt: str = ""
    added: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Note).decode


def packed(note: Note) -> bytes:
    """As a row holds it."""
    return _encode(note)


def note_of(data: bytes) -> Note:
    """What a row holds."""
    return _decode(data)


def new_batch_id(dialect: str, kind: str, now: int) -> str:
    """A batch's id, of the shape that its API's callers know; later ones sort behind."""
    prefix = _KINDS.get(kind) or PREFIXES.get(dialect, "batch_")
    return f"{prefix}{now:014x}{token_hex(5)}"


def new_job_id() -> str:
    """A job's id, which goes with it to the provider."""
    return f"hl-job-{token_hex(10)}"


def request_id(batch: str, place: int) -> str:
    """A line's id in the ledger, the same through all of its attempts."""
    return f"hl-{batch.rpartition('_')[2]}-{place:x}"


def custom_id(request: str, attempt: int) -> str:
    """What names a line's attempt to the provider, as an attempt of any request is named."""
    return f"{request}-{attempt}"


def read_custom_id(text: str) -> tuple[str, int] | None:
    """Request id and attempt; None for a name that we never gave."""
    found = _CUSTOM_ID.fullmatch(text)
    return None if found is None else (found[1], int(found[2]))
