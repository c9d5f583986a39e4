"""One HTTP/1.1 client connection: a request out, its reply in, then the next.

Time is kept by one lazy timer a connection. It is set to the earliest moment at which any deadline
could be missed; when it fires it looks which one is next, and is set anew. So neither a request nor
a chunk costs a timer.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from hybridllm.config import Deadlines
from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.providers.response import Response

MAX_HEAD_BYTES = 131_072
"""Cap on bytes that are not body: heads, trailers, interim replies."""
MAX_BUFFERED_BYTES = 262_144
"""A body that nobody reads is taken in up to here; then the socket is left to fill."""
JOIN_BYTES = 65_536
"""Below this, copying a body behind its head is cheaper than a second buffer."""
_NO_DEADLINES = Deadlines()


class Owner(Protocol):
    """Who opened the connection, and takes it back."""

    def release(self, connection: Connection) -> None:
        """The reply is complete and another request may be sent."""
        ...

    def lost(self, connection: Connection) -> None:
        """The connection is closed, whoever closed it."""
        ...


class Connection(asyncio.Protocol):
    """`host` names the server in errors. An idle connection closes after `idle_seconds`."""

    __slots__ = (
        "_asked",
        "_deadlines",
        "_encoded",
        "_fields",
        "_framed",
        "_idle_until",
        "_keep_alive",
        "_last_byte",
        "_loop",
        "_overhead",
        "_parser",
        "_paused",
        "_response",
        "_started",
        "_surplus",
        "_timer",
        "_timer_at",
        "_transport",
        "closed",
        "host",
        "idle_seconds",
        "owner",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, host: str, idle_seconds: float) -> None:
        self.owner: Owner | None = None
        """Told of release and loss, once it has taken the connection over."""
        self.host = host
        self.idle_seconds = idle_seconds
        self.closed = False
        self._loop = loop
        self._transport: asyncio.Transport
        self._parser = HttpResponseParser(self)
        self._response: Response | None = None
        self._fields: list[tuple[bytes, bytes]] = []
        self._overhead = 0
        self._framed = False
        self._encoded = False
        self._keep_alive = False
        self._surplus = False
        self._paused = False
        self._deadlines = _NO_DEADLINES
        self._started = 0.0
        self._asked = 0.0
        self._last_byte = 0.0
        self._idle_until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    # -- a request

    def send(self, head: bytes, body: bytes, deadlines: Deadlines, started: float) -> Response:
        """Write a request; its Response fills as bytes arrive. `started` is the loop's time from
        which the total deadline counts."""
        response = self._response = Response(self, self.host)
        now = self._loop.time()
        self._deadlines = deadlines
        self._started = started
        self._asked = now
        self._overhead = 0
        if len(body) <= JOIN_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))
        self._arm(
            min(
                now + deadlines.first_byte, now + deadlines.between_bytes, started + deadlines.total
            )
        )
        return response

    def resume(self) -> None:
        """See `Source.resume`."""
        if self._paused:
            self._paused = False
            # The time that the reader took is not the server's.
            self._last_byte = self._loop.time()
            self._transport.resume_reading()

    def abort(self) -> None:
        """See `Source.abort`. What is still to be written is thrown away."""
        self._fail(ErrorKind.CONNECTION, "was closed")

    def rest(self) -> None:
        """Start the idle time."""
        self._idle_until = self._loop.time() + self.idle_seconds
        self._arm(self._idle_until)

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        _probe_when_silent(transport)

    def data_received(self, data: bytes) -> None:
        response = self._response
        if response is None:
            self._close()  # nothing was asked: this must not become the head of the next reply
            return
        response.touched = True
        self._last_byte = self._loop.time()
        self._overhead += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self._fail(ErrorKind.MALFORMED_REPLY, "switched protocols unasked")
        except HttpParserError:
            self._fail(ErrorKind.MALFORMED_REPLY, "sent what is not HTTP/1.1")
        else:
            if response.complete:
                self._finished()
            elif self._encoded:
                self._fail(ErrorKind.MALFORMED_REPLY, "compressed its reply though asked not to")
            elif self._overhead > MAX_HEAD_BYTES:
                self._fail(ErrorKind.MALFORMED_REPLY, "sent headers without end")
            elif response.buffered > MAX_BUFFERED_BYTES and not self._paused:
                self._paused = True
                self._transport.pause_reading()

    def eof_received(self) -> None:
        self._ended(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended(exc)

    # -- the parser's callbacks

    def on_message_begin(self) -> None:
        response = self._response
        if response is not None and response.complete:
            self._surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        fields, self._fields = self._fields, []
        status = self._parser.get_status_code()
        response = self._response
        if status < 200 or self._surplus or response is None:
            return
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in fields
        }
        transfer = headers.get("transfer-encoding")
        self._framed = transfer is not None or "content-length" in headers
        if (transfer is not None and transfer.lower() != "chunked") or (
            headers.get("content-encoding", "identity").lower() != "identity"
        ):
            self._encoded = True
        else:
            response.begin(status, headers)

    def on_body(self, piece: bytes) -> None:
        response = self._response
        if response is not None and not response.complete:
            self._overhead = 0
            response.add(piece)

    def on_message_complete(self) -> None:
        response = self._response
        self._fields.clear()  # trailers
        if response is not None and response.status:
            self._keep_alive = self._parser.should_keep_alive()
            response.finish()

    # -- how it ends

    def _finished(self) -> None:
        """The reply is complete: ready for the next request, or closed."""
        self._response = None
        unwritten = self._transport.get_write_buffer_size()
        if self._keep_alive and not self._surplus and not unwritten and self.owner is not None:
            self.owner.release(self)
        else:
            self._close()

    def _ended(self, exc: Exception | None) -> None:
        """The server closed the connection, which completes a body of no announced length."""
        response = self._response
        if response is not None and response.status and not self._framed and exc is None:
            self._response = None
            response.finish()
        began = response is not None and response.touched
        self._fail(
            ErrorKind.CONNECTION,
            "closed the connection in the middle of its reply"
            if began
            else "closed the connection before it replied",
        )

    def _fail(self, kind: ErrorKind, what: str) -> None:
        response, self._response = self._response, None
        if response is not None and not response.complete:
            response.fail(ProviderError(f"{self.host} {what}.", kind=kind))
        self._close()

    def _close(self) -> None:
        if self.closed:
            return
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._transport.abort()
        del self._parser  # it holds our methods: without this, a cycle
        if self.owner is not None:
            self.owner.lost(self)

    # -- deadlines

    def _arm(self, at: float) -> None:
        """See to it that the timer fires at `at` or before."""
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._look)

    def _look(self) -> None:
        """Close what is overdue, else set the timer to what is due next."""
        self._timer = None
        now = self._loop.time()
        response = self._response
        if response is None:
            if now >= self._idle_until:
                self._close()
            else:
                self._arm(self._idle_until)
            return
        limits = self._deadlines
        due, name, seconds = self._started + limits.total, "total", limits.total
        if not response.touched:
            first = self._asked + limits.first_byte
            if first < due:
                due, name, seconds = first, "first byte", limits.first_byte
        elif not self._paused and self._last_byte + limits.between_bytes < due:
            due, name, seconds = (
                self._last_byte + limits.between_bytes,
                "between bytes",
                limits.between_bytes,
            )
        if now >= due:
            self._fail(ErrorKind.TIMEOUT, f"missed the deadline '{name}' of {seconds:g} s")
        else:
            self._arm(min(due, now + limits.between_bytes))


def _probe_when_silent(transport: asyncio.BaseTransport) -> None:
    """TCP keep-alive: a long silent wait must not look dead to a NAT, nor a dead peer alive."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
