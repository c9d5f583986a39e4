"""One hierarchy of errors: each knows its status and its remedy."""

import pytest

from hybridllm.errors import (
    RETRYABLE,
    STATUS,
    ConfigError,
    ErrorKind,
    HybridError,
    ProviderError,
    RequestError,
)


def test_every_kind_has_a_status():
    assert set(STATUS) == set(ErrorKind)
    assert all(400 <= status <= 599 for status in STATUS.values())


@pytest.mark.parametrize("kind", ErrorKind)
def test_an_error_has_the_status_of_its_kind_unless_it_says_otherwise(kind):
    for make in (HybridError, RequestError, ProviderError):
        assert make("x", kind=kind).status == STATUS[kind]
        assert make("x", kind=kind, status=418).status == 418


def test_the_tree():
    for kind in (ConfigError, RequestError, ProviderError):
        assert issubclass(kind, HybridError)


def test_the_text_is_the_message_and_what_to_do():
    assert RequestError("No such task.", remedy="Name another.").text() == (
        "No such task. Name another."
    )
    assert RequestError("No such task.").text() == "No such task."


PLACES = [
    ({}, "Wrong. Mend it."),
    ({"where": "a.toml:3"}, "a.toml:3: Wrong. Mend it."),
    ({"field": "server.port"}, "server.port: Wrong. Mend it."),
    ({"where": "a.toml:3", "field": "server.port"}, "a.toml:3, server.port: Wrong. Mend it."),
]


@pytest.mark.parametrize(("place", "text"), PLACES)
def test_a_configuration_error_says_where(place, text):
    assert str(ConfigError("Wrong.", remedy="Mend it.", **place)) == text


@pytest.mark.parametrize("kind", ErrorKind)
def test_whether_to_try_again_goes_by_the_kind_unless_the_provider_said(kind):
    assert ProviderError("x", kind=kind).retryable == (kind in RETRYABLE)
    for said in (True, False):
        assert ProviderError("x", kind=kind, retryable=said).retryable is said


def test_nothing_that_the_caller_did_wrong_is_tried_again():
    wrong = {ErrorKind.BAD_REQUEST, ErrorKind.AUTHENTICATION, ErrorKind.CONTEXT_EXCEEDED}
    assert not wrong & RETRYABLE


def test_an_exhausted_quota_is_not_tried_again_although_its_status_is_429():
    assert STATUS[ErrorKind.QUOTA_EXHAUSTED] == STATUS[ErrorKind.RATE_LIMITED] == 429
    assert not ProviderError("x", kind=ErrorKind.QUOTA_EXHAUSTED).retryable
