"""Wrong requests are refused as the provider refuses them, naming the field at fault."""

import pytest

from tests.simulators.wire import PATHS

USER = [{"role": "user", "content": "Hello"}]
FUNCTION = {"type": "function", "function": {"name": "look"}}


def part(**fields):
    return {"contents": [{"role": "user", "parts": [fields]}]}


OPENAI = [
    ({}, None, None, "you must provide a model parameter"),
    ({"model": 4}, "model", "invalid_type", "expected a string"),
    ({"messages": None}, "messages", "missing_required_parameter", "Missing required"),
    ({"messages": "Hello"}, "messages", "invalid_type", "expected an array of objects"),
    ({"messages": []}, "messages", "empty_array", "minimum length 1"),
    ({"messages": ["Hello"]}, "messages[0]", "invalid_type", "expected an object"),
    ({"messages": [{"content": "a"}]}, "messages[0].role", "missing_required_parameter", "role"),
    (
        {"messages": [{"role": "robot", "content": "a"}]}, "messages[0].role", "invalid_value",
        "Invalid value: 'robot'",
    ),
    ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter", ""),
    (
        {"messages": [{"role": "user", "content": 5}]}, "messages[0].content", "invalid_type",
        "a string or an array",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "smell"}]}]},
        "messages[0].content[0].type", "invalid_value", "'smell'",
    ),
    (
        {"messages": [*USER, {"role": "tool", "content": "a", "tool_call_id": "x"}]},
        "messages.[1].role", None, "must be a response to a preceeding message",
    ),
    ({"colour": "red"}, None, None, "Unrecognized request argument supplied: colour"),
    ({"temperature": 3}, "temperature", "decimal_above_max_value", "<= 2"),
    ({"temperature": "hot"}, "temperature", "invalid_type", "expected a decimal"),
    ({"max_tokens": 0}, "max_tokens", "integer_below_min_value", ">= 1"),
    ({"max_tokens": 99_999}, "max_tokens", "invalid_value", "at most 16384"),
    ({"stream": "yes"}, "stream", "invalid_type", "expected a boolean"),
    ({"stream_options": {"include_usage": True}}, "stream_options", None, "only allowed when"),
    ({"tool_choice": "required"}, "tool_choice", None, "only allowed when 'tools'"),
    ({"tools": [{"type": "function"}]}, "tools[0].function", "missing_required_parameter", ""),
    ({"tools": [FUNCTION], "tool_choice": "some"}, "tool_choice", "invalid_value", "'some'"),
    ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_value", "'xml'"),
    ({"metadata": {"a": 1}}, "metadata.a", "invalid_type", "expected a string"),
    ({"reasoning_effort": "low"}, None, None, "Unrecognized request argument"),
    ({"model": "o3", "max_tokens": 9}, "max_tokens", "unsupported_parameter", "Use 'max_compl"),
    ({"model": "o3", "temperature": 0}, "temperature", "unsupported_value", "does not support"),
    ({"model": "o3", "reasoning_effort": "huge"}, "reasoning_effort", "invalid_value", "'huge'"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "param", "code", "words"), OPENAI)
def test_openai_names_the_parameter(raw, change, param, code, words):
    body = {"model": "gpt-4o-mini", "messages": USER, **change} if change else {"messages": USER}
    reply = raw.post("openai", PATHS["openai"], body)
    error = reply.json()["error"]
    assert (reply.status, error["type"]) == (400, "invalid_request_error")
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["param"], error["code"]) == (param, code)
    assert words in error["message"]


ANTHROPIC = [
    ({"model": None}, "model: Field required"),
    ({"max_tokens": None}, "max_tokens: Field required"),
    ({"max_tokens": "many"}, "max_tokens: Input should be a valid integer"),
    ({"max_tokens": 0}, "max_tokens: Input should be greater than or equal to 1"),
    ({"messages": None}, "messages: Field required"),
    ({"messages": []}, "messages: at least one message is required"),
    ({"messages": [{"role": "robot", "content": "a"}]}, "messages.0.role: Input should be"),
    ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
    ({"messages": [{"role": "user", "content": ""}]}, "messages.0: all messages must have non"),
    ({"messages": [{"role": "assistant", "content": "a"}]}, 'first message must use the "user"'),
    ({"messages": [{"role": "user", "content": [{"type": "smell"}]}]}, "Input tag 'smell' found"),
    ({"messages": [{**USER[0], "name": "a"}]}, "messages.0.name: Extra inputs are not permitted"),
    ({"colour": "red"}, "colour: Extra inputs are not permitted"),
    ({"temperature": 1.5}, "temperature: range: 0..1"),
    ({"tools": [{"name": "a b", "input_schema": {"type": "object"}}]}, "tools.0.custom.name: Str"),
    ({"tools": [{"name": "a"}]}, "tools.0.custom.input_schema: Field required"),
    ({"tool_choice": {"type": "any"}}, "tool_choice: may only be specified while providing tools"),
    (
        {
            "messages": [
                *USER,
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "a", "name": "look", "input": {}}],
                },
                *USER,
            ]
        },
        "`tool_use` ids were found without `tool_result` blocks immediately after: a",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "b"}]}]},
        "unexpected `tool_use_id` found in `tool_result` blocks: b",
    ),
]


@pytest.mark.parametrize(("change", "words"), ANTHROPIC)
def test_anthropic_names_the_field_in_its_message(raw, change, words):
    body = {"model": "claude-sonnet-4-6", "max_tokens": 10, "messages": USER, **change}
    body = {name: value for name, value in body.items() if value is not None}
    reply = raw.post("anthropic", PATHS["anthropic"], body)
    found = reply.json()
    assert reply.status == 400 and set(found) == {"type", "error", "request_id"}
    assert found["error"]["type"] == "invalid_request_error"
    assert words in found["error"]["message"]
    assert found["request_id"] == reply.headers["request-id"]


GOOGLE = [
    ({}, "contents is not specified"),
    ({"contents": [{"role": "robot", "parts": [{"text": "a"}]}]}, "valid role: user, model"),
    ({"contents": [{"role": "user", "parts": []}]}, "contents.parts must not be empty"),
    (part(text=5), "Invalid value at 'contents[0].parts[0].text' (TYPE_STRING)"),
    (part(smell="a"), "Unknown name \"smell\" at 'contents[0].parts[0]'"),
    (part(text="a", inlineData={}), "oneof field 'data' is already set"),
    ({**part(text="a"), "colour": "red"}, 'Unknown name "colour": Cannot find field.'),
    ({**part(text="a"), "generationConfig": {"temperature": 3}}, "temperature value of 3"),
    ({**part(text="a"), "generationConfig": {"topP": "x"}}, "generation_config.top_p"),
    ({**part(text="a"), "generationConfig": {"maxOutputTokens": 10**6}}, "maxOutputTokens value"),
    ({**part(text="a"), "generationConfig": {"stopSequences": ["a"] * 6}}, "the maximum is 5"),
    ({**part(text="a"), "tools": [{"functionDeclarations": [{"name": "1"}]}]}, "function name"),
    (
        {**part(text="a"), "toolConfig": {"functionCallingConfig": {"mode": "ANY"}}},
        "without function declarations",
    ),
    (
        {
            "contents": [
                {"role": "user", "parts": [{"functionResponse": {"name": "a", "response": {}}}]}
            ]
        },
        "function response turn comes immediately after a function call",
    ),
]


@pytest.mark.parametrize(("body", "words"), GOOGLE)
def test_google_names_the_path_in_its_message(raw, body, words):
    reply = raw.post("google", PATHS["google"], body)
    error = reply.json()["error"]
    assert (reply.status, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert words in error["message"]


def test_snake_case_is_read_as_protobuf_reads_it(raw):
    config = {"max_output_tokens": 5}
    assert raw.generate(**part(text="a"), generation_config=config).status == 200


@pytest.mark.parametrize("provider", ["openai", "anthropic", "google"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(raw, provider, body):
    reply = raw.post(provider, PATHS[provider], body)
    assert reply.status == 400 and reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("provider", "path", "body"),
    [
        ("openai", PATHS["openai"], {"model": "gpt-99", "messages": USER}),
        (
            "anthropic", PATHS["anthropic"],
            {"model": "claude-99", "max_tokens": 9, "messages": USER},
        ),
        ("google", "/v1beta/models/gemini-99:generateContent", part(text="a")),
        ("openai", PATHS["openai"], {"model": "text-embedding-3-small", "messages": USER}),
    ],
)  # fmt: skip
def test_a_model_that_is_not_there_is_404(raw, provider, path, body):
    assert raw.post(provider, path, body).status == 404


@pytest.mark.parametrize(
    ("directive", "complaint"),
    [
        ("[[sim jump]]", "has no word 'jump'"),
        ("[[sim output_tokens=many]]", "has no word 'output_tokens=many'"),
        ("[[sim say]]", "needs a text in double quotes"),
        ("[[sim output_tokens=5", "is not closed"),
    ],
)
def test_a_misspelt_directive_cannot_pass_unnoticed(raw, directive, complaint):
    said = [{"role": "user", "content": directive}]
    for reply in (
        raw.chat(messages=said),
        raw.messages(messages=said),
        raw.generate(**part(text=directive)),
    ):
        assert reply.status == 400 and complaint in reply.json()["error"]["message"]


def test_the_last_directive_of_the_last_user_turn_counts(raw):
    messages = [
        {"role": "user", "content": "[[sim output_tokens=9]]"},
        {"role": "assistant", "content": "[[sim output_tokens=8]]"},
        {"role": "user", "content": "[[sim output_tokens=7]] and [[sim output_tokens=6]]"},
    ]
    assert raw.chat(messages=messages).json()["usage"]["completion_tokens"] == 6
