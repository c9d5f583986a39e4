"""What a failed attempt means for the rest of the chain: one table, from kind of error to step."""

from __future__ import annotations

from enum import StrEnum

from hybridllm.catalog.structs import Model
from hybridllm.errors import ErrorKind, ProviderError


class Step(StrEnum):
    """What to do after a failed attempt."""

    HAND_BACK = "hand_back"
    """The request itself is at fault: another model would say the same."""
    RETRY = "retry"
    """The same model again after a wait, as the retry budget allows; then the next model."""
    OTHER_KEY = "other_key"
    """This key is at fault or spent: another key of the provider at once, else as RETRY."""
    NEXT_MODEL = "next_model"
    LARGER_CONTEXT = "larger_context"
    """Only models of the chain with a larger context window are still worth trying."""


_STEPS: dict[ErrorKind, Step] = {
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
}

UNHEALTHY = frozenset(
    {
        ErrorKind.OVERLOADED,
        ErrorKind.SERVER_ERROR,
        ErrorKind.CONNECTION,
        ErrorKind.UNAVAILABLE,
        ErrorKind.TIMEOUT,
        ErrorKind.MALFORMED_REPLY,
    }
)
"""Kinds that count against a model's breaker. A rate limit or a bad key is the key's affair, a bad
request the caller's: neither says that the model is unwell."""

KEY_COOLDOWN_SECONDS: dict[ErrorKind, float] = {
    ErrorKind.AUTHENTICATION: 60.0,
    ErrorKind.PERMISSION: 60.0,
    ErrorKind.BILLING: 60.0,
    ErrorKind.QUOTA_EXHAUSTED: 60.0,
    ErrorKind.RATE_LIMITED: 1.0,
}
"""How long a key rests after each of these, where the provider names no time of its own."""


def step_after(error: ProviderError) -> Step:
    """What to do after `error`. Kinds without a row go to the next model."""
    step = _STEPS.get(error.kind, Step.NEXT_MODEL)
    if step is Step.RETRY and not error.retryable:
        return Step.NEXT_MODEL
    return step


def least_context_after(error: ProviderError, model: Model, least: int) -> int:
    """The context window that a model must exceed to be worth trying after `model` failed; it was
    `least` before. Raises `error` where no other model would cure it."""
    step = step_after(error)
    if step is Step.HAND_BACK:
        raise error
    return model.context_window if step is Step.LARGER_CONTEXT else least
