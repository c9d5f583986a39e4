"""Every kind of error has its step: retried only where that is safe and useful."""

from __future__ import annotations

import pytest

from hybridllm.engine.judge import KEY_COOLDOWN_SECONDS, UNHEALTHY, Step, step_after
from hybridllm.errors import ErrorKind, ProviderError

EXPECTED = {
    ErrorKind.BAD_REQUEST: Step.HAND_BACK,
    ErrorKind.UNSUPPORTED: Step.HAND_BACK,
    ErrorKind.TOO_LARGE: Step.HAND_BACK,
    ErrorKind.CONTENT_FILTER: Step.HAND_BACK,
    ErrorKind.AUTHENTICATION: Step.OTHER_KEY,
    ErrorKind.PERMISSION: Step.OTHER_KEY,
    ErrorKind.BILLING: Step.OTHER_KEY,
    ErrorKind.QUOTA_EXHAUSTED: Step.OTHER_KEY,
    ErrorKind.RATE_LIMITED: Step.OTHER_KEY,
    ErrorKind.NOT_FOUND: Step.NEXT_MODEL,
    ErrorKind.MALFORMED_REPLY: Step.NEXT_MODEL,
    ErrorKind.TIMEOUT: Step.NEXT_MODEL,
    ErrorKind.CONTEXT_EXCEEDED: Step.LARGER_CONTEXT,
    ErrorKind.OVERLOADED: Step.RETRY,
    ErrorKind.SERVER_ERROR: Step.RETRY,
    ErrorKind.CONNECTION: Step.RETRY,
    ErrorKind.UNAVAILABLE: Step.RETRY,
    ErrorKind.CANCELLED: Step.NEXT_MODEL,
    ErrorKind.INTERNAL: Step.NEXT_MODEL,
}


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_the_step_after_each_kind(kind: ErrorKind) -> None:
    assert step_after(ProviderError("x", kind=kind)) is EXPECTED[kind]


def test_what_the_provider_says_must_not_be_retried_goes_to_the_next_model() -> None:
    spent = ProviderError("x", kind=ErrorKind.OVERLOADED, retryable=False)
    assert step_after(spent) is Step.NEXT_MODEL


def test_a_keys_trouble_never_counts_against_the_model() -> None:
    assert not UNHEALTHY & KEY_COOLDOWN_SECONDS.keys()
