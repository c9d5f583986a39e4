"""Whom a webhook may reach, and that what it says can be verified."""

from __future__ import annotations

import time
from base64 import b64encode

import pytest
from standardwebhooks import Webhook

from hybridllm.batching.signing import check_url, secret_of, signed
from hybridllm.errors import RequestError

SECRET = "whsec_" + b64encode(bytes(range(32))).decode()


def test_the_reference_library_verifies_what_is_signed():
    secret = secret_of(SECRET)
    assert secret == bytes(range(32))
    body = '{"type":"deferred.completed","of":"naïve"}'.encode()
    headers = {
        name.decode(): value.decode()
        for name, value in signed(secret, "msg_1", int(time.time()), body)
    }
    assert Webhook(SECRET).verify(body, headers)["type"] == "deferred.completed"
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(SECRET).verify(body + b" ", headers)


@pytest.mark.parametrize("text", [None, "", "whsec_", "whsec_c2hvcnQ=", "not base64!", "naïve"])
def test_a_secret_that_protects_nothing_is_none(text):
    assert secret_of(text) is None


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("https://example.com/hook?a=b", ["example.com"]),
        ("https://example.com:443/", ["example.com"]),
        ("https://EXAMPLE.com/", ["Example.com"]),
        ("https://example.com:8443/", ["example.com:8443"]),
        ("https://a.b.example.com/", ["*.example.com"]),
        ("http://127.0.0.1:8000/", ["127.0.0.1:8000"]),
        ("http://localhost:8000/", ["localhost:8000"]),
    ],
)
def test_an_allowed_host_may_be_told(url, hosts):
    check_url(url, hosts)


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("https://example.com/", []),
        ("https://example.com:8443/", ["example.com"]),
        ("https://evil.com/", ["example.com"]),
        ("https://example.com.evil.com/", ["example.com", "*.example.com"]),
        ("https://evilexample.com/", ["*.example.com"]),
        ("https://example.com/", ["*.example.com"]),
        ("https://example.com@evil.com/", ["example.com"]),
        ("https://user@example.com/", ["example.com"]),
        ("https://example.com\\@evil.com/", ["example.com"]),
        ("http://example.com/", ["example.com"]),
        ("http://169.254.169.254/latest/meta-data", ["169.254.169.254"]),
        ("ftp://example.com/", ["example.com"]),
        ("https://exämple.com/", ["exämple.com"]),
        ("https://example.com:99999/", ["example.com"]),
        ("https://example.com/\r\nx: y", ["example.com"]),
        ("https://example.com/a b", ["example.com"]),
        ("", ["example.com"]),
    ],
)
def test_no_other_is_ever_called(url, hosts):
    with pytest.raises(RequestError, match="That webhook cannot be called") as raised:
        check_url(url, hosts)
    assert raised.value.field == "x-hybridllm-webhook"
    assert "webhook_hosts" in (raised.value.remedy or "")
