"""One HTTP call to a provider, with exactly one entry in the ledger, however it ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct

from hybridllm.catalog.structs import Model
from hybridllm.engine.call import Answer
from hybridllm.engine.entry import Entry, Journal
from hybridllm.engine.runtime import Runtime
from hybridllm.engine.trip import Trip
from hybridllm.errors import ProviderError
from hybridllm.providers.client import Response
from hybridllm.providers.keys import Key
from hybridllm.wire.dialect import Dialect, RequestShape

MAX_ERROR_BYTES = 1_048_576


class Outgoing(Struct, frozen=True, kw_only=True):
    """What is sent: a body of this `dialect`, to which the provider's errors belong too."""

    dialect: Dialect
    body: bytes
    endpoint: str = "chat"
    shape: RequestShape = RequestShape()


Finish = Callable[[Entry, Response], Awaitable[Answer]]
"""Makes the answer of a reply whose status is good, and closes the entry or sees to it that it is
closed. Raises ProviderError."""


async def exchange(
    runtime: Runtime,
    journal: Journal,
    trip: Trip,
    model: Model,
    key: Key | None,
    outgoing: Outgoing,
    finish: Finish,
) -> Answer | ProviderError:
    """Journal the intent, send, and finish. A failure is returned, not raised; a cancelled task
    (the caller went away) raises on once it is journalled."""
    dialect = outgoing.dialect
    account = key.account if key is not None else ""
    entry = Entry(journal, runtime, trip, model, account, dialect.name)
    response: Response | None = None
    try:
        response = await runtime.upstreams[model.provider].send(
            key=key,
            model=model.name,
            shape=outgoing.shape,
            body=outgoing.body,
            headers=trip.call.headers,
            attempt_id=entry.id,
            endpoint=outgoing.endpoint,
        )
        entry.status = response.status
        entry.provider_request_id = request_id_of(response.headers)
        if response.status >= 300:
            raw = await response.read(MAX_ERROR_BYTES)
            raise dialect.decode_error(response.status, response.headers, raw)
        return await finish(entry, response)
    except ProviderError as e:
        e.provider = e.provider or model.provider
        e.dialect = dialect.name
        entry.failed(e)
        if response is not None:
            response.close()
        return e
    except BaseException:
        # The caller went away, or we are at fault: the attempt is journalled all the same.
        if response is not None:
            response.close()
        entry.cancelled()
        runtime.breakers.release(model.id)
        raise


_REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-goog-request-id", "x-amzn-requestid")


def request_id_of(headers: dict[str, str]) -> str:
    """The provider's own id of the call, "" if it sent none."""
    for name in _REQUEST_ID_HEADERS:
        if found := headers.get(name):
            return found[:200]
    return ""


def request_id_header(caller: str, request_id: str, own: str) -> tuple[bytes, bytes]:
    """The header in which the SDK of dialect `caller` looks for a request id: the provider's own
    where the caller speaks its dialect (`own` is not empty), else ours."""
    name = b"request-id" if caller == "anthropic" else b"x-request-id"
    return name, (own or request_id).encode("latin-1", "replace")
