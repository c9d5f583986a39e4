"""Simulators whose batches take a thousand seconds, none of which is waited for."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import openai
import pytest
from google import genai

from hybridllm.simulators import Profile, Simulators

KEY = "sim-test"
SECONDS = 1000


@pytest.fixture(scope="session")
def slow_simulators() -> Iterator[Simulators]:
    with Simulators(Profile(batch_seconds=SECONDS)) as running:
        yield running


@pytest.fixture
def slow(slow_simulators: Simulators) -> Iterator[Simulators]:
    slow_simulators.reset()
    yield slow_simulators
    slow_simulators.reset()


@pytest.fixture(scope="session")
def slow_gpt_client(slow_simulators: Simulators) -> openai.OpenAI:
    return openai.OpenAI(base_url=slow_simulators.openai_url, api_key=KEY, max_retries=0)


@pytest.fixture
def slow_gpt(slow: Simulators, slow_gpt_client: openai.OpenAI) -> openai.OpenAI:
    return slow_gpt_client


@pytest.fixture(scope="session")
def slow_claude_client(slow_simulators: Simulators) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=slow_simulators.anthropic_url, api_key=KEY, max_retries=0)


@pytest.fixture
def slow_claude(slow: Simulators, slow_claude_client: anthropic.Anthropic) -> anthropic.Anthropic:
    return slow_claude_client


@pytest.fixture(scope="session")
def slow_gemini_client(slow_simulators: Simulators) -> genai.Client:
    return genai.Client(api_key=KEY, http_options={"base_url": slow_simulators.google_url})


@pytest.fixture
def slow_gemini(slow: Simulators, slow_gemini_client: genai.Client) -> genai.Client:
    return slow_gemini_client
