"""A gateway with today's models before the simulated providers, and a tap on what it sends them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hybridllm.simulators import Simulators
from tests.clients.tape import Tape, Wiretap
from tests.running import RunningGateway
from tests.waiting import waiting_gateway

__all__ = ["waiting_gateway"]

CONFIG = """
[routing]
concrete_fallbacks = false

[retries]
attempts = 1

[breaker]
failures = 1000
window = 1000
"""
"""A model that is named is the one that answers, and an error is the caller's at once."""


@pytest.fixture(scope="session")
def wiretap(simulators: Simulators) -> Iterator[Wiretap]:
    with Wiretap(simulators.addresses) as running:
        yield running


@pytest.fixture(scope="session")
def today(
    simulators: Simulators, wiretap: Wiretap, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    """The gateway of these tests."""
    home = tmp_path_factory.mktemp("clients")
    env = wiretap.env(simulators.env())
    with RunningGateway(home, env, config=CONFIG, preset="default") as running:
        yield running


@pytest.fixture(scope="session")
def tape() -> Tape:
    """What the SDKs hear of that gateway."""
    return Tape()
