"""Fresh simulators for each test, and the three official SDKs pointed straight at them."""

from collections.abc import Iterator
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Clients:
    """Made once: to make a client takes longer than most calls."""

    gpt: openai.OpenAI
    claude: anthropic.Anthropic
    gemini: genai.Client
    speakers: dict[type[Speaker], Speaker]


@pytest.fixture(scope="session")
def clients(simulators: Simulators) -> Clients:
    sims = simulators
    return Clients(
        openai.OpenAI(base_url=sims.openai_url, api_key=KEY, max_retries=0),
        anthropic.Anthropic(base_url=sims.anthropic_url, api_key=KEY, max_retries=0),
        google_client(sims),
        {kind: kind(sims, KEY) for kind in SPEAKERS},
    )


@pytest.fixture
def gpt(sims: Simulators, clients: Clients) -> openai.OpenAI:
    return clients.gpt


@pytest.fixture
def claude(sims: Simulators, clients: Clients) -> anthropic.Anthropic:
    return clients.claude


@pytest.fixture
def gemini(sims: Simulators, clients: Clients) -> genai.Client:
    return clients.gemini


def google_client(sims: Simulators, key: str = KEY) -> genai.Client:
    return genai.Client(api_key=key, http_options={"base_url": sims.google_url})


@pytest.fixture
def raw(sims: Simulators) -> Raw:
    """Plain HTTP, for what an SDK would not send or would hide."""
    return Raw(sims, KEY)


@pytest.fixture(params=SPEAKERS, ids=[speaker.provider for speaker in SPEAKERS])
def speaker(request: pytest.FixtureRequest, sims: Simulators, clients: Clients) -> Speaker:
    """One provider after the other, through its own SDK, behind one interface."""
    return clients.speakers[request.param]
