"""Fresh simulators for each test, and the three official SDKs pointed straight at them."""

from collections.abc import Iterator

import anthropic
import openai
import pytest
from google import genai

from hybridllm.simulators import Simulators
from tests.simulators.speakers import SPEAKERS, Speaker
from tests.simulators.wire import Raw

KEY = "sim-test"


@pytest.fixture
def sims(simulators: Simulators) -> Iterator[Simulators]:
    """As if just started: no calls counted, no faults, cold caches."""
    simulators.reset()
    yield simulators
    simulators.reset()


@pytest.fixture
def gpt(sims: Simulators) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=sims.openai_url, api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture
def claude(sims: Simulators) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=sims.anthropic_url, api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture
def gemini(sims: Simulators) -> genai.Client:
    return google_client(sims)


def google_client(sims: Simulators, key: str = KEY) -> genai.Client:
    return genai.Client(api_key=key, http_options={"base_url": sims.google_url})


@pytest.fixture
def raw(sims: Simulators) -> Raw:
    """Plain HTTP, for what an SDK would not send or would hide."""
    return Raw(sims, KEY)


@pytest.fixture(params=SPEAKERS, ids=[speaker.provider for speaker in SPEAKERS])
def speaker(request: pytest.FixtureRequest, sims: Simulators) -> Speaker:
    """One provider after the other, through its own SDK, behind one interface."""
    made: Speaker = request.param(sims, KEY)
    return made
