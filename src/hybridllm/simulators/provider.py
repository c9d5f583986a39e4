"""What a simulated provider is, and what each of its endpoints is: the one file to add."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from msgspec import Struct

from hybridllm.simulators.ask import Answer, Ask, Billed, Refused
from hybridllm.simulators.counting import Counter
from hybridllm.simulators.faults import Fault
from hybridllm.simulators.limits import Standing
from hybridllm.simulators.world import World

Headers = list[tuple[bytes, bytes]]
KEY_PREFIX = "sim-"
"""Every key that begins so is good."""


class Incoming(Struct):
    """A request as an endpoint reads it. `data` is the decoded JSON body, `model` the model (or
    other object) named in the path; header names are lower case."""

    data: Any
    model: str
    headers: Mapping[str, str]
    query: Mapping[str, str]


class Endpoint(ABC):
    """One path of a provider. A group `model` or `id` in `pattern` is what the path names."""

    method: ClassVar[str] = "POST"
    pattern: ClassVar[re.Pattern[str]]


class Plain(Endpoint):
    """An endpoint that generates nothing, such as a list of models. Its calls are not counted."""

    @abstractmethod
    def reply(self, incoming: Incoming, counter: Counter) -> Any:
        """The JSON value to answer with. Raises Refused."""


class Request(Struct):
    """A request for what is not generation. `named` is what the path names, `body` the bytes as
    they came."""

    key: str
    named: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


class Document(Struct):
    """A reply that is no JSON value but bytes, in pieces."""

    pieces: Sequence[bytes | bytearray]
    content_type: bytes


class Administration(Endpoint):
    """An endpoint of files or batches. Its calls are counted, and faults befall them; it keeps the
    requests of different keys apart."""

    name: ClassVar[str]
    """As the call log shows it."""
    max_bytes: ClassVar[int] = 1_048_576
    """Of the body."""

    def model_of(self, named: str) -> str:
        """The model that the call is about, where the path tells: faults may go by it."""
        return ""

    @abstractmethod
    async def serve(self, request: Request) -> Any:
        """The JSON value to answer with, or a Document. Raises Refused."""


class Generation(Endpoint):
    """An endpoint that has the model answer. Its calls are counted, and faults befall them."""

    name: ClassVar[str]
    """As the call log shows it."""

    @abstractmethod
    def read(self, incoming: Incoming) -> Ask:
        """Check the request as the provider does. Raises Refused."""

    def too_long(self, ask: Ask, tokens: int) -> Refused | None:
        """How this endpoint refuses so many tokens of input, where it has words of its own."""
        return None

    @abstractmethod
    def whole(
        self, ask: Ask, answers: list[Answer], billed: Billed | None, request_id: str
    ) -> bytes:
        """The reply without streaming. `billed` None: leave the usage out."""

    @abstractmethod
    def events(
        self,
        ask: Ask,
        answers: list[Answer],
        billed: Billed | None,
        request_id: str,
        event_tokens: int,
    ) -> list[bytes]:
        """The stream's events, framed, in order; `event_tokens` pieces of text to an event."""

    @abstractmethod
    def content_type(self, ask: Ask) -> bytes:
        """Of the stream."""

    def stream_error(self, ask: Ask, refused: Refused, at: int) -> bytes | None:
        """The event that ends this endpoint's stream with an error after `at` events, or None
        where it is its provider's usual one."""
        return None

    def broken_event(self, ask: Ask) -> bytes:
        """An event that is no JSON."""
        return b'data: {"broken": tru\n\n'


class Provider(ABC):
    """What a provider's endpoints have in common: keys, errors, headers."""

    name: ClassVar[str]
    request_id_header: ClassVar[bytes]
    explicit_cache: ClassVar[bool] = False
    endpoints: tuple[Generation | Plain | Administration, ...]

    def attach(self, world: World) -> None:
        """Told once of the world that it is in: for endpoints that last longer than a call."""
        return

    def find(
        self, method: str, path: str
    ) -> tuple[Generation | Plain | Administration, str] | None:
        """The endpoint of a path, and the model or id named in the path or ""."""
        for endpoint in self.endpoints:
            if endpoint.method == method and (match := endpoint.pattern.fullmatch(path)):
                named = match.groupdict()
                return endpoint, named.get("model") or named.get("id") or ""
        return None

    @abstractmethod
    def request_id(self, number: int) -> str: ...

    @abstractmethod
    def authenticate(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str:
        """The key. Raises Refused."""

    @abstractmethod
    def error(self, refused: Refused, request_id: str) -> bytes:
        """The body of an error reply."""

    @abstractmethod
    def stream_error(self, refused: Refused, request_id: str) -> bytes:
        """The event that ends a stream with an error."""

    @abstractmethod
    def no_such_path(self, method: str, path: str) -> Refused: ...

    @abstractmethod
    def bad_json(self) -> Refused: ...

    @abstractmethod
    def bad_request(self, message: str) -> Refused: ...

    @abstractmethod
    def from_status(self, status: int, message: str | None) -> Refused:
        """The provider's own error of a status."""

    @abstractmethod
    def too_many(self, standing: Standing, model: str) -> Refused:
        """The provider's 429."""

    @abstractmethod
    def check_context(self, ask: Ask, tokens: int) -> None:
        """Raises Refused where `tokens` of input, or they and the output, are too many."""

    def blocked(self) -> Refused | None:
        """How the provider refuses a prompt that it filters, or None if by a reply."""
        return None

    def forget(self) -> None:
        """Drop what is remembered between calls."""
        return

    def limit_headers(self, standing: Standing) -> Headers:
        """How the key stands, where the provider tells."""
        return []

    def failure(self, fault: Fault) -> Refused:
        """The error that a fault asks for."""
        refused = self.from_status(fault.status or 500, fault.message)
        refused.retry_after = fault.retry_after
        return refused


def grouped(pieces: tuple[str, ...], size: int) -> list[str]:
    """The pieces of a text, `size` to an event."""
    if size <= 1:
        return list(pieces)
    return ["".join(pieces[at : at + size]) for at in range(0, len(pieces), size)]


def header(name: bytes, value: object) -> tuple[bytes, bytes]:
    return name, str(value).encode()
