"""Reasoning: shown or hidden, billed, signed, and refused when a signature does not hold."""

import copy

import anthropic
import anthropic.types
import pytest
from anthropic.types import RawMessageStreamEvent
from google.genai import errors as google_errors
from google.genai.types import GenerateContentResponse

from hybridllm.simulators.signatures import sign
from tests.simulators.wire import conforms, events

TOOL = {"name": "look", "input_schema": {"type": "object", "properties": {}}}
BUDGET = {"type": "enabled", "budget_tokens": 2000}
ADAPTIVE = {"type": "adaptive"}
ASK = "Think. [[sim reasoning_tokens=20 output_tokens=10]]"
CALL = "Think. [[sim reasoning_tokens=20 tools=look]]"


def user(text):
    return [{"role": "user", "content": text}]


class TestAnthropic:
    def create(self, claude, text=ASK, thinking=BUDGET, **more):
        messages = more.pop("messages", None) or user(text)
        return claude.messages.create(
            model="claude-sonnet-4-6", max_tokens=4000, messages=messages, thinking=thinking,
            **more,
        )  # fmt: skip

    @pytest.mark.parametrize("thinking", [BUDGET, ADAPTIVE])
    def test_a_signed_thought_comes_first_and_is_billed(self, claude, thinking):
        message = self.create(claude, thinking=thinking)
        thought, text = message.content
        assert thought.type == "thinking" and thought.thinking and thought.signature
        assert text.type == "text"
        assert message.usage.output_tokens == 30
        assert message.usage.output_tokens_details.thinking_tokens == 20

    def test_without_being_asked_it_does_not_think(self, claude):
        message = claude.messages.create(
            model="claude-sonnet-4-6", max_tokens=400, messages=user("Hello")
        )
        assert [block.type for block in message.content] == ["text"]
        assert [
            block.type for block in self.create(claude, "Hello", {"type": "disabled"}).content
        ] == ["text"]

    def test_the_stream_signs_after_the_thought(self, raw):
        found = events(raw.messages(messages=user(ASK), thinking=ADAPTIVE, stream=True))
        checked = [
            conforms(RawMessageStreamEvent, event) for event in found if event["type"] != "ping"
        ]
        deltas = [
            event.delta.type
            for event in checked
            if event.type == "content_block_delta" and event.index == 0
        ]
        assert deltas[-1] == "signature_delta" and deltas.count("signature_delta") == 1
        assert set(deltas[:-1]) == {"thinking_delta"}

    def test_an_omitted_thought_has_a_signature_and_no_text(self, claude):
        omitted = {**ADAPTIVE, "display": "omitted"}
        thought = self.create(claude, thinking=omitted).content[0]
        assert thought.thinking == "" and thought.signature
        with claude.messages.stream(
            model="claude-sonnet-4-6", max_tokens=4000, messages=user(ASK), thinking=omitted
        ) as stream:
            streamed = stream.get_final_message().content[0]
        assert streamed.thinking == "" and streamed.signature

    def test_a_redacted_thought_is_sealed(self, claude):
        text = "[[sim reasoning_tokens=20 redacted]]"
        sealed = self.create(claude, text).content[0]
        assert sealed.type == "redacted_thinking" and sealed.data

    @pytest.mark.parametrize(
        ("text", "thinking"),
        [
            (CALL, BUDGET),
            (CALL, {**ADAPTIVE, "display": "omitted"}),
            ("[[sim reasoning_tokens=20 redacted tools=look]]", BUDGET),
        ],
    )
    def test_thoughts_that_come_back_as_they_went_are_taken(self, claude, text, thinking):
        assert self.go_on(claude, text, thinking, lambda content: None).stop_reason == "end_turn"

    def go_on(self, claude, text, thinking, change):
        """The turn after a tool call, with the assistant's content changed."""
        called = self.create(claude, text, thinking, tools=[TOOL])
        content = [block.model_dump(exclude_none=True) for block in called.content]
        call_id = next(block["id"] for block in content if block["type"] == "tool_use")
        change(content)
        result = {"type": "tool_result", "tool_use_id": call_id, "content": "fine"}
        return self.create(
            claude,
            thinking=thinking,
            tools=[TOOL],
            messages=[
                *user(text),
                {"role": "assistant", "content": content},
                {"role": "user", "content": [result]},
            ],
        )

    @pytest.mark.parametrize(
        "changed",
        [
            {"thinking": "Another thought."},
            {"thinking": ""},
            {"signature": "bm90IGEgc2lnbmF0dXJl"},
            {"signature": ""},
            {"signature": sign("google", "Another thought.", 1)},
        ],
    )
    def test_a_tampered_thought_is_refused(self, claude, changed):
        with pytest.raises(
            anthropic.BadRequestError,
            match=r"messages\.1\.content\.0: Invalid `signature` in `thinking` block",
        ):
            self.go_on(claude, CALL, BUDGET, lambda content: content[0].update(changed))

    def test_a_tampered_seal_is_refused(self, claude):
        text = "[[sim reasoning_tokens=20 redacted tools=look]]"
        with pytest.raises(anthropic.BadRequestError, match="Invalid `data`"):
            self.go_on(claude, text, BUDGET, lambda content: content[0].update(data="AAAA"))

    def test_a_thought_may_not_be_left_out_before_its_call(self, claude):
        with pytest.raises(anthropic.BadRequestError, match="Expected `thinking`"):
            self.go_on(claude, CALL, BUDGET, lambda content: content.pop(0))

    @pytest.mark.parametrize(
        ("more", "complaint"),
        [
            ({"thinking": {"type": "enabled", "budget_tokens": 100}}, "greater than or equal"),
            ({"thinking": {"type": "enabled", "budget_tokens": 4000}}, "must be greater than"),
            ({"thinking": {"type": "enabled"}}, r"budget_tokens: Field required"),
            ({"thinking": BUDGET, "temperature": 0.5}, "may only be set to 1"),
            (
                {"thinking": BUDGET, "tools": [TOOL], "tool_choice": {"type": "any"}},
                "forces tool use",
            ),
            ({"thinking": BUDGET, "model": "claude-3-haiku-20240307"}, "does not support"),
        ],
    )
    def test_what_thinking_does_not_go_with(self, raw, more, complaint):
        reply = raw.messages(messages=user("Hello"), **{"max_tokens": 4000, **more})
        assert reply.status == 400
        assert complaint in reply.json()["error"]["message"]


class TestOpenAI:
    def create(self, gpt, **more):
        return gpt.chat.completions.create(
            model="o3", messages=user("Think. [[sim output_tokens=10]]"), **more
        ).usage

    def test_reasoning_is_hidden_and_billed(self, gpt):
        usage = self.create(gpt, reasoning_effort="high")
        reasoning = usage.completion_tokens_details.reasoning_tokens
        assert reasoning > 0 and usage.completion_tokens == 10 + reasoning

    def test_unlike_the_real_ones_they_reason_only_if_asked(self, gpt):
        """An answer's length stays what its prompt asks for."""
        assert self.create(gpt).completion_tokens == 10

    def test_no_effort_is_no_reasoning(self, gpt):
        usage = gpt.chat.completions.create(
            model="gpt-5.1", messages=user("[[sim output_tokens=10]]"), reasoning_effort="none"
        ).usage
        assert usage.completion_tokens_details.reasoning_tokens == 0

    def test_reasoning_counts_towards_the_limit(self, gpt):
        reply = gpt.chat.completions.create(
            model="o3",
            messages=user("[[sim reasoning_tokens=500 output_tokens=10]]"),
            max_completion_tokens=100,
        )
        assert reply.choices[0].finish_reason == "length" and not reply.choices[0].message.content
        assert reply.usage.completion_tokens_details.reasoning_tokens == 100


class TestGoogle:
    def generate(self, gemini, text=ASK, model="gemini-3-flash-preview", **more):
        config = {"thinking_config": {"include_thoughts": True}, **more}
        return gemini.models.generate_content(model=model, contents=text, config=config)

    def test_thoughts_are_shown_when_asked_for_and_billed_apart(self, gemini):
        response = self.generate(gemini)
        thought, text = response.candidates[0].content.parts
        assert thought.thought and thought.text and thought.thought_signature
        assert not text.thought and text.thought_signature
        usage = response.usage_metadata
        assert (usage.thoughts_token_count, usage.candidates_token_count) == (20, 10)
        assert usage.total_token_count == usage.prompt_token_count + 30

    def test_hidden_thoughts_are_billed_too(self, gemini):
        budget = {"thinking_config": {"thinking_budget": 1024}}
        response = self.generate(gemini, model="gemini-2.5-flash", **budget)
        assert len(response.candidates[0].content.parts) == 1
        assert response.usage_metadata.thoughts_token_count == 20

    def test_the_stream_ends_in_a_signature_of_its_own(self, raw):
        reply = raw.post(
            "google",
            "/v1beta/models/gemini-3-flash-preview:streamGenerateContent?alt=sse",
            {"contents": [{"role": "user", "parts": [{"text": ASK}]}]},
        )
        found = [conforms(GenerateContentResponse, event) for event in events(reply)]
        (last,) = found[-1].candidates[0].content.parts
        assert last.text == "" and last.thought_signature

    def call(self, raw, model="gemini-3-flash-preview"):
        body = {
            "tools": [{"functionDeclarations": [{"name": "look"}, {"name": "see"}]}],
            "contents": [{"role": "user", "parts": [{"text": "[[sim tools=look,see]]"}]}],
        }
        content = raw.generate(model=model, **body).json()["candidates"][0]["content"]
        results = [
            {"functionResponse": {"name": name, "response": {"ok": True}}}
            for name in ("look", "see")
        ]
        return body, content, {"role": "user", "parts": results}

    def go_on(self, raw, change, model="gemini-3-flash-preview"):
        body, content, results = self.call(raw, model)
        content = copy.deepcopy(content)
        change(content["parts"])
        return raw.generate(
            model=model, tools=body["tools"], contents=[*body["contents"], content, results]
        )

    def test_of_parallel_calls_the_first_is_signed(self, raw):
        _, content, _ = self.call(raw)
        assert ["thoughtSignature" in part for part in content["parts"]] == [True, False]

    def test_a_signature_that_comes_back_as_it_went_is_taken(self, raw):
        assert self.go_on(raw, lambda parts: None).status == 200

    def test_a_missing_signature_is_refused_by_models_that_sign(self, raw):
        reply = self.go_on(raw, lambda parts: parts[0].pop("thoughtSignature"))
        assert reply.status == 400
        assert "missing a `thought_signature`" in reply.json()["error"]["message"]
        lenient = self.go_on(
            raw, lambda parts: parts[0].pop("thoughtSignature", None), "gemini-2.5-flash"
        )
        assert lenient.status == 200

    @pytest.mark.parametrize(
        ("signature", "complaint"),
        [
            ("AAAA", "Corrupted thought signature."),
            (sign("anthropic", "look", 1), "Corrupted thought signature."),
            ("%%", "Base64 decoding failed"),
            (7, "Base64 decoding failed"),
        ],
    )
    def test_a_tampered_signature_is_refused(self, raw, signature, complaint):
        reply = self.go_on(raw, lambda parts: parts[0].update(thoughtSignature=signature))
        assert reply.status == 400 and complaint in reply.json()["error"]["message"]

    def test_the_documented_stand_in_is_taken(self, raw):
        stand_in = "skip_thought_signature_validator"
        reply = self.go_on(raw, lambda parts: parts[0].update(thoughtSignature=stand_in))
        assert reply.status == 200

    @pytest.mark.parametrize(
        ("model", "config"),
        [
            ("gemini-2.0-flash", {"include_thoughts": True}),
            ("gemini-3-flash-preview", {"thinking_budget": 100, "thinking_level": "LOW"}),
            ("gemini-2.5-flash", {"thinking_budget": 99_999}),
        ],
    )
    def test_a_wrong_thinking_config_is_refused(self, gemini, model, config):
        with pytest.raises(google_errors.ClientError) as refused:
            self.generate(gemini, model=model, thinking_config=config)
        assert refused.value.status == "INVALID_ARGUMENT"
