"""Whatever stands in a field, the answer is the provider's own: never a crash of the simulator."""

import pytest

ODD = [None, 5, "x", [], {}, [5], [[]], {"a": 1}, True, 1.5, "", [None]]
USER = [{"role": "user", "content": "Hi"}]
CONTENTS = [{"parts": [{"text": "Hi"}]}]


def tool(**function):
    return {"tools": [{"type": "function", "function": {"name": "a", **function}}]}


CHAT = {
    **{
        name: lambda v, name=name: {name: v}
        for name in (
            "messages", "tools", "tool_choice", "response_format", "stop", "stream_options",
            "metadata", "n", "max_tokens", "temperature", "reasoning_effort", "stream", "model",
        )
    },
    "content": lambda v: {"messages": [{"role": "user", "content": v}]},
    "role": lambda v: {"messages": [{"role": v, "content": "a"}]},
    "part": lambda v: {"messages": [{"role": "user", "content": [v]}]},
    "part type": lambda v: {"messages": [{"role": "user", "content": [{"type": v}]}]},
    "image": lambda v: {
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": v}]}]
    },
    "calls": lambda v: {"messages": [*USER, {"role": "assistant", "tool_calls": v}]},
    "call": lambda v: {
        "messages": [*USER, {"role": "assistant", "tool_calls": [{"id": v, "function": v}]}]
    },
    "tool": lambda v: {"tools": [v]},
    "custom tool": lambda v: {"tools": [{"type": "custom", "custom": v}]},
    "parameters": lambda v: {**tool(parameters=v), "tool_choice": "required"},
    "properties": lambda v: {
        **tool(parameters={"type": "object", "properties": v}), "tool_choice": "required",
    },
    "choice": lambda v: {**tool(), "tool_choice": {"type": "function", "function": v}},
    "allowed": lambda v: {**tool(), "tool_choice": {"type": "allowed_tools", "allowed_tools": v}},
    "json_schema": lambda v: {"response_format": {"type": "json_schema", "json_schema": v}},
    "strict": lambda v: {
        "response_format": {
            "type": "json_schema",
            "json_schema": {
                "name": "a",
                "schema": {
                    "type": "object", "properties": v, "required": v,
                    "additionalProperties": False,
                },
                "strict": True,
            },
        }
    },
}  # fmt: skip

MESSAGES = {
    **{
        name: lambda v, name=name: {name: v}
        for name in (
            "messages", "tools", "tool_choice", "system", "stop_sequences", "metadata", "thinking",
            "temperature", "stream", "output_config", "cache_control", "model", "max_tokens",
        )
    },
    "content": lambda v: {"messages": [{"role": "user", "content": v}]},
    "block": lambda v: {"messages": [{"role": "user", "content": [v]}]},
    "block type": lambda v: {"messages": [{"role": "user", "content": [{"type": v}]}]},
    "source": lambda v: {
        "messages": [{"role": "user", "content": [{"type": "image", "source": v}]}]
    },
    "thought": lambda v: {
        "messages": [
            *USER,
            {
                "role": "assistant",
                "content": [{"type": "thinking", "thinking": v, "signature": v}],
            },
        ]
    },
    "ttl": lambda v: {
        "system": [
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": v}}
        ]
    },
    "properties": lambda v: {
        "tools": [{"name": "a", "input_schema": {"type": "object", "properties": v}}],
        "tool_choice": {"type": "any"},
    },
    "budget": lambda v: {"thinking": {"type": "enabled", "budget_tokens": v}},
    "format": lambda v: {"output_config": {"format": v}},
}  # fmt: skip

GENERATE = {
    **{
        name: lambda v, name=name: {name: v}
        for name in ("contents", "tools", "toolConfig", "systemInstruction", "generationConfig")
    },
    "parts": lambda v: {"contents": [{"parts": v}]},
    "blob": lambda v: {"contents": [{"parts": [{"inlineData": v}]}]},
    "call": lambda v: {"contents": [{"role": "model", "parts": [{"functionCall": v}]}]},
    "level": lambda v: {"generationConfig": {"thinkingConfig": {"thinkingLevel": v}}},
    "budget": lambda v: {"generationConfig": {"thinkingConfig": {"thinkingBudget": v}}},
    "stops": lambda v: {"generationConfig": {"stopSequences": v}},
    "schema": lambda v: {
        "generationConfig": {
            "responseMimeType": "application/json",
            "responseSchema": {"type": v, "properties": v, "enum": v, "anyOf": v},
        }
    },
    "declarations": lambda v: {"tools": [{"functionDeclarations": v}]},
    "calling": lambda v: {
        "tools": [{"functionDeclarations": [{"name": "a"}]}],
        "toolConfig": {"functionCallingConfig": {"mode": v, "allowedFunctionNames": v}},
    },
}

RESPONSES = {
    **{
        name: lambda v, name=name: {name: v}
        for name in (
            "input", "tools", "tool_choice", "text", "reasoning", "include", "metadata", "store",
            "previous_response_id", "instructions", "max_output_tokens", "stream", "model",
        )
    },
    "item": lambda v: {"input": [v]},
    "item type": lambda v: {"input": [{"type": v}]},
    "part type": lambda v: {"input": [{"role": "user", "content": [{"type": v}]}]},
    "thought": lambda v: {
        "input": [{"type": "reasoning", "id": v, "summary": v, "encrypted_content": v}]
    },
    "reference": lambda v: {"input": [{"type": "item_reference", "id": v}]},
    "effort": lambda v: {"reasoning": {"effort": v, "summary": v}},
    "format": lambda v: {"text": {"format": v}},
    "allowed": lambda v: {
        "tools": [{"type": "function", "name": "a"}],
        "tool_choice": {"type": "allowed_tools", "tools": v},
    },
}  # fmt: skip


def check(replies):
    for value, reply in replies:
        assert reply.status < 500, value
        if reply.status != 200:
            assert reply.json()["error"]["message"], value


@pytest.mark.parametrize("field", CHAT)
def test_chat_completions(raw, field):
    check((v, raw.chat(**{"messages": USER, **CHAT[field](v)})) for v in ODD)


@pytest.mark.parametrize("field", MESSAGES)
def test_messages(raw, field):
    check((v, raw.messages(**{"messages": USER, **MESSAGES[field](v)})) for v in ODD)


@pytest.mark.parametrize("field", GENERATE)
def test_generate_content(raw, field):
    check(
        (v, raw.generate("gemini-3-flash-preview", **{"contents": CONTENTS, **GENERATE[field](v)}))
        for v in ODD
    )


@pytest.mark.parametrize("field", RESPONSES)
def test_responses(raw, field):
    usual = {"model": "gpt-5", "input": "Hi"}
    check((v, raw.post("openai", "/v1/responses", {**usual, **RESPONSES[field](v)})) for v in ODD)


@pytest.mark.parametrize("field", ["model", "input", "dimensions", "encoding_format", "user"])
def test_embeddings(raw, field):
    usual = {"model": "text-embedding-3-small", "input": "Hi"}
    check((v, raw.post("openai", "/v1/embeddings", {**usual, field: v})) for v in ODD)
