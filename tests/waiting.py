"""A gateway whose lane is quick, for tests of work that can wait.

A room's conftest imports `waiting_gateway`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from hybridllm.simulators import Simulators
from tests.running import RunningGateway

T = TypeVar("T")

QUICK = """
[batch]
max_age_seconds = 0.1
poll_seconds = 0.1
max_poll_seconds = 0.2
usual_seconds = 1.0
margin_seconds = 1.0
"""
"""Batches are submitted as soon as anything waits, and looked after all the time."""
SECONDS = 20.0


@pytest.fixture(scope="session")
def waiting_gateway(
    simulators: Simulators, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    """The preset `guide`, and a lane that does not wait for more."""
    home = tmp_path_factory.mktemp("waiting")
    with RunningGateway(home, simulators.env(), config=QUICK) as running:
        yield running


def until(look: Callable[[], T], good: Callable[[T], bool], seconds: float = SECONDS) -> T:
    """What `look` sees once it is good."""
    end = time.monotonic() + seconds
    while not good(seen := look()):
        assert time.monotonic() < end, f"It has not come: {seen!r}"
        time.sleep(0.05)
    return seen
