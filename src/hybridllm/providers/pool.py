"""The connections to one origin: reused last in, first out, and never more than a limit."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.providers.connection import Connection

IDLE_SECONDS = 50.0
"""Shorter than the keep-alive of the usual load balancers (60 s), so that we are first to close."""

Connect = Callable[[], Awaitable[Connection]]
"""Opens a connection. Raises ProviderError(CONNECTION)."""


class Pool:
    """At most `limit` connections, opened by `connect`; callers beyond wait in order of arrival.

    Last in, first out keeps few connections busy, so that the others age and close.
    """

    def __init__(self, host: str, connect: Connect, limit: int) -> None:
        self.host = host
        self._connect = connect
        self._limit = limit
        self._taken = 0
        """Slots in use: open connections, idle ones too, and those being opened."""
        self._idle: list[Connection] = []
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()
        self._retired = False

    def __len__(self) -> int:
        return self._taken

    def idle(self) -> Connection | None:
        """A connection that is open and free now, if there is one."""
        return self._idle.pop() if self._idle else None

    async def fresh(self, seconds: float) -> Connection:
        """A new connection, within `seconds`; at the limit, the one that is free first. Raises
        ProviderError (CONNECTION, TIMEOUT)."""
        try:
            async with asyncio.timeout(seconds):
                if self._taken >= self._limit and self._idle:
                    self._idle[0].abort()
                while self._taken >= self._limit:
                    connection = await self._turn()
                    if connection is None:
                        return await self._open()
                    if not connection.closed:
                        return connection
                self._taken += 1
                return await self._open()
        except TimeoutError:
            raise ProviderError(
                f"{self.host} missed the deadline 'connect' of {seconds:g} s: no connection was "
                f"made, and none of {self._limit} became free.",
                kind=ErrorKind.TIMEOUT,
            ) from None

    def retire(self) -> None:
        """Close what is idle; what is in use is closed when its reply has ended."""
        self._retired = True
        while self._idle:
            self._idle[-1].abort()

    # -- Owner

    def release(self, connection: Connection) -> None:
        """See `Owner.release`."""
        if self._retired:
            connection.abort()
        elif not self._hand_on(connection):
            self._idle.append(connection)
            connection.rest()

    def lost(self, connection: Connection) -> None:
        """See `Owner.lost`."""
        if connection in self._idle:
            self._idle.remove(connection)
        self._free()

    # -- slots

    async def _open(self) -> Connection:
        """Fill the slot that the caller holds."""
        try:
            connection = await self._connect()
        except BaseException:
            self._free()
            raise
        connection.owner = self
        if connection.closed:
            self._free()
            raise ProviderError(
                f"{self.host} closed the connection as soon as it was made.",
                kind=ErrorKind.CONNECTION,
            )
        return connection

    async def _turn(self) -> Connection | None:
        """Wait for a free connection, or for a slot (None), which then is the caller's."""
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._give_back(waiter.result())
            else:
                self._waiters.remove(waiter)
            raise

    def _give_back(self, got: Connection | None) -> None:
        if got is None:
            self._free()
        elif not got.closed:
            self.release(got)

    def _free(self) -> None:
        """A slot is free: the next in line gets it."""
        if not self._hand_on(None):
            self._taken -= 1

    def _hand_on(self, free: Connection | None) -> bool:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(free)
                return True
        return False
