"""What a dialect is: the interface that each dialect's one file implements, and its small structs.

Floor 1, pure. A dialect is registered in `hybridllm.wire.registry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from hybridllm.errors import ErrorKind, HybridError, ProviderError, RequestError
from hybridllm.wire.conversation import Conversation, Event, Finish, Reply, Usage


class Turn(Struct, frozen=True):
    """One message as routing sees it: who spoke, and the text (no media, no tool payloads)."""

    role: str
    text: str


class Facts(Struct, kw_only=True):
    """What routing and metering need to know of a request, read without building a Conversation.

    `model` is as the caller wrote it. `system` is the system prompt's text. `turns` are all
    messages after it, in order. `text_bytes` counts the UTF-8 bytes of everything that becomes
    input tokens (system, messages, tool definitions, calls and results) but media; `media` are the
    images, documents and audio counted, of which `documents` are documents. `tool_calls` counts
    calls already made in the conversation. `max_output_tokens` None: the caller set no limit.
    `label` is the task named in the body, `session` the session id in the body. `wants_schema` is
    structured output by JSON schema; `wants_json` any JSON mode. `thinks` says that the caller
    asks for reasoning.
    `foreign_signatures` says that the body holds reasoning signed by another provider and wrapped
    by us (`sealing`), or lacks what another provider would have had to sign, so it may not pass
    through as it stands. `cache_marked` says that the caller
    set cache breakpoints. `usage_requested`: OpenAI's stream_options.include_usage. `choices` is
    the number of answers asked for (OpenAI's n, Google's candidateCount). `controls` names the
    settings in the body that not every model of the dialect takes, as `Dialect.suits` knows them.
    `previous` is the id of an earlier reply that the request goes on from, `keeps_replies` says
    that a later request may so refer to the reply to this one, and `unseen_input` that the model is
    to see more than the body holds (earlier turns or a prompt which the provider keeps).
    """

    model: str
    stream: bool = False
    system: str = ""
    turns: list[Turn]
    text_bytes: int = 0
    media: int = 0
    documents: int = 0
    tools: int = 0
    tool_calls: int = 0
    wants_schema: bool = False
    wants_json: bool = False
    thinks: bool = False
    max_output_tokens: int | None = None
    label: str | None = None
    session: str | None = None
    foreign_signatures: bool = False
    cache_marked: bool = False
    usage_requested: bool = False
    choices: int = 1
    controls: tuple[str, ...] = ()
    """Settings in the body that not every model of the dialect takes, by the names that
    `Dialect.suits` knows."""
    previous: str | None = None
    keeps_replies: bool = False
    unseen_input: bool = False


class Target(Struct, frozen=True, kw_only=True):
    """Where a Conversation is going: the model's wire name and what it can do."""

    model: str
    max_output_tokens: int
    tools: bool = True
    vision: bool = True
    documents: bool = True
    json_schema: bool = True
    reasoning: bool = True


class Inexpressible(RequestError):
    """The target's dialect cannot say `field` (a dotted path in neutral terms)."""

    def __init__(self, field: str, message: str, remedy: str | None = None) -> None:
        super().__init__(message, kind=ErrorKind.UNSUPPORTED, field=field, remedy=remedy)


class DropPolicy:
    """Decides, for what a target cannot express, between dropping and refusing.

    `drop` and `refuse` are sets of neutral field names (`seed`, `logprobs`, ...) from config;
    a field in neither follows `harmless`, the caller of `unsupported`'s own judgement. `dropped`
    collects what was left out, in order, for the header x-hybridllm-dropped. One per request.
    """

    __slots__ = ("drop", "dropped", "refuse")

    def __init__(
        self, drop: frozenset[str] = frozenset(), refuse: frozenset[str] = frozenset()
    ) -> None:
        self.drop = drop
        self.refuse = refuse
        self.dropped: list[str] = []

    def unsupported(self, field: str, *, harmless: bool, where: str) -> None:
        """Record that `field` is dropped, or raise `Inexpressible`.

        `where` names the target ("Anthropic's messages API"). Config wins over `harmless`.
        """
        name = field.split("[", 1)[0].split(".", 1)[0]
        if field in self.refuse or name in self.refuse:
            harmless = False
        elif field in self.drop or name in self.drop:
            harmless = True
        if not harmless:
            raise Inexpressible(
                field,
                f"{where} cannot express '{field}'.",
                f"Leave it out, choose a model whose provider supports it, or add '{name}' to "
                "wire.drop in hybridllm.toml to have it dropped.",
            )
        if field not in self.dropped:
            self.dropped.append(field)


class Relay(Protocol):
    """A streamed reply on its way through: bytes of the provider in, bytes for the caller out.

    Same dialect: complete events pass unchanged (partial ones are held until whole), metered on
    the way. Across dialects: decoded and encoded. The engine treats both alike.
    """

    usage: Usage | None
    finish: Finish | None
    has_content: bool
    """Content (text, thinking, a tool call) has been seen, so no fallback is possible once the
    bytes are out. Before it, held bytes may be thrown away."""
    complete: bool
    """The provider's proper end of stream was seen."""
    error: ProviderError | None
    """The provider reported an error within the stream."""
    output_events: int
    """Content events seen: a floor for the output tokens of a stream that was cut."""

    def feed(self, data: bytes) -> bytes:
        """Bytes for the caller, perhaps none. Raises ProviderError(MALFORMED_REPLY)."""
        ...

    def end(self) -> bytes:
        """The provider's stream closed: the last bytes for the caller."""
        ...


class StreamDecoder(Protocol):
    """Wire bytes, split anywhere, to events."""

    def feed(self, data: bytes) -> list[Event]: ...

    def end(self) -> list[Event]:
        """The connection closed properly. Emits Ended where the dialect has no terminator."""
        ...


class StreamEncoder(Protocol):
    """Events to wire bytes."""

    def encode(self, event: Event) -> bytes: ...


class RequestShape(Struct, frozen=True, kw_only=True):
    """What a dialect carries outside the body: Google has model and streaming in the path."""

    model: str | None = None
    stream: bool | None = None
    sse: bool = True


class Dialect(Protocol):
    """One provider's chat API, both ways."""

    name: str

    # -- requests
    def facts(self, body: bytes, shape: RequestShape) -> Facts:
        """Read what routing needs. Raises RequestError naming the malformed field."""
        ...

    def decode_request(self, body: bytes, shape: RequestShape) -> Conversation:
        """The whole request. Raises RequestError naming the malformed field."""
        ...

    def encode_request(self, conv: Conversation, target: Target, policy: DropPolicy) -> bytes:
        """The body to send. Signed or sealed reasoning of another origin is left out, its readable
        text kept. Raises Inexpressible for what `policy` refuses."""
        ...

    def suits(self, facts: Facts, target: Target) -> bool:
        """Whether `target`, which routing chose and the caller did not name, takes the body's
        settings as they stand. If not, the body is written anew for it."""
        ...

    def passthrough(self, body: bytes, facts: Facts, model: str) -> bytes:
        """The caller's own body, byte for byte but for what routing and metering must set."""
        ...

    # -- replies
    def decode_reply(self, body: bytes) -> Reply:
        """Raises ProviderError(MALFORMED_REPLY)."""
        ...

    def encode_reply(self, reply: Reply) -> bytes: ...

    def meter(self, body: bytes) -> tuple[Usage | None, Finish | None]:
        """Usage and finish of a whole reply that passes through, read as cheaply as possible."""
        ...

    # -- streams
    def relay(self, facts: Facts, shape: RequestShape) -> Relay:
        """A metering pass-through for a caller of this same dialect."""
        ...

    def stream_decoder(self) -> StreamDecoder: ...

    def stream_encoder(self, facts: Facts, shape: RequestShape) -> StreamEncoder: ...

    def stream_content_type(self, shape: RequestShape) -> str: ...

    # -- errors
    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """What the provider's error means. `headers` have lower-case names."""
        ...

    def encode_error(self, error: HybridError, request_id: str) -> tuple[int, bytes]:
        """Status and body in this dialect's documented shape."""
        ...

    def encode_stream_error(
        self, error: HybridError, request_id: str, shape: RequestShape
    ) -> bytes:
        """The error as the last bytes of a stream that has already begun."""
        ...
