"""What an endpoint makes of a request, and what the model makes of that: between the wire formats
of the simulated providers and the one simulated model."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from hybridllm.simulators.models import ModelSpec


class Refused(Exception):
    """The provider refuses a request. `type` and `code` are the provider's own words for it;
    `extra` is merged into the error's JSON object."""

    def __init__(
        self,
        status: int,
        type: str,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type = type
        self.message = message
        self.code = code
        self.param = param
        self.retry_after = retry_after
        self.extra = extra or {}


class Segment(Struct):
    """A piece of the prompt in the order in which it is cached. `tokens` is set where the piece is
    not text (an image); `text` is then what tells it from another. `mark` is a cache breakpoint
    after it ("5m", "1h")."""

    text: str
    tokens: int | None = None
    mark: str | None = None


class OfferedTool(Struct, frozen=True):
    """A function that the model may call; `schema` is JSON Schema of its arguments."""

    name: str
    schema: dict[str, Any]


class Ask(Struct, kw_only=True):
    """A validated request. `must_call` is a tool's name, "*" for any, None for as it likes;
    `may_call` False forbids calls. `answers_tools` says that the last turn is tool results.
    `thinking` is the most reasoning that the request asks for in tokens, 0 for none. `kept` tokens
    of the prompt are read from a cache that the request names.
    `own` is the endpoint's own to remember for its reply."""

    model: str
    spec: ModelSpec
    stream: bool
    prompt: list[Segment]
    last_user: str
    answers_tools: bool = False
    tools: list[OfferedTool] = field(default_factory=list)
    must_call: str | None = None
    may_call: bool = True
    parallel: bool = True
    schema: dict[str, Any] | None = None
    json: bool = False
    max_output: int | None = None
    stops: tuple[str, ...] = ()
    choices: int = 1
    thinking: int = 0
    kept: int = 0
    own: Any = None


class Call(Struct, frozen=True):
    """A tool call: `arguments` is JSON text."""

    name: str
    arguments: str


class Answer(Struct, kw_only=True):
    """One choice. `finish` is stop, stop_sequence, length, tool, refusal, content_filter or
    blocked (the prompt was filtered; there is no choice).
    `pieces` joined are `text`, as a stream sends it. `output_tokens` includes
    `reasoning_tokens`."""

    text: str = ""
    pieces: tuple[str, ...] = ()
    thinking: str = ""
    calls: tuple[Call, ...] = ()
    finish: str = "stop"
    stop_sequence: str | None = None
    output_tokens: int = 0
    reasoning_tokens: int = 0
    redacted: bool = False
    seed: int = 0


class Billed(Struct, kw_only=True):
    """Tokens of a call, all choices together. The input kinds do not overlap."""

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_long_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0

    def add(self, more: Billed) -> None:
        """Take in another call's."""
        self.input_tokens += more.input_tokens
        self.cache_read_tokens += more.cache_read_tokens
        self.cache_write_tokens += more.cache_write_tokens
        self.cache_write_long_tokens += more.cache_write_long_tokens
        self.output_tokens += more.output_tokens
        self.reasoning_tokens += more.reasoning_tokens

    @property
    def all_input(self) -> int:
        return (
            self.input_tokens
            + self.cache_read_tokens
            + self.cache_write_tokens
            + self.cache_write_long_tokens
        )
