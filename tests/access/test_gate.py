"""The gateway's own key: asked for where it is set, required wherever others could reach us."""

from __future__ import annotations

import pytest

from hybridllm.access.gate import Gate, check_exposure
from hybridllm.errors import ConfigError, ErrorKind, RequestError


def test_without_a_secret_everyone_is_admitted() -> None:
    assert Gate(None, "HYBRIDLLM_KEY").admit(None) == "default"


def test_the_right_key_is_admitted() -> None:
    assert Gate("s3cret", "HYBRIDLLM_KEY").admit(b"s3cret") == "default"


@pytest.mark.parametrize("presented", [None, b"", b"s3cre", b"s3cret ", "schlüssel".encode()])
def test_any_other_key_is_refused_without_telling_the_secret(presented: bytes | None) -> None:
    with pytest.raises(RequestError) as caught:
        Gate("s3cret", "HYBRIDLLM_KEY").admit(presented)
    assert caught.value.kind is ErrorKind.AUTHENTICATION
    assert "s3cret" not in caught.value.text()
    assert caught.value.remedy


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_key(host: str) -> None:
    check_exposure(host, None, "HYBRIDLLM_KEY")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "gateway.internal"])
def test_beyond_loopback_a_key_is_required(host: str) -> None:
    check_exposure(host, "s3cret", "HYBRIDLLM_KEY")
    with pytest.raises(ConfigError, match="Set HYBRIDLLM_KEY") as caught:
        check_exposure(host, None, "HYBRIDLLM_KEY")
    assert caught.value.field == "server.host"
