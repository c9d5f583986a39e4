"""instructor over the OpenAI and the Anthropic SDK, by base URL alone."""

from __future__ import annotations

from typing import Any

import pytest

instructor = pytest.importorskip("instructor", reason="instructor is not installed")

import anthropic  # noqa: E402
import openai  # noqa: E402
from pydantic import BaseModel  # noqa: E402


class Verdict(BaseModel):
    """A judgement."""

    label: str
    score: int


@pytest.fixture(params=["openai tools", "openai schema", "anthropic tools"])
def client(request: pytest.FixtureRequest, url: str) -> Any:
    if request.param == "anthropic tools":
        return instructor.from_anthropic(anthropic.Anthropic(base_url=url, api_key="x"))
    modes = {"openai tools": instructor.Mode.TOOLS, "openai schema": instructor.Mode.JSON_SCHEMA}
    sdk = openai.OpenAI(base_url=f"{url}/v1", api_key="x")
    return instructor.from_openai(sdk, mode=modes[request.param])


def ask(client: Any, model: str, create: Any, **more: Any) -> Any:
    messages = [{"role": "user", "content": "Judge this."}]
    return create(model=model, max_tokens=1000, messages=messages, max_retries=0, **more)


def test_structured_output(client: Any, model: str, answered: Any) -> None:
    found, raw = ask(
        client,
        model,
        client.chat.completions.create_with_completion,
        response_model=Verdict,
    )
    assert isinstance(found, Verdict)
    (row,) = answered()
    usage = raw.usage
    counted = getattr(usage, "completion_tokens", None) or usage.output_tokens
    assert counted == row["output_tokens"]


def test_structured_output_in_a_stream(client: Any, model: str, answered: Any) -> None:
    *_, last = ask(client, model, client.chat.completions.create_partial, response_model=Verdict)
    assert isinstance(last.label, str) and isinstance(last.score, int)
    answered()
