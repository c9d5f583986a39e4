"""The gateway's own key: one secret, compared in constant time."""

from __future__ import annotations

import ipaddress
from hmac import compare_digest

from hybridllm.errors import ConfigError, ErrorKind, RequestError


class Gate:
    """Lets a caller in who shows the key; lets everyone in when there is none.

    `key_env` only names the variable in the remedy; the secret is never shown.
    """

    def __init__(self, secret: str | None, key_env: str) -> None:
        self._secret = secret.encode() if secret else None
        self._key_env = key_env

    def admit(self, presented: bytes | None) -> str:
        """The label of the caller's key. Raises RequestError(AUTHENTICATION)."""
        if self._secret is None:
            return "default"
        if presented is None:
            raise RequestError(
                "No API key was sent.",
                kind=ErrorKind.AUTHENTICATION,
                remedy="Send the gateway's key the way your SDK sends its provider's.",
            )
        if not compare_digest(presented, self._secret):
            raise RequestError(
                "The API key is not this gateway's.",
                kind=ErrorKind.AUTHENTICATION,
                remedy=f"Send the value of {self._key_env} as your SDK's API key; the providers' "
                "own keys stay with the gateway.",
            )
        return "default"


def check_exposure(host: str, secret: str | None, key_env: str) -> None:
    """Refuse to listen beyond this machine without a key. Raises ConfigError."""
    if secret or _is_loopback(host):
        return
    raise ConfigError(
        f"Listening on {host} would let anyone spend your providers' money.",
        field="server.host",
        remedy=f"Set {key_env} to a long random string (callers send it as their API key), or "
        "listen on 127.0.0.1.",
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
