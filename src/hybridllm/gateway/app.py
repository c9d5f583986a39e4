"""The ASGI application: finds the endpoint, answers in its dialect, and never leaks a traceback."""

from __future__ import annotations

import asyncio
import logging

from hybridllm.engine.call import Answer, Headers
from hybridllm.errors import ErrorKind, HybridError, RequestError
from hybridllm.gateway import (
    anthropic,
    anthropic_batches,
    deferred,
    feedback,
    google,
    google_batches,
    manage,
    openai,
    openai_batches,
    openai_files,
)
from hybridllm.gateway.endpoint import Endpoint, Service
from hybridllm.gateway.protocol import GONE
from hybridllm.gateway.request import Disconnected, Receive, Request, Scope, Send
from hybridllm.wire.dialect import Dialect
from hybridllm.wire.registry import get_dialect

log = logging.getLogger("hybridllm.gateway")


class Gateway:
    """Serves HTTP requests with `service`, whose engine's runtime may be swapped at any time."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._exact: dict[tuple[str, str], Endpoint] = {
            **openai.ENDPOINTS,
            **openai_files.ENDPOINTS,
            **openai_batches.ENDPOINTS,
            **anthropic.ENDPOINTS,
            **anthropic_batches.ENDPOINTS,
            **feedback.ENDPOINTS,
            **manage.ENDPOINTS,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"This application serves HTTP alone, not {scope['type']}.")
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - an ASGI server always runs us in a task
        scope[GONE] = task.cancel
        try:
            answer = await self._answer(scope, receive)
            await _reply(answer, send)
        except Disconnected:
            return
        except asyncio.CancelledError:
            # The caller is gone (the engine has journalled that), or the server ends this task
            # because its time to drain is over: either way no one is left to answer.
            return

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        path: str = scope["path"]
        try:
            endpoint = self._exact.get((scope["method"], path))
            if endpoint is None:
                endpoint = self._by_pattern(scope["method"], path)
            return await endpoint(self.service, Request(scope, receive))
        except HybridError as e:
            return _error(e, dialect_of(scope))
        except (Disconnected, asyncio.CancelledError):
            raise
        except Exception:
            log.exception("A request to %s failed in a way that was not foreseen.", path)
            unforeseen = HybridError("The gateway failed in a way that was not foreseen.")
            return _error(unforeseen, dialect_of(scope))

    def _by_pattern(self, method: str, path: str) -> Endpoint:
        """The endpoint of a path that no table holds. Raises RequestError(NOT_FOUND)."""
        for endpoint_of in _PATTERNS:
            found = endpoint_of(method, path)
            if found is not None:
                return found
        raise self._no_endpoint(method, path)

    def _no_endpoint(self, method: str, path: str) -> RequestError:
        allowed = sorted(m for m, p in self._exact if p == path)
        if allowed:
            return RequestError(
                f"{path} does not take {method}.",
                kind=ErrorKind.NOT_FOUND,
                status=405,
                remedy=f"Use {' or '.join(allowed)}.",
            )
        return RequestError(
            f"There is no {method} {path[:200]} here.",
            kind=ErrorKind.NOT_FOUND,
            remedy="See docs/providers.md for the endpoints that this gateway serves.",
        )


_PATTERNS = (
    google.endpoint_of,
    openai_batches.endpoint_of,
    google_batches.endpoint_of,
    openai_files.endpoint_of,
    anthropic_batches.endpoint_of,
    deferred.endpoint_of,
    manage.endpoint_of,
)


def dialect_of(scope: Scope) -> Dialect:
    """The dialect whose error shape the caller expects, by the path or, where several dialects ask
    for the same one, by the headers that their SDKs send."""
    path: str = scope["path"]
    if path.startswith("/v1/messages"):
        return get_dialect("anthropic")
    if google.is_google(path):
        return get_dialect("google")
    names = {name for name, _ in scope["headers"]}
    if b"anthropic-version" in names:
        return get_dialect("anthropic")
    return get_dialect("google" if b"x-goog-api-key" in names else "openai")


def _error(error: HybridError, dialect: Dialect) -> Answer:
    status, body = dialect.encode_error(error, "")
    return Answer(status=status, headers=[(b"content-type", b"application/json")], body=body)


async def _reply(answer: Answer, send: Send) -> None:
    headers: Headers = answer.headers
    stream = answer.stream
    if stream is None:
        headers.append((b"content-length", b"%d" % len(answer.body)))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})
        return
    try:
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        while piece := await stream.chunk():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        stream.close()
