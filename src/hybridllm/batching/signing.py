"""Who may be told by webhook, and how what they are told is signed: the Standard Webhooks scheme
(https://www.standardwebhooks.com), headers `webhook-id`, `webhook-timestamp`, `webhook-signature`.
"""

from __future__ import annotations

import binascii
import hmac
import ipaddress
from base64 import b64decode, b64encode
from collections.abc import Sequence
from urllib.parse import urlsplit

from hybridllm.errors import RequestError

_PORTS = {"https": 443, "http": 80}


def signed(secret: bytes, id: str, timestamp: int, body: bytes) -> list[tuple[bytes, bytes]]:
    """The three headers of message `id` sent at `timestamp` (Unix seconds)."""
    text = b"%b.%d.%b" % (id.encode(), timestamp, body)
    mac = hmac.digest(secret, text, "sha256")
    return [
        (b"webhook-id", id.encode()),
        (b"webhook-timestamp", b"%d" % timestamp),
        (b"webhook-signature", b"v1," + b64encode(mac)),
    ]


def secret_of(text: str | None) -> bytes | None:
    """The bytes of a secret written `whsec_<base64>`; None for none, or for one that is too short
    to protect anything (under 24 bytes) or is no base64."""
    try:
        secret = b64decode((text or "").removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return None
    return secret if len(secret) >= 24 else None


def check_url(url: str, hosts: Sequence[str]) -> None:
    """Raises RequestError unless `hosts` allow `url`. An entry is `host` (on the scheme's usual
    port), `host:port`, or `*.domain` for what is below a domain. Plain HTTP is for loopback."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _refused("It is no URL.") from None
    if parts.scheme not in _PORTS or not host or not host.isascii() or not url.isprintable():
        raise _refused("It is no https URL.")
    if parts.username is not None or parts.fragment or " " in url:
        raise _refused("It has a password, a fragment or a space in it.")
    if parts.scheme == "http" and not _is_loopback(host):
        raise _refused("Only loopback may be told over plain HTTP.")
    at = host if port in (None, _PORTS[parts.scheme]) else f"{host}:{port}"
    if not any(_matches(at, entry.lower()) for entry in hosts):
        raise _refused("Its host is not among batch.webhook_hosts.")


def _matches(at: str, entry: str) -> bool:
    if entry.startswith("*."):
        return at.endswith(entry[1:]) and len(at) > len(entry) - 1
    return at == entry


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refused(why: str) -> RequestError:
    return RequestError(
        f"That webhook cannot be called. {why}",
        field="x-hybridllm-webhook",
        remedy="Send an https URL of a host that batch.webhook_hosts in hybridllm.toml names.",
    )
