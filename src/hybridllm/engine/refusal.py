"""An error as the caller's answer, in the caller's own dialect."""

from __future__ import annotations

import math

from hybridllm.engine.call import Answer, Call, Headers
from hybridllm.engine.trip import Trip
from hybridllm.errors import HybridError, ProviderError


def refusal(error: HybridError, call: Call, request_id: str, trip: Trip | None = None) -> Answer:
    """The answer for `error`. A provider's own error body is handed on unchanged to a caller of
    its dialect."""
    status, body = call.dialect.encode_error(error, request_id)
    headers: Headers = [
        (b"content-type", b"application/json"),
        (b"x-hybridllm-request-id", request_id.encode()),
    ]
    provider_id = ""
    if isinstance(error, ProviderError):
        provider_id = error.request_id or ""
        if error.body and error.dialect == call.dialect.name:
            status, body = error.status, error.body
        if error.provider:
            headers.append((b"x-hybridllm-provider", error.provider.encode("latin-1", "replace")))
        if error.retry_after is not None:
            headers.append((b"retry-after", b"%d" % math.ceil(error.retry_after)))
    if trip is not None:
        headers.append((b"x-hybridllm-task", trip.task.name.encode("latin-1", "replace")))
        headers.append((b"x-hybridllm-attempts", b"%d" % trip.attempts))
    id_header = b"request-id" if call.dialect.name == "anthropic" else b"x-request-id"
    headers.append((id_header, (provider_id or request_id).encode("latin-1", "replace")))
    return Answer(status=status, headers=headers, body=body)
