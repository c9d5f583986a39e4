"""Estimates by hand: texts, chats, tools, images and PDFs, exact, calibrated and assumed."""

import json
from base64 import b64encode

import pytest

from hybridllm.config_file import load_config
from hybridllm.errors import RequestError
from hybridllm.planning.counted import by_key, estimate, tool_tokens
from hybridllm.planning.material import read_material
from hybridllm.tokens import token_ids
from hybridllm.tokens.calibration import begin, reported
from hybridllm.wire.conversation import Tool
from tests.tokens.test_images import pdf, png

DAY = "2026-11-25"
CLAUDE = "anthropic/claude-sonnet-4-6"
GEMINI = "google/gemini-2.5-flash"
SYSTEM = "You are a helpful assistant that can answer to questions about the weather."
QUESTION = "What's the weather like in San Francisco?"
WEATHER = {
    "name": "get_current_weather",
    "description": "Get the current weather in a given location",
    "parameters": {
        "type": "object",
        "properties": {
            "location": {
                "type": "string",
                "description": "The city and state, e.g. San Francisco, CA",
            },
            "unit": {
                "type": "string",
                "description": "The unit of temperature to return",
                "enum": ["celsius", "fahrenheit"],
            },
        },
        "required": ["location"],
    },
}
OPENAI = {
    "model": "gpt-4o",
    "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}],
    "tools": [{"type": "function", "function": WEATHER}],
}


@pytest.fixture(scope="module")
def models():
    return load_config(preset="default", env={}).catalog.models


@pytest.fixture
def at(models):
    """The estimate of some bytes at a model, with calibrations or without."""

    def run(data, model, *known, dialect=None):
        raw = data if isinstance(data, bytes) else json.dumps(data).encode()
        return estimate(read_material(raw, dialect), models[model], DAY, by_key(known))

    return run


def test_a_text_is_exact_for_openai(at):
    made = at(b"hello world", "openai/gpt-4o")
    assert (made.tokens, made.low, made.high, made.basis) == (2, 2, 2, "exact")
    assert made.cost == 2 * 2_500_000


def test_a_text_is_within_a_quarter_for_those_that_publish_no_tokenizer(at):
    made = at(b"word " * 200, CLAUDE)
    assert (made.tokens, made.low, made.high, made.basis) == (290, 217, 363, "assumed")
    made = at("日".encode() * 100, GEMINI)
    assert (made.tokens, made.low, made.high) == (75, 45, 105)  # 300 bytes; 40%


def test_the_cookbooks_own_example_of_tools_makes_its_101_tokens(at):
    """https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken, section 7. It adds
    three for each message, its role's own tokens, and three for the answer."""
    made = at(OPENAI, "openai/gpt-4o")
    assert made.text.tokens == 101
    assert made.basis == "counted"


def test_tools_by_the_cookbooks_formula():
    tool = Tool(name="f", description="Do it.", schema={"properties": {"x": {"type": "string"}}})
    texts = sum(len(token_ids(text)) for text in ("f:Do it", "x:string:"))
    assert tool_tokens([tool], "gpt-4o") == 7 + 3 + 3 + 12 + texts
    assert tool_tokens([Tool(name="g")], "gpt-4o") == 7 + 12 + len(token_ids("g:"))


@pytest.mark.parametrize(
    ("body", "dialect"),
    [
        ({"messages": [{"role": "user", "content": QUESTION}]}, "openai"),
        ({"model": "m", "input": QUESTION}, "responses"),
        (
            {"system": "", "max_tokens": 9, "messages": [{"role": "user", "content": QUESTION}]},
            "anthropic",
        ),
        ({"contents": [{"role": "user", "parts": [{"text": QUESTION}]}]}, "google"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_chat_is_read_in_any_dialect(at, body, dialect):
    exact = len(token_ids(QUESTION)) + 4 + 3
    assert at(body, "openai/gpt-4o").tokens == exact
    assert at(body, "openai/gpt-4o", dialect=dialect).tokens == exact
    assert at(body, CLAUDE).tokens == -(-len(QUESTION) * 290 // 1000)


def known(reports, tokens=300):
    one = begin(CLAUDE, "prose")
    for _ in range(reports):
        one = reported(one, 1000, tokens)
    return one


def test_a_calibration_takes_the_place_of_the_catalogues_ratio(at):
    settled = known(400)
    made = at(b"word " * 2000, CLAUDE, settled)
    assert settled.tokens_per_kbyte == 300
    assert (made.tokens, made.basis, made.reports) == (3000, "calibrated", 400)
    assert (made.low, made.high) == (2970, 3030)  # never nearer than 1%


def test_the_band_is_twice_the_mean_error(at):
    one = known(12)
    made = at(b"word " * 2000, CLAUDE, one)
    off = -(-made.tokens * 2 * one.error // 1_000_000)
    assert one.error > 5_000
    assert made.high - made.tokens == off == made.tokens - made.low


def test_few_reports_move_the_estimate_but_promise_nothing(at):
    made = at(b"word " * 2000, CLAUDE, known(3))
    assert (made.basis, made.reports) == ("assumed", 3)
    assert (made.tokens, made.high) == (2970, 3713)


def test_another_kind_of_text_has_its_own_calibration(at):
    assert at(json.dumps(WEATHER).encode(), CLAUDE, known(400)).basis == "assumed"


def picture(width=1024, height=1024, **more):
    url = "data:image/png;base64," + b64encode(png(width, height)).decode()
    part = {"type": "image_url", "image_url": {"url": url, **more}}
    return {"model": "m", "messages": [{"role": "user", "content": [part]}]}


def test_images_in_a_request_follow_each_providers_rule(at):
    assert at(picture(), "openai/gpt-4o").images.tokens == 765
    assert at(picture(detail="low"), "openai/gpt-4o").images.tokens == 85
    assert at(picture(), CLAUDE).images.tokens == 1399
    assert at(picture(), GEMINI).images.tokens == 4 * 258


def test_an_image_file_by_itself(at):
    made = at(png(960, 540), GEMINI)
    assert (made.tokens, made.low, made.high) == (6 * 258, 6 * 258, 6 * 258)


def test_an_image_that_is_only_named_is_assumed_and_said_to_be(at):
    body = picture()
    body["messages"][0]["content"][0]["image_url"]["url"] = "https://example.com/a.png"
    made = at(body, "openai/gpt-4o")
    assert made.images.tokens == 765 and made.images.high > 1100
    assert "counts as 1024 x 1024" in made.notes[0]


def test_a_pdf_is_counted_by_pages_where_its_provider_says_so(at):
    assert at(pdf(10), GEMINI).tokens == 2580
    made = at(pdf(10), CLAUDE)
    assert (made.low, made.tokens, made.high) == (15_000, 22_500, 30_000)
    made = at(pdf(10), "openai/gpt-4o")
    assert made.tokens == 0 and "not counted" in made.notes[0]
    assert "cannot be read" in at(b"%PDF-1.7\nbroken", GEMINI).notes[0]


def test_what_exceeds_the_context_is_said(at):
    assert not at(b"word " * 200_000, "openai/gpt-4o").fits
    assert at(b"word " * 200_000, CLAUDE).fits


def test_what_is_neither_text_nor_request_is_refused():
    with pytest.raises(RequestError, match="no text in UTF-8"):
        read_material(b"\xff\xfe\x00\x01")


@pytest.mark.parametrize("text", [b"{not json", b'{"a": 1}', b"[1, 2]", b""])
def test_json_that_is_no_request_is_a_text(text):
    assert read_material(text).bare
