"""What tells one provider's batch API from another's: the one file to add for a provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from hybridllm.providers.keys import Key
from hybridllm.providers.upstream import Upstream

Ending = Literal["answered", "refused", "expired", "cancelled"]


class Limits(Struct, frozen=True, kw_only=True):
    """The most that one batch may hold, as the provider documents it. `seconds` is the window after
    which what is not done expires."""

    requests: int
    bytes: int
    seconds: int


class Ready(Struct, frozen=True):
    """One request to send in a batch: a name for its answer, unique in the batch (letters, digits,
    - and _, at most 64: Anthropic takes no others), and its body in the provider's own dialect, as
    it would be sent live and not streamed."""

    custom_id: str
    body: bytes


class Job(Struct, frozen=True, kw_only=True):
    """A batch that the provider has taken. `id` is the provider's name for it; `count` the requests
    in it, 0 where the provider does not say; `created_at` Unix seconds, 0 likewise."""

    id: str
    count: int = 0
    created_at: int = 0


class Progress(Struct, frozen=True, kw_only=True):
    """How far a job is. `ended`: its results, such as there are, can be read now. `refused` is the
    provider's message where it refused the whole of it (a validation error), "" else; `full` says
    that it did so because too much is enqueued: the same lines may be taken later."""

    ended: bool
    done: int = 0
    refused: str = ""
    full: bool = False


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of one request. `body` is the provider's reply in the shape of a live one
    (answered), or its error in the shape of a live error with `status` (refused). Requests that
    expired or were cancelled have neither and were not billed."""

    custom_id: str
    ending: Ending
    status: int = 0
    body: bytes = b""
    request_id: str = ""


class BatchApi(Protocol):
    """One provider's batch API. Stateless. Every call raises ProviderError as live calls do, with
    RATE_LIMITED where too much is enqueued already (OpenAI says so only when it has looked at the
    batch: `Progress.full`). What is safe to repeat is tried again within the call; `submit` makes
    its batch at most once, so after a CONNECTION, TIMEOUT or MALFORMED_REPLY there may be one."""

    limits: Limits

    async def submit(
        self, upstream: Upstream, key: Key | None, model: str, dialect: str,
        lines: Sequence[Ready], tag: str,
    ) -> Job:  # fmt: skip
        """Hand over the lines, all for `model` (its name on the wire) and in `dialect`. `tag` goes
        with the batch, where the provider keeps such a thing, so that `find` can tell it again."""
        ...

    async def find(
        self, upstream: Upstream, key: Key | None, tag: str, since: int, known: frozenset[str]
    ) -> list[Job]:
        """After a crash between `submit` and the record of its job: the provider's batches, created
        since (Unix seconds, with a little slack for clocks), whose ids are not `known`, that carry
        `tag` or, where the provider keeps no tags, could be it."""
        ...

    async def poll(self, upstream: Upstream, key: Key | None, job: str) -> Progress: ...

    def results(self, upstream: Upstream, key: Key | None, job: str) -> AsyncIterator[Outcome]:
        """The results of an ended job in any order, read as a stream so that their number does not
        matter. A line without an outcome was not done. Raises where the stream breaks off: read it
        again from its start."""
        ...

    async def cancel(self, upstream: Upstream, key: Key | None, job: str) -> None:
        """Ask for an end. What is done already is billed and still has its result."""
        ...
