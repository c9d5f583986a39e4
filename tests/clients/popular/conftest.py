"""The clients that people use most, each in an environment of its own kind (`make clients`).

None of them knows hybridllm, nor does this environment: they get a base URL, and what the gateway
did is asked of it and of the simulated providers over HTTP. Without a gateway's address in the
environment nothing here is collected.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any
from urllib.request import urlopen

import pytest

GATEWAY = os.environ.get("HYBRIDLLM_GATEWAY", "")
CONTROL = os.environ.get("HYBRIDLLM_SIMULATORS", "")
MODELS = ("openai/gpt-4o-mini", "anthropic/claude-sonnet-4-6", "google/gemini-2.5-flash")

collect_ignore_glob = [] if GATEWAY else ["test_*.py"]


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url() -> str:
    """The gateway's address, without /v1."""
    return GATEWAY


@pytest.fixture
def answered(model: str) -> Callable[[], list[dict[str, Any]]]:
    """The rows of the ledger for the calls that a test has made: each was answered by the model
    that it named, and has the usage that the provider billed."""
    before = len(_calls())

    def rows() -> list[dict[str, Any]]:
        found = []
        for call in _calls()[before:]:
            request_id = call["attempt"].rpartition("-")[0]
            (row,) = _json(f"{GATEWAY}/api/v1/requests/{request_id}")["attempts"]
            assert (row["model"], row["outcome"], row["answered"]) == (model, "ok", True)
            for name, tokens in call["billed"].items():
                assert row[name] == tokens
            assert row["cost"] > 0
            found.append(row)
        assert found, "no provider was called"
        return found

    return rows


def _calls() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _json(f"{CONTROL}/calls")
    return found


def _json(url: str) -> Any:
    with urlopen(url, timeout=30) as reply:
        return json.load(reply)
