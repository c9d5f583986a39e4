"""What tells one provider's HTTP from another's: paths, how a key is sent, headers handed on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from hybridllm.wire.dialect import RequestShape

Fields = tuple[tuple[bytes, bytes], ...]


class Adapter(Protocol):
    """One provider's file implements this; `hybridllm.providers.registry` knows them all. Every
    endpoint is a POST."""

    speaks: Mapping[str, str]
    """The dialects that the provider understands, each with the endpoint at which it does."""
    forwards: frozenset[bytes]
    """Lower-case names of the caller's headers that the provider is to see."""
    defaults: Fields
    """Headers for a caller who sent none of that name."""

    def target(self, endpoint: str, model: str, shape: RequestShape) -> str | None:
        """Path and query, percent-encoded, to be put behind the base URL's own path; None if the
        provider has no such endpoint. `model` is the name on the wire."""
        ...

    def credentials(self, secret: str) -> Fields:
        """The headers that carry a key."""
        ...
