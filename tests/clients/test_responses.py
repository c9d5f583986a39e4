"""The official `openai` SDK's `responses` against each provider, through a real gateway: every
answer is asserted on content, calls, status, each event's shape, and usage as it was billed."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel

from hybridllm.simulators import Fault, Simulators
from tests.clients.cells import MODELS, THINKERS, images_sent, results_sent, said
from tests.clients.schema import conforms, datas
from tests.clients.talks import ARGUMENTS, KEY, PNG, TOOLS
from tests.clients.tape import Exchange, Tape, Wiretap
from tests.running import RunningGateway

BEYOND = {"store"}
"""OpenAI's own responses have it too, though the SDK's type does not."""
each_provider = pytest.mark.parametrize("provider", ["openai", "anthropic", "google"])
each_way = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
FUNCTIONS = [
    {
        "type": "function",
        "name": name,
        "description": tool["description"],
        "parameters": tool["schema"],
        "strict": True,
    }
    for name, tool in TOOLS.items()
]


class City(BaseModel):
    name: str
    population: int


@dataclass
class Desk:
    """The SDK before the gateway, and all that can be seen of what it does."""

    gateway: RunningGateway
    simulators: Simulators
    wiretap: Wiretap
    tape: Tape

    @property
    def options(self) -> dict[str, Any]:
        return {"base_url": f"{self.gateway.url}/v1", "api_key": KEY, "max_retries": 0}

    @property
    def client(self) -> openai.OpenAI:
        made: openai.OpenAI = self.tape.once(
            "openai", lambda: openai.OpenAI(http_client=self.tape.client(), **self.options)
        )
        return made

    def ask(self, model: str, asked: Any, *, stream: bool = False, **options: Any) -> Response:
        """One answer, checked, whole or as the stream's last event tells it."""
        if not stream:
            answer: Response = self.client.responses.create(model=model, input=asked, **options)
            return self.checked(answer)
        *_, last = self.client.responses.create(model=model, input=asked, stream=True, **options)
        assert last.type in ("response.completed", "response.incomplete")
        return self.checked(last.response)

    def checked(self, answer: Response) -> Response:
        """The last answer has the SDK's declared shape and shows what the provider billed; so does
        its one row in the ledger."""
        exchange = self.tape.last
        check_shape(exchange)
        (row,) = self.gateway.attempts(exchange.request_id)
        (call,) = [c for c in self.simulators.calls() if c.attempt == f"{exchange.request_id}-1"]
        billed = call.billed
        assert billed is not None
        for name in billed.__struct_fields__:
            assert row[name] == getattr(billed, name), name
        spoken = "responses" if call.provider == "openai" else call.provider
        assert (row["dialect_in"], row["dialect_out"]) == ("responses", spoken)
        assert (row["provider"], row["outcome"]) == (call.provider, "ok")
        assert (row["answered"], row["usage_estimated"]) == (True, False)
        assert exchange.headers["x-hybridllm-provider"] == call.provider
        usage = answer.usage
        assert usage is not None
        assert usage.input_tokens == billed.all_input
        assert usage.input_tokens_details.cached_tokens == billed.cache_read_tokens
        assert usage.output_tokens == billed.output_tokens
        assert usage.output_tokens_details.reasoning_tokens == billed.reasoning_tokens
        assert usage.total_tokens == usage.input_tokens + usage.output_tokens
        return answer

    def sent(self, provider: str) -> Any:
        """The last request that the provider was sent."""
        return self.wiretap.sent(provider)


def check_shape(exchange: Exchange) -> None:
    """Every event is what the SDK declares, and they are numbered without a gap."""
    body = bytes(exchange.body)
    assert exchange.status == 200 and exchange.path == "/v1/responses"
    if not exchange.streamed:
        conforms(Response, body, BEYOND)
        return
    events = list(datas(body))
    for number, event in enumerate(events):
        conforms(ResponseStreamEvent, event, BEYOND)
        assert json.loads(event)["sequence_number"] == number


@pytest.fixture
def desk(today: RunningGateway, simulators: Simulators, wiretap: Wiretap, tape: Tape) -> Desk:
    return Desk(today, simulators, wiretap, tape)


@each_way
@each_provider
def test_text(desk: Desk, provider: str, stream: bool) -> None:
    answer = desk.ask(
        MODELS[provider], said("Grüße, one and all."), stream=stream, instructions="Be kind."
    )
    assert answer.output_text == "Grüße, one and all."
    assert (answer.status, answer.error) == ("completed", None)
    assert [item.type for item in answer.output] == ["message"]
    assert "Be kind." in json.dumps(desk.sent(provider))


@each_provider
def test_the_streaming_helper(desk: Desk, provider: str) -> None:
    text = "One two three four five six seven eight nine ten eleven twelve."
    with desk.client.responses.stream(model=MODELS[provider], input=said(text)) as events:
        pieces = [e.delta for e in events if e.type == "response.output_text.delta"]
        answer = events.get_final_response()
    assert len(pieces) > 1 and "".join(pieces) == text
    assert desk.checked(answer).output_text == text


@each_way
@each_provider
async def test_the_async_client(desk: Desk, provider: str, stream: bool) -> None:
    http = desk.tape.async_client()
    async with openai.AsyncOpenAI(http_client=http, **desk.options) as client:
        asked: Any = {"model": MODELS[provider], "input": said("Hello there.")}
        answer: Any
        if stream:
            async with client.responses.stream(**asked) as events:
                answer = await events.get_final_response()
        else:
            answer = await client.responses.create(**asked)
    assert desk.checked(answer).output_text == "Hello there."


@each_way
@each_provider
def test_an_answer_that_was_cut(desk: Desk, provider: str, stream: bool) -> None:
    answer = desk.ask(
        MODELS[provider], "Go on. [[sim output_tokens=90]]", stream=stream, max_output_tokens=20
    )
    assert answer.status == "incomplete" and answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert answer.usage is not None and answer.usage.output_tokens == 20


def calls_of(answer: Response) -> list[Any]:
    return [item for item in answer.output if item.type == "function_call"]


def outputs_of(calls: list[Any]) -> list[dict[str, Any]]:
    return [
        {"type": "function_call_output", "call_id": call.call_id, "output": f"{call.name} is fine"}
        for call in calls
    ]


def results(provider: str, body: Any) -> list[str]:
    if provider != "openai":
        return results_sent(provider, body)
    return [i["output"] for i in body["input"] if i.get("type") == "function_call_output"]


@each_way
@each_provider
def test_parallel_calls_and_their_results(desk: Desk, provider: str, stream: bool) -> None:
    asked: list[Any] = [{"role": "user", "content": "Call. [[sim tools=get_weather,get_time]]"}]
    answer = desk.ask(MODELS[provider], asked, stream=stream, tools=FUNCTIONS)
    calls = calls_of(answer)
    assert {call.name: json.loads(call.arguments) for call in calls} == ARGUMENTS
    assert answer.status == "completed" and len({call.call_id for call in calls}) == 2
    asked += [*answer.output, *outputs_of(calls)]
    answer = desk.ask(MODELS[provider], asked, stream=stream, tools=FUNCTIONS)
    assert answer.output_text and not calls_of(answer)
    wanted = ["get_weather is fine", "get_time is fine"]
    assert results(provider, desk.sent(provider)) == wanted


@each_provider
def test_which_tools_may_be_called(desk: Desk, provider: str) -> None:
    model, call = MODELS[provider], "Call. [[sim tools=*]]"
    named: Any = {"type": "function", "name": "get_time"}
    answer = desk.ask(model, "Well?", tools=FUNCTIONS, tool_choice=named)
    assert [one.name for one in calls_of(answer)] == ["get_time"]
    answer = desk.ask(model, "Well?", tools=FUNCTIONS, tool_choice="required")
    assert len(calls_of(answer)) == 1
    assert not calls_of(desk.ask(model, call, tools=FUNCTIONS, tool_choice="none"))
    if provider != "google":  # which cannot be told to call one at a time
        answer = desk.ask(model, call, tools=FUNCTIONS, parallel_tool_calls=False)
        assert len(calls_of(answer)) == 1


@each_provider
def test_parsing_into_pydantic(desk: Desk, provider: str) -> None:
    answer: Any = desk.client.responses.parse(
        model=MODELS[provider], input="A city, please.", text_format=City
    )
    desk.checked(answer)
    assert isinstance(answer.output_parsed, City)
    with desk.client.responses.stream(
        model=MODELS[provider], input="Another.", text_format=City
    ) as events:
        final: Any = events.get_final_response()
    desk.checked(final)
    assert isinstance(final.output_parsed, City)
    assert "population" in json.dumps(desk.sent(provider))


@each_provider
def test_an_image(desk: Desk, provider: str) -> None:
    picture = base64.b64encode(PNG).decode()
    content = [
        {"type": "input_text", "text": said("A dot.")},
        {
            "type": "input_image",
            "image_url": f"data:image/png;base64,{picture}",
            "detail": "auto",
        },
    ]
    answer = desk.ask(MODELS[provider], [{"role": "user", "content": content}])
    assert answer.output_text == "A dot."
    body = desk.sent(provider)
    if provider == "openai":
        assert body["input"][0]["content"] == content
    else:
        assert images_sent(provider, body) == [picture]


@each_way
@each_provider
def test_a_refusal(desk: Desk, provider: str, stream: bool) -> None:
    """OpenAI writes it as a part of its own; where another's reply merely says that it was
    refused, it is incomplete, filtered."""
    answer = desk.ask(MODELS[provider], "[[sim refuse]]", stream=stream)
    if provider == "openai":
        (item,) = answer.output
        assert item.type == "message" and [part.type for part in item.content] == ["refusal"]
        assert answer.status == "completed"
    else:
        assert answer.status == "incomplete" and answer.incomplete_details is not None
        assert answer.incomplete_details.reason == "content_filter"


THINK: dict[str, Any] = {
    "reasoning": {"effort": "low", "summary": "auto"},
    "include": ["reasoning.encrypted_content"],
    "store": False,
}


@each_way
@each_provider
def test_reasoning_goes_back_to_who_thought_it(desk: Desk, provider: str, stream: bool) -> None:
    """A turn of thought and calls, as agents send it back: all items, as they came. The simulated
    providers check every signature."""
    model = THINKERS[provider]
    asked: list[Any] = [
        {"role": "user", "content": "Think. [[sim reasoning_tokens=30 tools=get_weather,get_time]]"}
    ]
    answer = desk.ask(model, asked, stream=stream, tools=FUNCTIONS, **THINK)
    thought = next(item for item in answer.output if item.type == "reasoning")
    assert thought.encrypted_content
    assert "".join(part.text for part in thought.summary)
    assert answer.usage is not None
    assert answer.usage.output_tokens_details.reasoning_tokens == 30
    calls = calls_of(answer)
    assert {call.name: json.loads(call.arguments) for call in calls} == ARGUMENTS
    sent_back = [item.model_dump(exclude_none=True) for item in answer.output]
    asked += [*sent_back, *outputs_of(calls)]
    desk.ask(model, asked, stream=stream, tools=FUNCTIONS, **THINK)
    body = json.dumps(desk.sent(provider))
    assert "hllm1" not in body, "what we wrapped is unwrapped again"
    if provider == "openai":
        assert thought.encrypted_content in body
    elif provider == "anthropic":
        assert thought.encrypted_content.removeprefix("hllm1.anthropic.") in body
    else:
        assert "thoughtSignature" in body and "skip_thought_signature_validator" not in body


ROUTES = [
    ("anthropic", "google", "openai"),
    ("google", "openai", "anthropic"),
    ("openai", "anthropic", "google"),
    ("anthropic", "openai", "anthropic"),
    ("google", "anthropic", "google"),
]


@each_way
@pytest.mark.parametrize("route", ROUTES, ids="-".join)
def test_a_conversation_moves_from_provider_to_provider(
    desk: Desk, route: tuple[str, ...], stream: bool
) -> None:
    asked: list[Any] = []
    for turn, provider in enumerate(route):
        prompt = f"Think. [[sim reasoning_tokens=20 tools=get_weather]] {turn}"
        asked.append({"role": "user", "content": prompt})
        answer = desk.ask(THINKERS[provider], asked, stream=stream, tools=FUNCTIONS, **THINK)
        calls = calls_of(answer)
        assert [call.name for call in calls] == ["get_weather"]
        asked += [item.model_dump(exclude_none=True) for item in answer.output]
        asked += outputs_of(calls)
        answer = desk.ask(THINKERS[provider], asked, stream=stream, tools=FUNCTIONS, **THINK)
        assert len(results(provider, desk.sent(provider))) == turn + 1
        assert answer.output_text
        asked += [item.model_dump(exclude_none=True) for item in answer.output]


def test_sealed_thoughts_of_anthropic_travel(desk: Desk) -> None:
    asked: list[Any] = [
        {"role": "user", "content": "Think. [[sim reasoning_tokens=20 redacted tools=get_time]]"}
    ]
    model = THINKERS["anthropic"]
    answer = desk.ask(model, asked, stream=True, tools=FUNCTIONS, **THINK)
    sealed = [i for i in answer.output if i.type == "reasoning" and not i.summary]
    assert sealed and (sealed[0].encrypted_content or "").startswith("hllm1.anthropic:sealed.")
    asked += [*answer.output, *outputs_of(calls_of(answer))]
    desk.ask(model, asked, tools=FUNCTIONS, **THINK)
    assert "redacted_thinking" in json.dumps(desk.sent("anthropic"))


# -- what the provider keeps


def test_an_earlier_response_is_continued_where_it_is_kept(desk: Desk) -> None:
    first = desk.ask(MODELS["openai"], said("I am first."))
    answer = desk.ask(MODELS["openai"], said("And I second."), previous_response_id=first.id)
    assert answer.output_text == "And I second."
    assert desk.sent("openai")["previous_response_id"] == first.id
    # Whatever is asked for by task stays with the model that has the conversation.
    third = desk.ask("auto", said("Third."), stream=True, previous_response_id=answer.id)
    assert third.model == answer.model
    assert desk.tape.last.headers["x-hybridllm-model"] == MODELS["openai"]


@each_way
@pytest.mark.parametrize("provider", ["anthropic", "google"])
def test_elsewhere_nothing_is_kept(desk: Desk, provider: str, stream: bool) -> None:
    first = desk.ask(MODELS[provider], "Hello.", stream=stream, store=True)
    for model in (MODELS[provider], MODELS["openai"], "auto"):
        with pytest.raises(openai.BadRequestError) as failed:
            desk.client.responses.create(model=model, input="More.", previous_response_id=first.id)
        error = failed.value
        assert error.code == "previous_response_not_found"
        assert error.param == "previous_response_id"
        assert MODELS[provider] in error.message and "whole input" in error.message


def test_a_response_that_is_not_known_is_asked_for_where_it_may_be(desk: Desk) -> None:
    with pytest.raises(openai.BadRequestError) as failed:
        desk.client.responses.create(
            model=MODELS["openai"], input="More.", previous_response_id="resp_0123456789"
        )
    assert failed.value.code == "previous_response_not_found"
    with pytest.raises(openai.BadRequestError) as failed:
        desk.client.responses.create(
            model=MODELS["google"], input="More.", previous_response_id="resp_0123456789"
        )
    assert failed.value.code == "previous_response_not_found"


# -- what goes wrong


@each_provider
def test_an_error_before_the_stream(desk: Desk, provider: str) -> None:
    desk.simulators.faults(Fault(kind="error", provider=provider, status=400, message="No knob."))
    try:
        for stream in (False, True):
            with pytest.raises(openai.BadRequestError, match=r"No knob\."):
                desk.client.responses.create(model=MODELS[provider], input="x", stream=stream)
    finally:
        desk.simulators.clear_faults()


@each_provider
def test_an_error_within_the_stream(desk: Desk, provider: str) -> None:
    fault = Fault(kind="stream_error", provider=provider, status=503, after_events=8)
    desk.simulators.faults(fault)
    try:
        *_, last = desk.client.responses.create(
            model=MODELS[provider], input="Go on. [[sim output_tokens=90]]", stream=True
        )
    finally:
        desk.simulators.clear_faults()
    assert last.type == "error" and last.message
    (row,) = desk.gateway.attempts(desk.tape.last.request_id)
    assert (row["outcome"], row["answered"]) == ("cut", True)


@pytest.mark.parametrize("provider", ["anthropic", "google"])
def test_what_only_openai_has_is_refused_by_name(desk: Desk, provider: str) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"background": True}, "background"),
        ({"tools": [{"type": "web_search"}]}, "web_search"),
        ({"conversation": "conv_1"}, "conversation"),
    ]
    for fields, named in cases:
        with pytest.raises(openai.BadRequestError, match=f"'{named}'") as failed:
            desk.client.responses.create(model=MODELS[provider], input="x", **fields)
        assert failed.value.param == named
