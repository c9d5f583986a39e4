"""What goes wrong is each SDK's own exception, with the provider's own words in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from google.genai import errors as google_errors

from hybridllm.simulators import Fault, Simulators
from hybridllm.simulators.answering import REFUSAL
from tests.clients.cells import PROVIDERS, SDKS, Cell
from tests.clients.schema import check_error
from tests.clients.tape import Tape, Wiretap
from tests.running import RunningGateway

GRID = [
    pytest.param(sdk, provider, id=f"{sdk}-sdk->{provider}")
    for sdk in SDKS
    for provider in PROVIDERS
]
every_pair = pytest.mark.parametrize(("sdk", "provider"), GRID)

BAD_REQUEST: dict[str, type[Exception]] = {
    "openai": openai.BadRequestError,
    "anthropic": anthropic.BadRequestError,
    "google": google_errors.ClientError,
}
RATE_LIMITED: dict[str, type[Exception]] = {
    "openai": openai.RateLimitError,
    "anthropic": anthropic.RateLimitError,
    "google": google_errors.ClientError,
}
OVERLOADED: dict[str, type[Exception]] = {
    "openai": openai.InternalServerError,
    "anthropic": anthropic.InternalServerError,
    "google": google_errors.ServerError,
}
IN_A_STREAM: dict[str, type[Exception]] = {
    "openai": openai.APIError,
    "anthropic": anthropic.APIStatusError,
    "google": google_errors.ServerError,
}
REFUSED = {
    ("openai", "openai"): "stop",
    ("openai", "anthropic"): "content_filter",
    ("openai", "google"): "content_filter",
    ("anthropic", "openai"): "end_turn",
    ("anthropic", "anthropic"): "refusal",
    ("anthropic", "google"): "refusal",
    ("google", "openai"): "STOP",
    ("google", "anthropic"): "SAFETY",
    ("google", "google"): "SAFETY",
}
"""OpenAI's refusals are plain ends, with a text that its own SDK has a field for."""


@pytest.fixture
def make(
    today: RunningGateway, simulators: Simulators, wiretap: Wiretap, tape: Tape
) -> Iterator[Any]:
    """Cells; no fault is left behind."""
    yield lambda sdk, provider: Cell(sdk, provider, today, simulators, wiretap, tape)
    simulators.clear_faults()


def failed(cell: Cell, stream: bool, expected: dict[str, type[Exception]]) -> Exception:
    """The exception of a call that fails before it is answered, and its row in the ledger."""
    with pytest.raises(expected[cell.sdk]) as caught:
        cell.ask("Hello", stream=stream)
    exchange = cell.tape.last
    check_error(cell.sdk, exchange)
    (row,) = cell.gateway.attempts(exchange.request_id)
    assert (row["outcome"], row["cost"], row["answered"]) == ("error", 0, False)
    return caught.value


@every_pair
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_bad_request(make: Any, sdk: str, provider: str, stream: bool) -> None:
    cell = make(sdk, provider)
    cell.simulators.faults(
        Fault(kind="error", provider=provider, status=400, message="No such knob")
    )
    error = failed(cell, stream, BAD_REQUEST)
    assert "No such knob" in str(error)
    assert cell.tape.last.status == 400


@every_pair
def test_a_rate_limit_says_when_to_come_back(make: Any, sdk: str, provider: str) -> None:
    cell = make(sdk, provider)
    cell.simulators.faults(Fault(kind="error", provider=provider, status=429, retry_after=3))
    failed(cell, False, RATE_LIMITED)
    assert cell.tape.last.status == 429
    assert 0 < float(cell.tape.last.headers["retry-after"]) <= 3


@every_pair
def test_an_overload(make: Any, sdk: str, provider: str) -> None:
    cell = make(sdk, provider)
    status = 529 if provider == "anthropic" else 503
    cell.simulators.faults(Fault(kind="error", provider=provider, status=status))
    failed(cell, True, OVERLOADED)
    assert cell.tape.last.status == (529 if sdk == "anthropic" else 503)


@every_pair
def test_an_error_in_mid_stream(make: Any, sdk: str, provider: str) -> None:
    """After content has reached the caller, so nothing is begun anew."""
    cell = make(sdk, provider)
    cell.simulators.faults(
        Fault(kind="stream_error", provider=provider, status=503, after_events=4)
    )
    with pytest.raises(IN_A_STREAM[sdk]):
        cell.ask("[[sim output_tokens=80]]", stream=True)
    exchange = cell.tape.last
    assert exchange.status == 200
    (row,) = cell.gateway.attempts(exchange.request_id)
    assert (row["outcome"], row["answered"], row["usage_estimated"]) == ("cut", True, True)
    assert row["output_tokens"] > 0 and row["cost"] > 0


@every_pair
def test_a_refusal_is_no_error(make: Any, sdk: str, provider: str) -> None:
    cell = make(sdk, provider)
    heard = cell.ask("[[sim refuse]]")
    assert heard.finish == REFUSED[sdk, provider]
    if provider != "google" and (sdk, provider) != ("openai", "openai"):
        assert heard.text == REFUSAL, "Google says no more than that it was for safety"


@pytest.mark.parametrize("sdk", SDKS)
def test_a_model_that_no_one_has(make: Any, sdk: str) -> None:
    cell = make(sdk, "openai")
    with pytest.raises((openai.NotFoundError, anthropic.NotFoundError, google_errors.ClientError)):
        cell.ask("Hello", model="openai/gpt-none")
    assert cell.tape.last.status == 404
    check_error(sdk, cell.tape.last)
