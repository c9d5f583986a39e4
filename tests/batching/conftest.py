from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hybridllm.batching import timing
from hybridllm.simulators import Simulators
from tests.batching.fakes import FakeProvider
from tests.batching.lanes import Home
from tests.databases import postgres_server, store_url

__all__ = ["postgres_server", "store_url"]


@pytest.fixture
def keys(simulators: Simulators, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment of someone who has keys and no configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYBRIDLLM_CONFIG", raising=False)
    for name, value in simulators.env().items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def short_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for what has failed to recover."""
    monkeypatch.setattr(timing, "REST_SECONDS", 0.01)


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest_asyncio.fixture
async def home(
    keys: None, store_url: str, tmp_path: Path, provider: FakeProvider
) -> AsyncIterator[Home]:
    """A lane before batches of no cost."""
    made = Home(store_url, tmp_path, apis=provider.apis)
    yield made
    await made.close()


@pytest_asyncio.fixture
async def real(keys: None, simulators: Simulators, tmp_path: Path) -> AsyncIterator[Home]:
    """A lane before the simulated providers."""
    simulators.reset()
    made = Home(f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path)
    yield made
    await made.close()
    simulators.reset()
