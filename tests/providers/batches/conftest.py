"""Each provider in turn, at a simulator whose batches take a thousand seconds of its clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from hybridllm.providers.upstream import close_upstreams
from hybridllm.simulators import Profile, Simulators
from tests.providers.batches.sides import MODELS, Side, open_side

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


@pytest_asyncio.fixture(params=list(MODELS))
async def side(request: pytest.FixtureRequest, slow: Simulators) -> AsyncIterator[Side]:
    opened = open_side(slow, request.param)
    yield opened
    await close_upstreams({opened.provider: opened.upstream})
