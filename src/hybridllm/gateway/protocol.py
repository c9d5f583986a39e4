"""uvicorn's HTTP/1.1 protocol, which also tells a request at once that its caller has gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

GONE = "hybridllm.gone"
"""Key of the scope under which an application leaves what to call when the caller goes away."""


class WatchfulProtocol(HttpToolsProtocol):
    """ASGI tells of a disconnect only to an application that waits in `receive`; one that waits for
    a provider would go on spending. This calls `scope[GONE]` instead."""

    def connection_lost(self, exc: Exception | None) -> None:
        scope: dict[str, Any] | None = self.scope  # type: ignore[assignment]
        cycle = self.cycle
        super().connection_lost(exc)
        if scope is None or cycle is None or cycle.response_complete:
            return
        gone: Callable[[], Any] | None = cycle.scope.get(GONE)  # type: ignore[assignment]
        if gone is not None:
            gone()
