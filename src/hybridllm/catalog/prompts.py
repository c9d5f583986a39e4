"""Variants of a task's prompt: what is said otherwise to one provider's models than to others'.

A variant is data of a file of its own (`config_file/variants.py` reads it, `wire/variants.py` puts
it into a request). Its version is a digest of what it says, so that what was measured of one
version is never credited to another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

SYSTEM, PROMPT, TEXT = "{system}", "{prompt}", "{text}"
"""The holes of templates: the caller's system prompt, first message, and that without what `match`
says of it."""

_DIGEST_BYTES = 6


class Shot(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An example: what a user would say, and what the answer should be."""

    user: str
    assistant: str


class Variant(Struct, frozen=True, kw_only=True):
    """A prompt's variant, every part of which may be missing.

    `system` takes the place of the caller's system prompt, which `{system}` in it stands for.
    `prompt` is what the caller's first message becomes: `{prompt}` in it stands for its text; or,
    with `match`, `{text}` for what `match` has there, and a message that does not match is left as
    it is. `format` is said at the end of the system prompt. `schema` is JSON Schema of the answer,
    where the caller asks for no format himself. `shots` come before the caller's first message,
    their questions in the form of `prompt`. With `prefill` "ask" a begun answer at the end of a
    request is asked for in words, for models that refuse to go on with one. `path` is the file that
    it was read from.
    """

    name: str
    system: str | None = None
    match: str | None = None
    prompt: str | None = None
    format: str | None = None
    schema: dict[str, Any] | None = None
    shots: tuple[Shot, ...] = ()
    prefill: Literal["keep", "ask"] = "keep"
    path: str = ""
    label: str = ""
    """`name@digest`: the version, as ledger and scores have it; set by itself."""
    size: int = 0
    """UTF-8 bytes that it adds to a request at most; set by itself."""

    def __post_init__(self) -> None:
        said = [self.system, self.match, self.prompt, self.format, self.schema, self.prefill]
        data = msgspec.json.encode([*said, self.shots], order="sorted")
        digest = hashlib.blake2b(data, digest_size=_DIGEST_BYTES).hexdigest()
        msgspec.structs.force_setattr(self, "label", f"{self.name}@{digest}")
        msgspec.structs.force_setattr(self, "size", self._size())

    def _size(self) -> int:
        wrap = len((self.prompt or "").encode())
        said = sum(len((text or "").encode()) for text in (self.system, self.format))
        said += sum(len(s.user.encode()) + len(s.assistant.encode()) + wrap for s in self.shots)
        schema = 0 if self.schema is None else len(msgspec.json.encode(self.schema))
        return said + wrap + schema

    @property
    def turns(self) -> int:
        """Messages that come before the caller's own."""
        return 2 * len(self.shots)


Variants = Mapping[str, Mapping[str, Variant]]
"""By task, and there by the id of a model or the name of a provider."""


def variant_for(variants: Variants, task: str, model: str) -> Variant | None:
    """The variant that a model (an id) gets at a task: its own, else its provider's; None: the
    caller's prompt as it is."""
    of_task = variants.get(task)
    if of_task is None:
        return None
    return of_task.get(model) or of_task.get(model.partition("/")[0])


def label_for(variants: Variants, task: str, model: str) -> str:
    """The label of what `variant_for` finds, "" for the plain prompt."""
    found = variant_for(variants, task, model)
    return "" if found is None else found.label
