"""A streamed reply on its way to the caller, metered, and settled in the ledger exactly once."""

from __future__ import annotations

from collections.abc import Callable

from hybridllm.engine.entry import Entry
from hybridllm.engine.trip import Trip
from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.providers.client import Response
from hybridllm.wire.conversation import Usage
from hybridllm.wire.dialect import Relay

Settled = Callable[[Usage | None, ProviderError | None], None]
"""Told once how the stream ended: with the usage that was priced, or with the error."""


class ReplyStream:
    """`first` are the bytes that came with the first content; `translated` says that an error
    which the provider reports in mid-stream is not among the relay's bytes yet.

    The entry is closed before the bytes in which the reply completes are handed on, so that a
    caller who has seen the end of a reply finds it in the ledger.
    """

    __slots__ = (
        "_ended",
        "_entry",
        "_first",
        "_relay",
        "_response",
        "_settled",
        "_translated",
        "_trip",
    )

    def __init__(
        self,
        trip: Trip,
        entry: Entry,
        response: Response,
        relay: Relay,
        first: bytes,
        translated: bool,
        settled: Settled,
    ) -> None:
        self._trip = trip
        self._entry = entry
        self._response = response
        self._relay = relay
        self._first = first
        self._translated = translated
        self._settled = settled
        self._ended = False
        if relay.complete or relay.error is not None:
            self._first += self._settle()

    @property
    def cost(self) -> int:
        """See `Pieces`."""
        return self._entry.cost

    @property
    def baseline(self) -> int:
        """See `Pieces`."""
        return self._entry.baseline

    async def chunk(self) -> bytes:
        """See `Pieces.chunk`. Never raises a ProviderError: a stream that breaks ends with its
        dialect's own error event."""
        if self._first:
            piece, self._first = self._first, b""
            return piece
        if self._ended:
            return b""
        relay = self._relay
        try:
            while True:
                data = await self._response.chunk()
                if not data:
                    return self._end()
                piece = relay.feed(data)
                if relay.complete or relay.error is not None:
                    piece += self._settle()
                if piece:
                    return piece
        except ProviderError as e:
            return self._broken(e)

    def close(self) -> None:
        """See `Pieces.close`."""
        self._response.close()
        if not self._entry.closed:
            self._entry.cancelled(self._relay.usage, self._relay.output_events)

    def _end(self) -> bytes:
        """The provider closed the stream."""
        self._ended = True
        tail = self._relay.end()
        if not (self._relay.complete or self._relay.error is not None):
            return tail + self._broken(
                ProviderError(
                    "The provider's stream ended before the reply was complete.",
                    kind=ErrorKind.CONNECTION,
                    provider=self._entry.model.provider,
                )
            )
        return tail + self._settle()

    def _settle(self) -> bytes:
        """The reply is complete, or the provider has reported an error within it: close the entry.
        Returns what is still to be said to the caller."""
        if self._entry.closed:
            return b""
        relay = self._relay
        if relay.error is None:
            # A stream's own bytes are mostly frame: its events are the better floor.
            bytes_seen = relay.output_events * 1000 // self._entry.model.tokens_per_kbyte
            self._settled(self._entry.answered(relay.usage, bytes_seen), None)
            return b""
        if self._translated:
            return self._broken(relay.error)
        self._entry.cut(relay.error, relay.usage, relay.output_events)
        self._settled(None, relay.error)
        return b""

    def _broken(self, error: ProviderError) -> bytes:
        """The stream broke in the middle: estimate what it cost, and say so to the caller."""
        self._ended = True
        if self._entry.closed:
            return b""
        self._entry.cut(error, self._relay.usage, self._relay.output_events)
        self._settled(None, error)
        trip = self._trip
        call = trip.call
        return call.dialect.encode_stream_error(error, trip.request_id, call.shape)
