"""A gateway reviews its routes by itself, in its own process, while it answers."""

from __future__ import annotations

import time
from pathlib import Path

from hybridllm.errors import HybridError
from hybridllm.reports.review import Review
from hybridllm.reports.review_store import last
from hybridllm.simulators import Simulators
from hybridllm.store import open_store
from tests.gateway.upstream import PATHS
from tests.running import RunningGateway

ASK = {"model": "task/classification", "messages": [{"role": "user", "content": "Hi"}]}
SECOND = 1 / 86_400


def kept(gateway: RunningGateway, seconds: float) -> tuple[Review, str] | None:
    """The review in the gateway's store, as soon as there is one; None after `seconds`."""
    engine = open_store(f"sqlite:///{gateway.ledger / 'ledger.db'}")
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            try:
                return last(engine)
            except HybridError:
                gateway.post(PATHS["openai"], ASK)
                time.sleep(0.1)
        return None
    finally:
        engine.dispose()


def test_a_gateway_leaves_a_review_of_its_own_traffic_in_the_store(
    simulators: Simulators, tmp_path: Path
) -> None:
    config = f"[review]\nevery_days = {SECOND:.9f}\n"
    with RunningGateway(tmp_path, simulators.env(), config=config) as gateway:
        assert gateway.post(PATHS["openai"], ASK).status == 200
        found = kept(gateway, 30)
        assert found is not None
        review, origin = found
        assert (origin, review.preset) == ("serve", "guide")
        assert review.mix.startswith("the ledger's last 30 days")
        assert [route.task for route in review.routes if route.real] == ["classification"]
        assert {one.model for one in review.withdrawals} == {"openai/o3"}
        assert gateway.post(PATHS["openai"], ASK).status == 200
    assert "The routes were reviewed" in gateway.said()
    assert gateway.process.returncode == 0


def test_a_gateway_that_shall_not_review_does_not(simulators: Simulators, tmp_path: Path) -> None:
    config = "[review]\nevery_days = 0\n"
    with RunningGateway(tmp_path, simulators.env(), config=config) as gateway:
        assert gateway.post(PATHS["openai"], ASK).status == 200
        assert kept(gateway, 2) is None
