"""The providers that are not there, and a gateway before them, shared by all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from hybridllm.simulators import Simulators
from tests.running import RunningGateway

# The same examples in every run, so that a change alone can turn a test red; `make explore` looks
# for new ones.
settings.register_profile("steady", derandomize=True)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def simulators() -> Iterator[Simulators]:
    """All three providers, without delays. Tests that set faults clear them."""
    with Simulators(profile="fast") as running:
        yield running


@pytest.fixture(scope="session")
def gateway(
    simulators: Simulators, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    """A gateway with the preset `guide` and nothing configured but the simulators' addresses."""
    with RunningGateway(tmp_path_factory.mktemp("gateway"), simulators.env()) as running:
        yield running
