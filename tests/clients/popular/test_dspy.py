"""dspy, whose LM speaks OpenAI's chat through its own client, by `api_base` alone."""

from __future__ import annotations

from typing import Any

import pytest

dspy = pytest.importorskip("dspy", reason="dspy is not installed")

FIELDS = "[[ ## answer ## ]]\\n42\\n\\n[[ ## completed ## ]]"


@pytest.fixture
def lm(url: str, model: str) -> Any:
    # dspy asks a list of names what a model can do, which knows OpenAI's without a provider's.
    name = model if model.startswith("openai/") else f"openai/{model}"
    return dspy.LM(name, api_base=f"{url}/v1", api_key="x", cache=False, num_retries=0)


def test_text(lm: Any, answered: Any) -> None:
    (reply,) = lm('Hello. [[sim say "It works."]]')
    assert (reply if isinstance(reply, str) else reply["text"]) == "It works."
    answered()


def test_a_typed_prediction(lm: Any, answered: Any) -> None:
    with dspy.context(lm=lm):
        found = dspy.Predict("question -> answer: int")(question=f'6 x 7? [[sim say "{FIELDS}"]]')
    assert found.answer == 42
    answered()


def test_structured_output_by_json(lm: Any, answered: Any) -> None:
    with dspy.context(lm=lm, adapter=dspy.JSONAdapter()):
        found = dspy.Predict("question -> answer: int, reason: str")(question="6 x 7?")
    assert isinstance(found.answer, int) and isinstance(found.reason, str)
    answered()


def test_a_tool_call(lm: Any, answered: Any) -> None:
    def get_weather(city: str) -> str:
        """The weather in a city."""
        return f"Rain in {city}"

    function = {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    }
    (reply,) = lm("[[sim tools=get_weather]]", tools=[{"type": "function", "function": function}])
    (call,) = reply["tool_calls"]
    assert call.function.name == "get_weather"
    answered()
