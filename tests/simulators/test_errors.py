"""Errors: each provider's own shapes, which raise its SDK's own exceptions."""

import anthropic
import openai
import pytest
from google.genai import errors as google_errors

from hybridllm.simulators import Fault, prompt_of
from tests.simulators.conftest import google_client
from tests.simulators.wire import PATHS

USER = [{"role": "user", "content": "Hello"}]

OPENAI = [
    (400, openai.BadRequestError, "invalid_request_error", None),
    (401, openai.AuthenticationError, "invalid_request_error", "invalid_api_key"),
    (
        403, openai.PermissionDeniedError, "invalid_request_error",
        "unsupported_country_region_territory",
    ),
    (404, openai.NotFoundError, "invalid_request_error", "model_not_found"),
    (429, openai.RateLimitError, "requests", "rate_limit_exceeded"),
    (500, openai.InternalServerError, "server_error", None),
    (503, openai.InternalServerError, "server_error", "server_is_overloaded"),
]  # fmt: skip
ANTHROPIC = [
    (400, anthropic.BadRequestError, "invalid_request_error"),
    (401, anthropic.AuthenticationError, "authentication_error"),
    (402, anthropic.APIStatusError, "billing_error"),
    (403, anthropic.PermissionDeniedError, "permission_error"),
    (404, anthropic.NotFoundError, "not_found_error"),
    (413, anthropic.RequestTooLargeError, "request_too_large"),
    (429, anthropic.RateLimitError, "rate_limit_error"),
    (500, anthropic.InternalServerError, "api_error"),
    (504, anthropic.DeadlineExceededError, "timeout_error"),
    (529, anthropic.OverloadedError, "overloaded_error"),
]
GOOGLE = [
    (400, google_errors.ClientError, "INVALID_ARGUMENT"),
    (403, google_errors.ClientError, "PERMISSION_DENIED"),
    (404, google_errors.ClientError, "NOT_FOUND"),
    (429, google_errors.ClientError, "RESOURCE_EXHAUSTED"),
    (500, google_errors.ServerError, "INTERNAL"),
    (503, google_errors.ServerError, "UNAVAILABLE"),
    (504, google_errors.ServerError, "DEADLINE_EXCEEDED"),
]


@pytest.mark.parametrize(("status", "raised", "kind", "code"), OPENAI)
@pytest.mark.parametrize("stream", [False, True])
def test_openai(sims, gpt, status, raised, kind, code, stream):
    sims.faults(Fault(kind="error", status=status, message="As told."))
    with pytest.raises(raised) as error:
        gpt.chat.completions.create(model="gpt-4o", messages=USER, stream=stream)
    found = error.value
    assert (found.status_code, found.type, found.code) == (status, kind, code)
    assert found.request_id.startswith("req_")
    assert found.body["message"] == "As told."


@pytest.mark.parametrize(("status", "raised", "kind"), ANTHROPIC)
@pytest.mark.parametrize("stream", [False, True])
def test_anthropic(sims, claude, status, raised, kind, stream):
    sims.faults(Fault(kind="error", status=status, message="As told."))
    with pytest.raises(raised) as error:
        claude.messages.create(
            model="claude-sonnet-4-6", max_tokens=10, messages=USER, stream=stream
        )
    found = error.value
    assert (found.status_code, found.type) == (status, kind)
    assert found.request_id == found.body["request_id"]
    assert found.body["error"]["message"] == "As told."


@pytest.mark.parametrize(("status", "raised", "name"), GOOGLE)
@pytest.mark.parametrize("stream", [False, True])
def test_google(sims, gemini, status, raised, name, stream):
    sims.faults(Fault(kind="error", status=status, message="As told."))
    generate = gemini.models.generate_content_stream if stream else gemini.models.generate_content
    with pytest.raises(raised) as error:
        list(generate(model="gemini-2.5-flash", contents="Hello"))
    found = error.value
    assert (found.code, found.status, found.message) == (status, name, "As told.")


class TestKeys:
    def test_a_bad_key_is_refused_as_each_provider_does(self, sims, gpt, claude):
        with pytest.raises(openai.AuthenticationError) as refused:
            gpt.with_options(api_key="wrong").models.list()
        assert refused.value.code == "invalid_api_key"
        with pytest.raises(anthropic.AuthenticationError, match="invalid x-api-key"):
            claude.with_options(api_key="wrong").messages.create(
                model="claude-sonnet-4-6", max_tokens=10, messages=USER
            )
        gemini = google_client(sims, "wrong")
        with pytest.raises(google_errors.ClientError) as bad:
            gemini.models.generate_content(model="gemini-2.5-flash", contents="Hello")
        assert bad.value.code == 400
        assert bad.value.details["error"]["details"][0]["reason"] == "API_KEY_INVALID"

    @pytest.mark.parametrize(
        ("provider", "header", "status"),
        [
            ("openai", "authorization", 401),
            ("anthropic", "x-api-key", 401),
            ("google", "x-goog-api-key", 403),
        ],
    )
    def test_no_key_is_refused(self, raw, provider, header, status):
        assert raw.post(provider, PATHS[provider], {}, {header: None}).status == status

    def test_the_key_never_comes_back(self, raw):
        reply = raw.chat(messages=USER)
        wrong = raw.post(
            "openai", PATHS["openai"], {}, {"authorization": "Bearer wrong-secret-4711"}
        )
        assert b"4711" not in wrong.body and b"sim-test" not in reply.body

    def test_a_version_is_asked_for_by_anthropic(self, raw):
        reply = raw.post("anthropic", PATHS["anthropic"], {}, {"anthropic-version": None})
        assert reply.status == 400 and "anthropic-version" in reply.json()["error"]["message"]

    def test_google_takes_the_key_in_the_address(self, raw):
        body = {"contents": [{"parts": [{"text": "Hello"}]}]}
        path = PATHS["google"] + "?key=sim-here"
        assert raw.post("google", path, body, {"x-goog-api-key": None}).status == 200


class TestTooLong:
    def test_openai(self, gpt):
        with pytest.raises(openai.BadRequestError, match="maximum context length is 8192") as long:
            gpt.chat.completions.create(
                model="gpt-4", messages=[{"role": "user", "content": prompt_of(8200)}]
            )
        assert (long.value.code, long.value.param) == ("context_length_exceeded", "messages")

    def test_anthropic(self, claude):
        huge = "word " * 200_010
        with pytest.raises(anthropic.BadRequestError, match=r"prompt is too long: \d+ tokens > 2"):
            claude.messages.create(
                model="claude-haiku-4-5", max_tokens=10,
                messages=[{"role": "user", "content": huge}],
            )  # fmt: skip
        with pytest.raises(anthropic.BadRequestError, match="which is the maximum allowed"):
            claude.messages.create(
                model="claude-haiku-4-5", max_tokens=200_000, messages=USER, timeout=10
            )

    def test_google(self, raw):
        huge = "word " * 1_048_600
        reply = raw.generate(contents=[{"parts": [{"text": huge}]}])
        assert reply.status == 400
        assert "exceeds the maximum number of tokens allowed" in reply.json()["error"]["message"]


def test_a_blocked_prompt_is_refused_by_its_filter(gpt, claude):
    blocked = [{"role": "user", "content": "Do it. [[sim blocked]]"}]
    with pytest.raises(openai.BadRequestError) as refused:
        gpt.chat.completions.create(model="gpt-4o", messages=blocked)
    assert refused.value.code == "invalid_prompt"
    with pytest.raises(anthropic.BadRequestError, match="content filtering policy"):
        claude.messages.create(model="claude-sonnet-4-6", max_tokens=10, messages=blocked)


@pytest.mark.parametrize("provider", ["openai", "anthropic", "google"])
def test_a_body_beyond_every_limit_is_413(raw, provider):
    """In the provider's own shape."""
    reply = raw.post(provider, PATHS[provider], b" " * (64 * 1024 * 1024 + 1))
    assert reply.status == 413 and "error" in reply.json()


@pytest.mark.parametrize("provider", ["openai", "anthropic", "google"])
def test_a_path_that_is_not_there_is_404_in_the_providers_shape(raw, provider):
    reply = raw.request("POST", provider, "/v1/nothing", {})
    assert reply.status == 404 and reply.json()["error"]["message"]
