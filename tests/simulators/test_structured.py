"""Structured output: what comes back is of the schema, whole and streamed."""

import enum
import json

import anthropic
import openai
import pytest
from google.genai import errors as google_errors
from pydantic import BaseModel, Field

from hybridllm.simulators.schema import instance_of


class Kind(enum.Enum):
    BILLING = "billing"
    DELIVERY = "delivery"


class Line(BaseModel):
    item: str
    count: int


class Ticket(BaseModel):
    kind: Kind
    urgent: bool
    score: float
    lines: list[Line]
    note: str | None


OPEN = {"type": "object", "properties": {"a": {"type": "string"}}}
CLOSED = {**OPEN, "required": ["a"], "additionalProperties": False}
USER = [{"role": "user", "content": "Which kind is this ticket?"}]


class TestOpenAI:
    def test_parse_into_a_pydantic_model(self, gpt):
        parsed = gpt.chat.completions.parse(
            model="gpt-4o-mini", messages=USER, response_format=Ticket
        )
        ticket = parsed.choices[0].message.parsed
        assert isinstance(ticket, Ticket) and ticket.lines and ticket.lines[0].item

    def test_a_stream_parses_the_same(self, gpt):
        with gpt.chat.completions.stream(
            model="gpt-4o-mini", messages=USER, response_format=Ticket
        ) as stream:
            for _ in stream:
                pass
            streamed = stream.get_final_completion().choices[0].message.parsed
        whole = gpt.chat.completions.parse(
            model="gpt-4o-mini", messages=USER, response_format=Ticket
        )
        assert streamed == whole.choices[0].message.parsed

    def test_json_mode_wants_the_word_and_gives_an_object(self, gpt):
        mode = {"type": "json_object"}
        asked = [{"role": "user", "content": "Answer as JSON."}]
        reply = gpt.chat.completions.create(
            model="gpt-4o-mini", messages=asked, response_format=mode
        )
        assert isinstance(json.loads(reply.choices[0].message.content), dict)
        with pytest.raises(openai.BadRequestError, match="must contain the word 'json'"):
            gpt.chat.completions.create(model="gpt-4o-mini", messages=USER, response_format=mode)

    @pytest.mark.parametrize(
        ("schema", "complaint"),
        [
            (OPEN, "'additionalProperties' is required"),
            ({**OPEN, "additionalProperties": False}, "Missing 'a'"),
            (
                {**CLOSED, "properties": {"a": OPEN}},
                r"context=\('properties', 'a'\), 'additionalProperties'",
            ),
        ],
    )
    def test_a_strict_schema_that_is_none_is_refused(self, gpt, schema, complaint):
        wanted = {
            "type": "json_schema",
            "json_schema": {"name": "t", "schema": schema, "strict": True},
        }
        with pytest.raises(openai.BadRequestError, match=complaint) as raised:
            gpt.chat.completions.create(model="gpt-4o-mini", messages=USER, response_format=wanted)
        assert raised.value.code == "invalid_json_schema"


class TestAnthropic:
    def test_an_answer_of_the_schema(self, claude):
        message = claude.messages.create(
            model="claude-sonnet-4-6",
            max_tokens=500,
            messages=USER,
            output_config={"format": {"type": "json_schema", "schema": CLOSED}},
        )
        assert set(json.loads(message.content[0].text)) == {"a"}

    def test_parse_into_a_pydantic_model(self, claude):
        message = claude.messages.parse(
            model="claude-sonnet-4-6", max_tokens=500, messages=USER, output_format=Ticket
        )
        assert isinstance(message.parsed_output, Ticket)

    def test_an_open_object_is_refused(self, claude):
        with pytest.raises(anthropic.BadRequestError, match="additionalProperties"):
            claude.messages.create(
                model="claude-sonnet-4-6",
                max_tokens=500,
                messages=USER,
                output_config={"format": {"type": "json_schema", "schema": OPEN}},
            )


class TestGoogle:
    def test_parse_into_a_pydantic_model(self, gemini):
        response = gemini.models.generate_content(
            model="gemini-2.5-flash",
            contents="Which kind is this ticket?",
            config={"response_mime_type": "application/json", "response_schema": Ticket},
        )
        assert isinstance(response.parsed, Ticket) and response.parsed.lines

    def test_a_json_schema_will_do_as_well(self, gemini):
        response = gemini.models.generate_content(
            model="gemini-2.5-flash",
            contents="Which?",
            config={"response_mime_type": "application/json", "response_json_schema": CLOSED},
        )
        assert set(json.loads(response.text)) == {"a"}

    def test_a_schema_for_plain_text_is_refused(self, gemini):
        with pytest.raises(google_errors.ClientError, match="response_mime_type"):
            gemini.models.generate_content(
                model="gemini-2.5-flash", contents="Which?", config={"response_schema": Ticket}
            )


class Tree(BaseModel):
    """Recursive on purpose."""

    name: str
    children: list["Tree"]


class Bounds(BaseModel):
    low: int = Field(ge=10, le=12)
    high: float = Field(gt=0, lt=0.5)
    five: int = Field(multiple_of=5, ge=7)
    code: str = Field(min_length=30, max_length=40)
    short: str = Field(max_length=3)
    many: list[int] = Field(min_length=3)
    none: list[int] = Field(max_length=0)


@pytest.mark.parametrize("model", [Ticket, Tree, Bounds])
@pytest.mark.parametrize("seed", range(5))
def test_made_up_instances_are_of_the_schema(model, seed):
    """Judged by pydantic, from which the schemas come."""
    model.model_validate(instance_of(model.model_json_schema(), seed))
