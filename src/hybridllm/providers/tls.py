"""Whom we trust: TLS contexts that verify certificate and host name."""

from __future__ import annotations

import ssl
from functools import lru_cache

from hybridllm.errors import ConfigError


@lru_cache(maxsize=32)
def tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """A client context of TLS 1.2 or newer. It trusts the system's authorities (or those that the
    environment variables SSL_CERT_FILE and SSL_CERT_DIR name), and those in the PEM file `ca_file`
    besides. Raises ConfigError if that cannot be read."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as e:
            raise ConfigError(
                f"The certificates in '{ca_file}' cannot be read: {e.strerror or 'not PEM'}.",
                field="ca_file",
                remedy="Name a readable file of PEM certificates.",
            ) from None
    return context
