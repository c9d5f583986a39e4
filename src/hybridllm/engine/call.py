"""What goes into the engine and what comes out: a Call and its Answer."""

from __future__ import annotations

from itertools import count
from secrets import token_hex
from typing import Protocol

from msgspec import Struct, field

from hybridllm.catalog.prompts import Variant
from hybridllm.wire.dialect import Dialect, RequestShape

Headers = list[tuple[bytes, bytes]]


class Call(Struct, kw_only=True):
    """One request of a caller, in the caller's own dialect, as it came.

    `key` is the label (never the secret) of the gateway key. `task` and `session` come from the
    headers x-hybridllm-task and x-session-id. `headers` are the caller's headers, lower-case names,
    from which each provider picks the few that it forwards. `tags` is a JSON object's text or "".
    `batch`: it can wait, and is planned at the prices of batches. `variant` is the prompt's variant
    that it gets whichever model is chosen, instead of the configuration's.
    """

    dialect: Dialect
    shape: RequestShape
    body: bytes
    key: str = "default"
    task: str | None = None
    session: str | None = None
    headers: Headers = field(default_factory=list)
    tags: str = ""
    batch: bool = False
    variant: Variant | None = None


class Pieces(Protocol):
    """A streamed answer. `cost` and `baseline` are picodollars, known at its end."""

    @property
    def cost(self) -> int: ...

    @property
    def baseline(self) -> int: ...

    async def chunk(self) -> bytes:
        """The next piece for the caller, as soon as it is there; b"" at the end."""
        ...

    def close(self) -> None:
        """Done with it. Before the end this cancels the provider's call and journals it so."""
        ...


class Answer(Struct, kw_only=True):
    """What the caller gets: `body` whole, or the pieces of `stream`, which must be closed."""

    status: int
    headers: Headers
    body: bytes = b""
    stream: Pieces | None = None


_PROCESS = token_hex(6)
_COUNTER = count(1)


def new_request_id() -> str:
    """Unique across processes and restarts, short enough to read out: `hl-3f9c0a12b4d7-2a`."""
    return f"hl-{_PROCESS}-{next(_COUNTER):x}"
