"""The lane's bench counts what is there. Nothing here looks at how long anything took."""

from __future__ import annotations

import asyncio
import os
from unittest import mock

import pytest
from benchmarks.bench_batching import STEPS, Bench, Tenth, in_and_out, run


def test_all_that_goes_in_comes_out_and_a_row_that_is_missing_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("HYBRIDLLM_CONFIG", raising=False)
    whole = Bench.close

    async def short(bench: Bench) -> int:
        return await whole(bench) - 1

    monkeypatch.setattr(Bench, "close", short)
    tenths: list[Tenth] = []
    with mock.patch.dict(os.environ):
        wrong = asyncio.run(run(60, "anthropic", tenths.append, parts=1))
    assert wrong == ["rows in the ledger: 59, not 60"]
    assert [tenth.lines for tenth in tenths] == [60] and list(tenths[0].steps) == list(STEPS)
    assert in_and_out(tenths)["in"] > 0
