"""OpenAI's Responses API through its own SDK: whole, streamed, remembered."""

import json

import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel

from hybridllm.simulators import Fault, prompt_of
from tests.simulators.test_tools import BOTH, NAMES, SCHEMA, fits
from tests.simulators.wire import conforms, events

TOOLS = [{"type": "function", "name": n, "parameters": SCHEMA, "strict": True} for n in NAMES]
SEALED = ["reasoning.encrypted_content"]


class Ticket(BaseModel):
    kind: str
    urgent: bool


def post(raw, **body):
    return raw.post("openai", "/v1/responses", {"model": "gpt-5", **body})


def streamed(raw, **body):
    """The events, each held against the SDK's types."""
    return [
        conforms(ResponseStreamEvent, event) for event in events(post(raw, stream=True, **body))
    ]


class TestText:
    def test_a_reply(self, raw):
        response = conforms(Response, post(raw, input="Hello [[sim output_tokens=9]]").json())
        assert (response.status, response.error) == ("completed", None)
        assert response.output[0].content[0].text == response.output_text
        usage = response.usage
        assert usage.output_tokens == 9
        assert usage.total_tokens == usage.input_tokens + usage.output_tokens
        assert usage.output_tokens_details.reasoning_tokens == 0

    def test_exactly_as_many_tokens_as_asked_for(self, gpt):
        prompt = prompt_of(500, directive="output_tokens=50")
        for asked in (prompt, [{"role": "user", "content": prompt}]):
            usage = gpt.responses.create(model="gpt-4o-mini", input=asked).usage
            assert (usage.input_tokens, usage.output_tokens) == (500, 50)

    def test_the_events_of_a_text(self, raw):
        found = streamed(raw, input="Hello [[sim output_tokens=20]]")
        kinds = [event.type.removeprefix("response.") for event in found]
        assert [kind for kind in kinds if kind != "output_text.delta"] == [
            "created", "in_progress", "output_item.added", "content_part.added",
            "output_text.done", "content_part.done", "output_item.done", "completed",
        ]  # fmt: skip
        assert [event.sequence_number for event in found] == list(range(len(found)))
        text = "".join(event.delta for event in found if event.type == "response.output_text.delta")
        assert text == found[-1].response.output_text
        assert found[0].response.usage is None and found[-1].response.usage.output_tokens == 20

    def test_the_sdks_stream_puts_it_together(self, gpt):
        prompt = "Hello [[sim output_tokens=20]]"
        with gpt.responses.stream(model="gpt-5", input=prompt) as stream:
            for _ in stream:
                pass
            streamed = stream.get_final_response()
        whole = gpt.responses.create(model="gpt-5", input=prompt)
        assert streamed.output_text == whole.output_text

    def test_instructions_are_part_of_the_prompt(self, gpt):
        plain = gpt.responses.create(model="gpt-5", input="Hello").usage.input_tokens
        more = gpt.responses.create(
            model="gpt-5", input="Hello", instructions=prompt_of(20)
        ).usage.input_tokens
        assert more == plain + 20

    @pytest.mark.parametrize(
        ("directive", "more", "reason"),
        [
            ("output_tokens=100", {"max_output_tokens": 20}, "max_output_tokens"),
            ("output_tokens=9 finish=content_filter", {}, "content_filter"),
        ],
    )
    def test_an_incomplete_reply_says_why(self, raw, directive, more, reason):
        asked = {"input": f"Hello [[sim {directive}]]", **more}
        response = conforms(Response, post(raw, **asked).json())
        assert response.status == response.output[0].status == "incomplete"
        assert response.incomplete_details.reason == reason
        assert streamed(raw, **asked)[-1].type == "response.incomplete"

    def test_a_refusal_is_a_part_of_its_own(self, raw):
        asked = {"input": "Do it [[sim refuse]]"}
        part = conforms(Response, post(raw, **asked).json()).output[0].content[0]
        assert part.type == "refusal" and part.refusal.startswith("I'm sorry")
        kinds = {event.type for event in streamed(raw, **asked)}
        assert {"response.refusal.delta", "response.refusal.done"} <= kinds

    def test_images_are_counted_as_in_chat(self, gpt):
        part = {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "low"}
        response = gpt.responses.create(model="gpt-4o", input=[{"role": "user", "content": [part]}])
        assert response.usage.input_tokens == 85

    def test_a_repeated_prompt_is_read_from_the_cache(self, gpt):
        long = prompt_of(3000, seed=11)
        cached = [
            gpt.responses.create(
                model="gpt-4o", input=long
            ).usage.input_tokens_details.cached_tokens
            for _ in range(2)
        ]
        assert cached == [0, 2944]


class TestCalls:
    def test_parallel_calls(self, raw):
        response = conforms(Response, post(raw, input=BOTH, tools=TOOLS).json())
        assert [item.type for item in response.output] == ["function_call"] * 2
        assert [item.name for item in response.output] == list(NAMES)
        assert all(fits(json.loads(item.arguments)) for item in response.output)
        assert len({item.call_id for item in response.output}) == 2

    def test_streamed_arguments_piece_together(self, raw, gpt):
        found = streamed(raw, input=BOTH, tools=TOOLS)
        for index, item in enumerate(found[-1].response.output):
            deltas = [
                event.delta
                for event in found
                if event.type == "response.function_call_arguments.delta"
                and event.output_index == index
            ]
            assert len(deltas) > 1 and "".join(deltas) == item.arguments
        with gpt.responses.stream(model="gpt-5", input=BOTH, tools=TOOLS) as stream:
            for _ in stream:
                pass
            assert [item.name for item in stream.get_final_response().output] == list(NAMES)

    @pytest.mark.parametrize(
        ("choice", "called"),
        [
            ("auto", []),
            ("none", []),
            ("required", ["get_weather"]),
            ({"type": "function", "name": "get_time"}, ["get_time"]),
            (
                {
                    "type": "allowed_tools",
                    "mode": "required",
                    "tools": [{"type": "function", "name": "get_time"}],
                },
                ["get_time"],
            ),
        ],
    )
    def test_tool_choice_is_obeyed(self, gpt, choice, called):
        response = gpt.responses.create(
            model="gpt-5", input="Hello", tools=TOOLS, tool_choice=choice
        )
        assert [i.name for i in response.output if i.type == "function_call"] == called

    @pytest.mark.parametrize("remembered", [True, False])
    def test_outputs_are_answered_in_text(self, gpt, remembered):
        first = gpt.responses.create(model="gpt-5", input=BOTH, tools=TOOLS, store=remembered)
        outputs = [
            {"type": "function_call_output", "call_id": item.call_id, "output": "fine"}
            for item in first.output
        ]
        if remembered:
            asked = {"input": outputs, "previous_response_id": first.id}
        else:
            said = [item.model_dump(exclude_none=True) for item in first.output]
            asked = {"input": [{"role": "user", "content": BOTH}, *said, *outputs]}
        second = gpt.responses.create(model="gpt-5", tools=TOOLS, **asked)
        assert second.output_text and second.usage.input_tokens > first.usage.input_tokens

    def test_outputs_must_match_their_calls(self, gpt):
        output = {"type": "function_call_output", "call_id": "call_x", "output": "fine"}
        with pytest.raises(openai.BadRequestError, match="No tool call found for function call"):
            gpt.responses.create(model="gpt-5", input=[output])
        call = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}
        with pytest.raises(openai.BadRequestError, match="No tool output found for function call"):
            gpt.responses.create(model="gpt-5", input=[call])


class TestStructured:
    def test_parse_into_a_pydantic_model(self, gpt):
        parsed = gpt.responses.parse(model="gpt-5", input="Which?", text_format=Ticket)
        assert isinstance(parsed.output_parsed, Ticket)

    def test_a_stream_parses_too(self, gpt):
        with gpt.responses.stream(model="gpt-5", input="Which?", text_format=Ticket) as stream:
            for _ in stream:
                pass
            assert isinstance(stream.get_final_response().output_parsed, Ticket)

    def test_json_mode_wants_the_word(self, gpt):
        mode = {"format": {"type": "json_object"}}
        made = gpt.responses.create(model="gpt-5", input="As JSON, please.", text=mode)
        assert isinstance(json.loads(made.output_text), dict)
        with pytest.raises(openai.BadRequestError, match="the word 'json'"):
            gpt.responses.create(model="gpt-5", input="Hello", text=mode)

    def test_an_open_strict_schema_is_refused(self, gpt):
        schema = {"type": "object", "properties": {"a": {"type": "string"}}}
        wanted = {"type": "json_schema", "name": "t", "schema": schema, "strict": True}
        with pytest.raises(openai.BadRequestError, match="additionalProperties") as refused:
            gpt.responses.create(model="gpt-5", input="Hello", text={"format": wanted})
        assert refused.value.param == "text.format.schema"


class TestReasoning:
    ASK = "Think [[sim reasoning_tokens=20 output_tokens=10]]"

    def test_a_reasoning_item_comes_first_and_is_billed(self, raw):
        response = conforms(
            Response, post(raw, input=self.ASK, reasoning={"effort": "high"}).json()
        )
        assert [item.type for item in response.output] == ["reasoning", "message"]
        assert response.output[0].summary == []
        assert response.output[0].encrypted_content is None
        assert response.usage.output_tokens == 30
        assert response.usage.output_tokens_details.reasoning_tokens == 20

    def test_a_summary_is_streamed_in_parts(self, raw):
        found = streamed(raw, input=self.ASK, reasoning={"effort": "low", "summary": "auto"})
        kinds = [event.type for event in found if "reasoning_summary" in event.type]
        assert kinds[0] == "response.reasoning_summary_part.added"
        assert kinds[-2:] == [
            "response.reasoning_summary_text.done",
            "response.reasoning_summary_part.done",
        ]
        text = "".join(
            event.delta for event in found if event.type == "response.reasoning_summary_text.delta"
        )
        assert text and text == found[-1].response.output[0].summary[0].text

    def sealed(self, gpt):
        made = gpt.responses.create(model="gpt-5", input=self.ASK, store=False, include=SEALED)
        return [item.model_dump(exclude_none=True) for item in made.output]

    def go_on(self, gpt, output):
        first, last = ({"role": "user", "content": text} for text in (self.ASK, "And?"))
        return gpt.responses.create(model="gpt-5", input=[first, *output, last])

    def test_sealed_reasoning_that_comes_back_as_it_went_is_taken(self, gpt):
        assert self.go_on(gpt, self.sealed(gpt)).output_text

    def test_a_tampered_seal_is_refused(self, gpt):
        output = self.sealed(gpt)
        output[0]["encrypted_content"] = "bm90IGEgc2VhbA=="
        with pytest.raises(openai.BadRequestError, match="could not be verified") as refused:
            self.go_on(gpt, output)
        assert refused.value.code == "invalid_encrypted_content"

    def test_reasoning_without_a_seal_must_be_stored(self, gpt):
        output = self.sealed(gpt)
        del output[0]["encrypted_content"]
        with pytest.raises(openai.NotFoundError, match="Items are not persisted when `store`"):
            self.go_on(gpt, output)

    def test_a_model_that_does_not_reason_takes_no_effort(self, gpt):
        with pytest.raises(openai.BadRequestError) as refused:
            gpt.responses.create(model="gpt-4o", input="Hi", reasoning={"effort": "low"})
        assert refused.value.param == "reasoning.effort"


class TestMemory:
    def test_a_reply_can_be_had_again_and_deleted(self, gpt):
        made = gpt.responses.create(model="gpt-5", input="Hello")
        assert gpt.responses.retrieve(made.id).output_text == made.output_text
        gpt.responses.delete(made.id)
        for use in (gpt.responses.retrieve, gpt.responses.delete):
            with pytest.raises(openai.NotFoundError, match="not found"):
                use(made.id)

    def test_a_streamed_reply_is_remembered_too(self, raw, gpt):
        made = streamed(raw, input="Hello")[-1].response
        assert gpt.responses.retrieve(made.id).output_text == made.output_text

    def test_what_is_not_to_be_stored_is_not(self, gpt):
        made = gpt.responses.create(model="gpt-5", input="Hello", store=False)
        with pytest.raises(openai.NotFoundError):
            gpt.responses.retrieve(made.id)
        with pytest.raises(openai.BadRequestError) as refused:
            gpt.responses.create(model="gpt-5", input="And?", previous_response_id=made.id)
        assert refused.value.code == "previous_response_not_found"

    def test_a_conversation_goes_on_and_is_billed_whole(self, gpt):
        first = gpt.responses.create(model="gpt-5", input=prompt_of(100))
        second = gpt.responses.create(
            model="gpt-5", input=prompt_of(50, seed=2), previous_response_id=first.id
        )
        assert second.previous_response_id == first.id
        assert second.usage.input_tokens == 100 + first.usage.output_tokens + 50

    def test_an_item_may_be_referred_to(self, gpt):
        first = gpt.responses.create(model="gpt-5", input="Hello")
        refer = {"type": "item_reference", "id": first.output[0].id}
        again = gpt.responses.create(
            model="gpt-5", input=[refer, {"role": "user", "content": "And?"}]
        )
        assert again.output_text

    def test_a_reset_forgets(self, sims, gpt):
        made = gpt.responses.create(model="gpt-5", input="Hello")
        sims.reset()
        with pytest.raises(openai.NotFoundError):
            gpt.responses.retrieve(made.id)

    def test_a_count_is_what_the_call_would_be_billed(self, gpt):
        asked = {"model": "gpt-5", "input": "How many?", "tools": TOOLS}
        counted = gpt.responses.input_tokens.count(**asked).input_tokens
        assert counted == gpt.responses.create(**asked).usage.input_tokens


WRONG = [
    ({"input": None}, "input", "missing_required_parameter"),
    ({"input": 5}, "input", "invalid_type"),
    ({"input": ["a"]}, "input[0]", "invalid_type"),
    ({"input": [{"content": "a"}]}, "input[0].role", "missing_required_parameter"),
    ({"input": [{"role": "robot", "content": "a"}]}, "input[0].role", "invalid_value"),
    ({"input": [{"role": "user"}]}, "input[0].content", "missing_required_parameter"),
    (
        {"input": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]},
        "input[0].content[0].type",
        "invalid_value",
    ),
    ({"colour": "red"}, "colour", "unknown_parameter"),
    ({"max_output_tokens": 5}, "max_output_tokens", "integer_below_min_value"),
    ({"store": "yes"}, "store", "invalid_type"),
    ({"temperature": 0}, "temperature", "unsupported_value"),
    ({"tool_choice": "required"}, "tool_choice", None),
    ({"tools": [{"type": "function"}]}, "tools[0].name", "missing_required_parameter"),
    ({"text": {"format": {"type": "xml"}}}, "text.format.type", "invalid_value"),
    ({"reasoning": {"effort": "huge"}}, "reasoning.effort", "invalid_value"),
    ({"reasoning": {"summary": "long"}}, "reasoning.summary", "invalid_value"),
    ({"previous_response_id": "x"}, "previous_response_id", "previous_response_not_found"),
]


@pytest.mark.parametrize(("change", "param", "code"), WRONG)
def test_wrong_requests_name_the_parameter(raw, change, param, code):
    reply = post(raw, **{"input": "Hello", **change})
    error = reply.json()["error"]
    assert (reply.status, error["type"]) == (400, "invalid_request_error")
    assert (error["param"], error["code"]) == (param, code)


def test_too_long_an_input_is_refused_in_its_own_words(gpt):
    with pytest.raises(openai.BadRequestError, match="exceeds the context window") as refused:
        gpt.responses.create(model="gpt-4", input=prompt_of(8200))
    assert (refused.value.code, refused.value.param) == ("context_length_exceeded", "input")


class TestFaults:
    def test_an_error_in_the_stream_is_an_event_that_the_sdk_yields(self, sims, gpt):
        sims.faults(Fault(kind="stream_error", status=503, after_events=3, message="Full."))
        *_, last = gpt.responses.create(model="gpt-5", input="Hello", stream=True)
        assert (last.type, last.message, last.code) == ("error", "Full.", "server_is_overloaded")
        assert last.sequence_number == 3
        assert sims.calls()[0].outcome == "error"

    def test_a_missing_usage_is_null(self, sims, raw):
        sims.faults(Fault(kind="usage"))
        assert conforms(Response, post(raw, input="Hello").json()).usage is None

    def test_an_event_that_is_no_json(self, sims, raw):
        sims.faults(Fault(kind="malformed", after_events=4))
        with pytest.raises(json.JSONDecodeError):
            streamed(raw, input="Hello")

    def test_the_call_is_counted(self, sims, gpt):
        gpt.responses.create(model="gpt-5", input="Hello [[sim output_tokens=9]]")
        (call,) = sims.calls("openai")
        assert (call.endpoint, call.model, call.billed.output_tokens) == ("responses", "gpt-5", 9)
