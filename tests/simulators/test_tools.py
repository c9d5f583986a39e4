"""Tools through the official SDKs: forced, free, parallel, streamed, and answered."""

import json

import pytest

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 5},
    },
    "required": ["city", "unit", "days"],
    "additionalProperties": False,
}
NAMES = ("get_weather", "get_time")
BOTH = "Compare. [[sim tools=get_weather,get_time]]"
GPT_TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": SCHEMA, "strict": True}}
    for name in NAMES
]
CLAUDE_TOOLS = [{"name": name, "input_schema": SCHEMA} for name in NAMES]
GEMINI_TOOLS = [
    {"function_declarations": [{"name": n, "parameters_json_schema": SCHEMA} for n in NAMES]}
]


def fits(arguments):
    return (
        isinstance(arguments["city"], str)
        and arguments["unit"] in ("celsius", "fahrenheit")
        and 1 <= arguments["days"] <= 5
        and len(arguments) == 3
    )


def user(text):
    return [{"role": "user", "content": text}]


class TestOpenAI:
    def create(self, gpt, text=BOTH, **more):
        return gpt.chat.completions.create(
            model="gpt-4o-mini", messages=user(text), tools=GPT_TOOLS, **more
        )

    def calls(self, gpt, text=BOTH, **more):
        choice = self.create(gpt, text, **more).choices[0]
        return [call.function.name for call in choice.message.tool_calls or ()]

    def test_parallel_calls_with_arguments_that_fit_the_schema(self, gpt):
        choice = self.create(gpt).choices[0]
        assert choice.finish_reason == "tool_calls" and choice.message.content is None
        calls = choice.message.tool_calls
        assert [call.function.name for call in calls] == list(NAMES)
        assert all(fits(json.loads(call.function.arguments)) for call in calls)
        assert len({call.id for call in calls}) == 2

    def test_the_stream_pieces_together_to_the_same_calls(self, gpt):
        with gpt.chat.completions.stream(
            model="gpt-4o-mini", messages=user(BOTH), tools=GPT_TOOLS
        ) as stream:
            kinds = [event.type for event in stream]
            streamed = stream.get_final_completion().choices[0]
        whole = self.create(gpt).choices[0]
        assert kinds.count("tool_calls.function.arguments.delta") > 4
        assert streamed.finish_reason == whole.finish_reason
        assert [(c.function.name, c.function.arguments) for c in streamed.message.tool_calls] == [
            (c.function.name, c.function.arguments) for c in whole.message.tool_calls
        ]

    def test_tool_choice_is_obeyed(self, gpt):
        named = {"type": "function", "function": {"name": "get_time"}}
        assert self.calls(gpt, "Hello", tool_choice=named) == ["get_time"]
        assert self.calls(gpt, "Hello", tool_choice="required") == ["get_weather"]
        assert self.calls(gpt, tool_choice="none") == []
        assert self.calls(gpt, "Hello") == []
        assert self.calls(gpt, parallel_tool_calls=False) == ["get_weather"]

    def test_results_are_answered_in_text(self, gpt):
        message = self.create(gpt).choices[0].message
        messages = [*user(BOTH), message.model_dump(exclude_none=True)]
        for call in message.tool_calls:
            messages.append({"role": "tool", "tool_call_id": call.id, "content": "fine"})
        reply = gpt.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=GPT_TOOLS)
        assert reply.choices[0].finish_reason == "stop" and reply.choices[0].message.content

    def test_calls_that_do_not_fit_are_left_out(self, gpt):
        choice = self.create(gpt, max_completion_tokens=25).choices[0]
        assert choice.finish_reason == "length" and len(choice.message.tool_calls or ()) < 2


class TestAnthropic:
    def create(self, claude, text=BOTH, **more):
        return claude.messages.create(
            model="claude-sonnet-4-6", max_tokens=500, messages=user(text), tools=CLAUDE_TOOLS,
            **more,
        )  # fmt: skip

    def calls(self, claude, text=BOTH, **more):
        content = self.create(claude, text, **more).content
        return [block.name for block in content if block.type == "tool_use"]

    def test_parallel_calls_with_arguments_that_fit_the_schema(self, claude):
        message = self.create(claude)
        assert message.stop_reason == "tool_use"
        assert [block.name for block in message.content] == list(NAMES)
        assert all(fits(block.input) for block in message.content)

    def test_the_stream_pieces_together_to_the_same_calls(self, claude):
        with claude.messages.stream(
            model="claude-sonnet-4-6", max_tokens=500, messages=user(BOTH), tools=CLAUDE_TOOLS
        ) as stream:
            parts = [event for event in stream if event.type == "input_json"]
            streamed = stream.get_final_message()
        assert len(parts) > 2
        whole = self.create(claude)
        assert [(b.name, b.input) for b in streamed.content] == [
            (b.name, b.input) for b in whole.content
        ]
        assert streamed.usage.output_tokens == whole.usage.output_tokens

    def test_tool_choice_is_obeyed(self, claude):
        named = {"type": "tool", "name": "get_time"}
        assert self.calls(claude, "Hello", tool_choice=named) == ["get_time"]
        assert self.calls(claude, "Hello", tool_choice={"type": "any"}) == ["get_weather"]
        assert self.calls(claude, tool_choice={"type": "none"}) == []
        assert self.calls(claude, "Hello") == []
        alone = {"type": "auto", "disable_parallel_tool_use": True}
        assert self.calls(claude, tool_choice=alone) == ["get_weather"]

    def test_results_are_answered_in_text(self, claude):
        called = self.create(claude)
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": "fine"}
            for block in called.content
        ]
        message = claude.messages.create(
            model="claude-sonnet-4-6",
            max_tokens=500,
            tools=CLAUDE_TOOLS,
            messages=[
                *user(BOTH),
                {"role": "assistant", "content": called.content},
                {"role": "user", "content": results},
            ],
        )
        assert message.stop_reason == "end_turn" and message.content[0].text

    def test_text_may_come_before_the_calls(self, claude):
        message = self.create(claude, '[[sim tools=get_time say "Let me look."]]')
        assert [block.type for block in message.content] == ["text", "tool_use"]


class TestGoogle:
    def generate(self, gemini, text=BOTH, model="gemini-2.5-flash", **config):
        config = {
            "tools": GEMINI_TOOLS, "automatic_function_calling": {"disable": True}, **config,
        }  # fmt: skip
        return gemini.models.generate_content(model=model, contents=text, config=config)

    def calls(self, gemini, text=BOTH, **calling):
        config = {"tool_config": {"function_calling_config": calling}} if calling else {}
        found = self.generate(gemini, text, **config).function_calls
        return [call.name for call in found or ()]

    def test_parallel_calls_with_arguments_that_fit_the_schema(self, gemini):
        response = self.generate(gemini)
        assert [call.name for call in response.function_calls] == list(NAMES)
        assert all(fits(call.args) for call in response.function_calls)
        assert response.candidates[0].finish_reason.value == "STOP"

    def test_the_stream_has_whole_calls(self, gemini):
        chunks = gemini.models.generate_content_stream(
            model="gemini-2.5-flash", contents=BOTH,
            config={"tools": GEMINI_TOOLS, "automatic_function_calling": {"disable": True}},
        )  # fmt: skip
        streamed = [call for chunk in chunks for call in chunk.function_calls or ()]
        whole = self.generate(gemini).function_calls
        assert [(c.name, c.args) for c in streamed] == [(c.name, c.args) for c in whole]

    def test_the_mode_is_obeyed(self, gemini):
        only = {"mode": "ANY", "allowed_function_names": ["get_time"]}
        assert self.calls(gemini, "Hello", **only) == ["get_time"]
        assert self.calls(gemini, "Hello", mode="ANY") == ["get_weather"]
        assert self.calls(gemini, mode="NONE") == []
        assert self.calls(gemini, "Hello") == []

    @pytest.mark.parametrize("model", ["gemini-2.5-flash", "gemini-3-flash-preview"])
    def test_results_are_answered_in_text(self, gemini, model):
        called = self.generate(gemini, model=model)
        results = [
            {"function_response": {"id": call.id, "name": call.name, "response": {"ok": True}}}
            for call in called.function_calls
        ]
        response = self.generate(
            gemini,
            [
                {"role": "user", "parts": [{"text": BOTH}]},
                called.candidates[0].content,
                {"role": "user", "parts": results},
            ],
            model=model,
        )
        assert response.text and not response.function_calls

    def test_the_sdk_calls_functions_by_itself(self, gemini):
        asked = []

        def get_weather(city: str) -> str:
            """The weather in a city."""
            asked.append(city)
            return "sunny"

        response = gemini.models.generate_content(
            model="gemini-2.5-flash",
            contents="Weather? [[sim tools=get_weather]]",
            config={"tools": [get_weather]},
        )
        assert len(asked) == 1 and response.text
