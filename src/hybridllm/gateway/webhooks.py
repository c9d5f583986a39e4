"""The header by which a caller asks to be told of the end."""

from __future__ import annotations

import os

from hybridllm.batching.signing import check_url, secret_of
from hybridllm.config import BatchConfig
from hybridllm.errors import RequestError
from hybridllm.gateway.request import Request

WEBHOOK = "x-hybridllm-webhook"
_URL_CHARACTERS = 2048


def wanted_webhook(request: Request, config: BatchConfig) -> str:
    """The URL to tell, "" where the caller wants none told. Raises RequestError for one that the
    configuration does not allow, or where nothing could be signed."""
    url = request.text(WEBHOOK.encode())
    if url is None:
        return ""
    if len(url) > _URL_CHARACTERS:
        raise RequestError("The webhook's URL is too long.", field=WEBHOOK)
    check_url(url, config.webhook_hosts)
    if secret_of(os.environ.get(config.webhook_secret_env)) is None:
        raise RequestError(
            "Webhooks cannot be signed: the gateway has no secret for it.",
            field=WEBHOOK,
            remedy=f"Set {config.webhook_secret_env} to whsec_ and 32 random bytes in base64.",
        )
    return url
