"""Replies and streams, held field by field against the SDKs' own types."""

import json

import anthropic.types
import pytest
from anthropic.types import RawMessageStreamEvent
from google.genai.types import GenerateContentResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.simulators.wire import conforms, events

USER = [{"role": "user", "content": "Say it. [[sim output_tokens=12]]"}]
CONTENTS = [{"role": "user", "parts": [{"text": "Say it. [[sim output_tokens=12]]"}]}]
TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def asking(text):
    return [{"role": "user", "content": text}]


def contents(text):
    return [{"role": "user", "parts": [{"text": text}]}]


class TestOpenAI:
    def test_a_completion(self, raw):
        reply = raw.chat(messages=USER)
        assert reply.headers["content-type"] == "application/json"
        completion = conforms(ChatCompletion, reply.json())
        assert completion.id.startswith("chatcmpl-") and completion.model == "gpt-4o-mini"
        assert completion.choices[0].message.role == "assistant"
        assert completion.usage.total_tokens == (
            completion.usage.prompt_tokens + completion.usage.completion_tokens
        )

    def test_a_stream_of_chunks_with_the_usage_last_if_asked_for(self, raw):
        reply = raw.chat(messages=USER, stream=True, stream_options={"include_usage": True})
        assert reply.headers["content-type"].startswith("text/event-stream")
        assert reply.body.endswith(b"data: [DONE]\n\n")
        *chunks, last = [conforms(ChatCompletionChunk, chunk) for chunk in events(reply)]
        assert last.choices == [] and last.usage.completion_tokens == 12
        assert all(chunk.usage is None for chunk in chunks)
        assert chunks[0].choices[0].delta.role == "assistant"
        assert chunks[-1].choices[0].finish_reason == "stop"
        assert len({chunk.id for chunk in chunks}) == 1

    def test_a_stream_without_usage_unless_asked_for(self, raw):
        assert all("usage" not in chunk for chunk in events(raw.chat(messages=USER, stream=True)))

    @pytest.mark.parametrize("stream", [False, True])
    def test_several_choices_are_billed_together(self, gpt, stream):
        texts = {0: "", 1: "", 2: ""}
        made = gpt.chat.completions.create(
            model="gpt-4o", messages=USER, n=3, stream=stream, max_completion_tokens=12
        )
        if stream:
            for chunk in made:
                for choice in chunk.choices:
                    texts[choice.index] += choice.delta.content or ""
        else:
            texts = {choice.index: choice.message.content for choice in made.choices}
            assert made.usage.completion_tokens == 36
        assert len(set(texts.values())) == 3 and all(texts.values())

    @pytest.mark.parametrize("stream", [False, True])
    def test_a_refusal_is_a_field_of_its_own(self, gpt, raw, stream):
        body = {"messages": asking("Do it. [[sim refuse]]"), "stream": stream}
        if not stream:
            message = conforms(ChatCompletion, raw.chat(**body).json()).choices[0].message
            assert message.content is None and message.refusal.startswith("I'm sorry")
            return
        chunks = [conforms(ChatCompletionChunk, chunk) for chunk in events(raw.chat(**body))]
        refusal = "".join(chunk.choices[0].delta.refusal or "" for chunk in chunks)
        assert refusal.startswith("I'm sorry")
        assert not any(chunk.choices[0].delta.content for chunk in chunks)


class TestAnthropic:
    def test_a_message(self, raw):
        reply = raw.messages(messages=USER)
        assert reply.headers["request-id"].startswith("req_")
        message = conforms(anthropic.types.Message, reply.json())
        assert (message.stop_reason, message.stop_sequence) == ("end_turn", None)
        assert message.usage.output_tokens == 12

    def test_a_stream_of_events_named_as_their_types(self, raw):
        reply = raw.messages(messages=USER, stream=True)
        found = events(reply)
        named = [
            line.removeprefix("event: ")
            for line in reply.body.decode().split("\n")
            if line.startswith("event: ")
        ]
        assert named == [event["type"] for event in found]
        checked = [
            conforms(RawMessageStreamEvent, event) for event in found if event["type"] != "ping"
        ]
        assert [event.type for event in checked if event.type != "content_block_delta"] == [
            "message_start", "content_block_start", "content_block_stop", "message_delta",
            "message_stop",
        ]  # fmt: skip
        assert checked[0].message.content == [] and checked[0].message.stop_reason is None
        assert checked[-2].usage.output_tokens == 12
        assert "ping" in named

    def test_a_refusal_is_a_stop_reason(self, claude):
        message = claude.messages.create(
            model="claude-opus-5", max_tokens=100, messages=asking("Do it. [[sim refuse]]")
        )
        assert message.stop_reason == "refusal"

    def test_a_begun_answer_is_continued(self, claude):
        begun = [*USER, {"role": "assistant", "content": "I say"}]
        message = claude.messages.create(model="claude-sonnet-4-6", max_tokens=100, messages=begun)
        assert message.usage.output_tokens == 12


class TestGoogle:
    def test_a_response(self, raw):
        response = conforms(GenerateContentResponse, raw.generate(contents=CONTENTS).json())
        assert response.candidates[0].finish_reason.value == "STOP"
        assert response.candidates[0].content.role == "model"
        assert response.usage_metadata.candidates_token_count == 12
        assert response.model_version == "gemini-2.5-flash"

    @pytest.mark.parametrize("version", ["v1", "v1beta"])
    def test_a_stream_of_whole_responses(self, raw, version):
        path = f"/{version}/models/gemini-2.5-flash:streamGenerateContent"
        reply = raw.post("google", path + "?alt=sse", {"contents": CONTENTS})
        assert reply.headers["content-type"] == "text/event-stream"
        found = [conforms(GenerateContentResponse, event) for event in events(reply)]
        assert [one.candidates[0].finish_reason is not None for one in found] == [
            *[False] * (len(found) - 1), True,
        ]  # fmt: skip
        assert found[-1].usage_metadata.candidates_token_count == 12
        array = raw.post("google", path, {"contents": CONTENTS})
        assert array.headers["content-type"].startswith("application/json")
        texts = [
            "".join(
                part["text"] for one in whole for part in one["candidates"][0]["content"]["parts"]
            )
            for whole in (array.json(), events(reply))
        ]
        assert texts[0] == texts[1]

    def test_several_candidates(self, gemini):
        response = gemini.models.generate_content(
            model="gemini-2.5-flash", contents="Say it.", config={"candidate_count": 2}
        )
        texts = [one.content.parts[0].text for one in response.candidates]
        assert len(set(texts)) == 2

    @pytest.mark.parametrize("method", ["generateContent", "streamGenerateContent"])
    def test_a_blocked_prompt_has_feedback_and_no_candidates(self, raw, method):
        reply = raw.post(
            "google",
            f"/v1beta/models/gemini-2.5-flash:{method}?alt=sse",
            {"contents": contents("Do it. [[sim blocked]]")},
        )
        found = reply.json() if method == "generateContent" else events(reply)[0]
        response = conforms(GenerateContentResponse, found)
        assert response.prompt_feedback.block_reason.value == "PROHIBITED_CONTENT"
        assert response.candidates is None
        assert response.usage_metadata.candidates_token_count is None

    def test_a_refusal_is_a_finish_for_safety(self, raw):
        found = raw.generate(contents=contents("Do it. [[sim refuse]]")).json()
        candidate = conforms(GenerateContentResponse, found).candidates[0]
        assert candidate.finish_reason.value == "SAFETY" and candidate.content.parts is None


def test_what_is_to_be_said_is_said(speaker):
    text = 'Exactly "this",\nand naught else: ünïcödé 🙂'
    prompt = f"Repeat. [[sim say {json.dumps(text)}]]"
    assert speaker.ask(prompt).text == text
    assert speaker.stream(prompt).text == text


def test_an_echo_is_the_prompt_without_the_directive(speaker):
    assert speaker.ask("A word, please. [[sim echo]]").text == "A word, please."


def test_the_answer_ends_before_a_stop_sequence(speaker):
    said = speaker.ask('[[sim say "one two three four"]]', stop=" three")
    assert (said.text, said.finish) == ("one two", speaker.stopped)
    assert said.output == 2


def test_a_filtered_answer_says_so(speaker):
    said = speaker.ask("Go on. [[sim output_tokens=5 finish=content_filter]]")
    assert said.finish in ("content_filter", "refusal", "SAFETY")


def test_the_same_request_is_answered_alike_and_another_otherwise(speaker):
    assert speaker.ask("What is it?").text == speaker.ask("What is it?").text
    assert speaker.ask("What is it?").text != speaker.ask("What was it?").text


class TestModels:
    def test_each_provider_lists_its_models_in_its_own_shape(self, gpt, claude, gemini):
        names = {model.id for model in gpt.models.list()}
        assert {"gpt-4o-mini", "o3", "gpt-5", "text-embedding-3-small"} <= names
        assert gpt.models.retrieve("gpt-4o").id == "gpt-4o"
        listed = list(claude.models.list())
        assert {"claude-sonnet-4-6", "claude-opus-4-7"} <= {model.id for model in listed}
        assert all(model.lifecycle == "active" for model in listed)
        assert claude.models.retrieve("claude-opus-4-7").max_input_tokens == 1_000_000
        assert "models/gemini-2.5-pro" in {model.name for model in gemini.models.list()}
        assert gemini.models.get(model="gemini-2.5-pro").output_token_limit == 65_536

    def test_every_chat_model_of_the_catalogue_answers(self, raw):
        from hybridllm.catalog.load import load_catalog

        for model in load_catalog().models.values():
            if model.kind != "chat":
                continue
            if model.provider == "openai":
                reply = raw.chat(model=model.name, messages=USER)
            elif model.provider == "anthropic":
                reply = raw.messages(model=model.name, messages=USER)
            else:
                reply = raw.generate(model=model.name, contents=CONTENTS)
            assert reply.status == 200, (model.id, reply.body)


class TestCountTokens:
    def test_a_count_is_what_the_call_would_be_billed(self, claude, gemini):
        tools = [{"name": "look", "input_schema": TOOL}]
        asked = {
            "model": "claude-sonnet-4-6",
            "messages": USER,
            "system": "Be brief.",
            "tools": tools,
        }
        counted = claude.messages.count_tokens(**asked).input_tokens
        assert counted == claude.messages.create(max_tokens=20, **asked).usage.input_tokens
        counted = gemini.models.count_tokens(model="gemini-2.5-flash", contents="How many?")
        made = gemini.models.generate_content(model="gemini-2.5-flash", contents="How many?")
        assert counted.total_tokens == made.usage_metadata.prompt_token_count

    def test_counting_is_no_call(self, sims, claude):
        claude.messages.count_tokens(model="claude-sonnet-4-6", messages=USER)
        assert sims.counts().calls == 0
