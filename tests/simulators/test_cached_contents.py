"""Google's explicit caches: made, named, renewed, expired and deleted through its own SDK."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from google import genai
from google.genai import errors, types

from hybridllm.simulators import Simulators, prompt_of

MODEL = "gemini-2.5-flash"
BOOK = prompt_of(3_000, seed=21)


def kept(gemini: genai.Client, **more: Any) -> types.CachedContent:
    config = {"system_instruction": BOOK, "ttl": "600s"} | more
    return gemini.caches.create(model=MODEL, config=types.CreateCachedContentConfig(**config))


def usage(gemini: genai.Client, cache: types.CachedContent, **more: Any) -> tuple[int, int]:
    """Tokens of the whole prompt, and those that the cache held."""
    model = more.pop("model", MODEL)
    config = types.GenerateContentConfig(cached_content=cache.name, **more)
    found = gemini.models.generate_content(model=model, contents="And?", config=config)
    assert found.text and found.usage_metadata is not None
    counted = found.usage_metadata
    return counted.prompt_token_count or 0, counted.cached_content_token_count or 0


def refused(call: Callable[[], Any]) -> errors.APIError:
    with pytest.raises(errors.ClientError) as caught:
        call()
    return caught.value


def test_what_is_kept_is_read_by_each_request_that_names_it(gemini: genai.Client) -> None:
    cache = kept(gemini, display_name="the book")
    assert (cache.display_name, cache.model) == ("the book", f"models/{MODEL}")
    assert cache.usage_metadata is not None
    assert cache.usage_metadata.total_token_count == 3_000
    assert cache.create_time is not None and cache.expire_time is not None
    assert cache.expire_time - cache.create_time == timedelta(seconds=600)
    for _ in range(2):
        assert usage(gemini, cache) == (3_002, 3_000)


def test_contents_and_tools_are_kept_too(gemini: genai.Client) -> None:
    tool = types.Tool(function_declarations=[types.FunctionDeclaration(name="look")])
    asked = types.Content(role="user", parts=[types.Part(text=BOOK)])
    cache = kept(gemini, system_instruction="Be brief.", contents=[asked], tools=[tool])
    total, read = usage(gemini, cache)
    assert total == read + 2 > 3_002
    found = gemini.models.generate_content(
        model=MODEL,
        contents="[[call=look]] Look!",
        config=types.GenerateContentConfig(cached_content=cache.name),
    )
    assert found.candidates


def test_it_ends_and_can_be_renewed(sims: Simulators, gemini: genai.Client) -> None:
    cache = kept(gemini)
    assert cache.name is not None
    sims.advance(500)
    renewed = gemini.caches.update(
        name=cache.name, config=types.UpdateCachedContentConfig(ttl="900s")
    )
    assert renewed.expire_time is not None and cache.expire_time is not None
    assert renewed.expire_time > cache.expire_time
    sims.advance(800)
    assert usage(gemini, cache)[1] == 3_000
    sims.advance(200)
    error = refused(lambda: usage(gemini, cache))
    assert (error.code, error.status) == (403, "PERMISSION_DENIED")
    assert not list(gemini.caches.list())


def test_one_that_is_deleted_is_gone(gemini: genai.Client) -> None:
    first, second = kept(gemini), kept(gemini)
    assert first.name is not None and second.name is not None
    assert [one.name for one in gemini.caches.list()] == [first.name, second.name]
    assert gemini.caches.get(name=second.name) == second
    gemini.caches.delete(name=first.name)
    assert [one.name for one in gemini.caches.list()] == [second.name]
    assert refused(lambda: usage(gemini, first)).code == 403


def test_pages_of_a_list(gemini: genai.Client) -> None:
    names = [kept(gemini).name for _ in range(3)]
    listed = gemini.caches.list(config=types.ListCachedContentsConfig(page_size=2))
    assert [one.name for one in listed] == names


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"system_instruction": "Short."}, "Cached content is too small. total_token_count="),
        ({"ttl": "soon"}, "cached_content.ttl"),
        ({"ttl": "0s"}, "in the future"),
    ],
)
def test_what_cannot_be_kept(gemini: genai.Client, more: dict[str, Any], says: str) -> None:
    error = refused(lambda: kept(gemini, **more))
    assert (error.code, error.status) == (400, "INVALID_ARGUMENT")
    assert says in str(error.message)
    assert not list(gemini.caches.list())


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"system_instruction": "Be kind."}, "CachedContent can not be used with"),
        ({"model": "gemini-2.5-pro"}, "has to be the same"),
    ],
)
def test_what_a_request_that_names_it_must_not_say(
    gemini: genai.Client, more: dict[str, Any], says: str
) -> None:
    cache = kept(gemini)
    error = refused(lambda: usage(gemini, cache, **more))
    assert (error.code, error.status) == (400, "INVALID_ARGUMENT")
    assert says in str(error.message)


def test_another_key_does_not_see_it(sims: Simulators, gemini: genai.Client) -> None:
    cache = kept(gemini)
    other = genai.Client(
        api_key="sim-other", http_options=types.HttpOptions(base_url=sims.google_url)
    )
    assert not list(other.caches.list())
    assert refused(lambda: usage(other, cache)).code == 403
