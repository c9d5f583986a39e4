"""Rate limits: headers as each provider writes them, 429s, and buckets that refill."""

from collections.abc import Iterator

import anthropic
import openai
import pytest
from google.genai import errors as google_errors

from hybridllm.simulators import Profile, Simulators, prompt_of
from tests.simulators.speakers import SPEAKERS
from tests.simulators.wire import Raw

USER = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def few() -> Iterator[Simulators]:
    """Three requests and 2,000 tokens a minute for each key."""
    with Simulators(Profile(requests_per_minute=3, tokens_per_minute=2000)) as sims:
        yield sims


def test_without_limits_there_are_no_headers(raw):
    headers = raw.chat(messages=USER).headers
    assert not any("ratelimit" in name for name in headers)


def test_openai_says_how_the_key_stands(few):
    client = openai.OpenAI(base_url=few.openai_url, api_key="sim-a", max_retries=0)
    headers = client.chat.completions.with_raw_response.create(
        model="gpt-4o", messages=USER
    ).headers
    assert headers["x-ratelimit-limit-requests"] == "3"
    assert headers["x-ratelimit-remaining-requests"] == "2"
    assert headers["x-ratelimit-limit-tokens"] == "2000"
    assert headers["x-ratelimit-remaining-tokens"] == "1999"
    assert headers["x-ratelimit-reset-requests"].endswith("s")


def test_anthropic_says_how_the_key_stands(few):
    client = anthropic.Anthropic(base_url=few.anthropic_url, api_key="sim-a", max_retries=0)
    headers = client.messages.with_raw_response.create(
        model="claude-sonnet-4-6", max_tokens=9, messages=USER
    ).headers
    assert headers["anthropic-ratelimit-requests-limit"] == "3"
    assert headers["anthropic-ratelimit-requests-remaining"] == "2"
    assert headers["anthropic-ratelimit-input-tokens-limit"] == "2000"
    assert headers["anthropic-ratelimit-input-tokens-reset"].endswith("Z")


def test_openais_429(few):
    client = openai.OpenAI(base_url=few.openai_url, api_key="sim-a", max_retries=0)
    for _ in range(3):
        client.chat.completions.create(model="gpt-4o", messages=USER)
    with pytest.raises(openai.RateLimitError, match="requests per min") as refused:
        client.chat.completions.create(model="gpt-4o", messages=USER)
    assert (refused.value.type, refused.value.code) == ("requests", "rate_limit_exceeded")
    headers = refused.value.response.headers
    assert headers["x-ratelimit-remaining-requests"] == "0"
    assert 0 < int(headers["retry-after"]) <= 20 and 0 < int(headers["retry-after-ms"]) <= 20_000


def test_anthropics_429(few):
    client = anthropic.Anthropic(base_url=few.anthropic_url, api_key="sim-a", max_retries=0)
    long = [{"role": "user", "content": prompt_of(1500)}]
    client.messages.create(model="claude-sonnet-4-6", max_tokens=9, messages=long)
    with pytest.raises(anthropic.RateLimitError, match="2,000 input tokens per minute") as refused:
        client.messages.create(model="claude-sonnet-4-6", max_tokens=9, messages=long)
    assert 0 < int(refused.value.response.headers["retry-after"]) <= 60


def test_googles_429_says_which_quota_and_when(few):
    raw = Raw(few, "sim-a")
    contents = [{"parts": [{"text": "Hello"}]}]
    replies = [raw.generate(contents=contents) for _ in range(4)]
    assert [reply.status for reply in replies] == [200, 200, 200, 429]
    error = google_errors.ClientError(429, replies[-1].json())
    quota, retry = error.details["error"]["details"]
    assert quota["violations"][0]["quotaValue"] == "3"
    assert retry["retryDelay"].endswith("s")


@pytest.mark.parametrize("kind", SPEAKERS)
def test_a_minute_later_the_key_may_again(few, kind):
    speaker = kind(few, "sim-a")
    for _ in range(3):
        speaker.ask("Hello")
    with pytest.raises((openai.RateLimitError, anthropic.RateLimitError, google_errors.APIError)):
        speaker.ask("Hello")
    few.advance(60)
    assert speaker.ask("Hello").text


@pytest.mark.parametrize("kind", SPEAKERS)
def test_each_key_has_its_own(few, kind):
    for key in ("sim-a", "sim-b"):
        for _ in range(3):
            assert kind(few, key).ask("Hello").text


def test_a_refused_call_is_counted_and_not_billed(few):
    raw = Raw(few, "sim-a")
    for _ in range(5):
        raw.chat(messages=USER)
    counts = few.counts()
    assert counts.by_status == {"200": 3, "429": 2}
    assert counts.billed.input_tokens == 3
