"""The bench of the quality table checks its sums. Nothing here looks at how long anything took."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import bench_quality


def test_every_score_is_in_the_table(tmp_path: Path) -> None:
    figures = bench_quality.run(3000, f"sqlite:///{tmp_path / 'ledger.db'}")
    assert figures["scores"] == 3000 and figures["cold_seconds"] > 0


def test_a_score_that_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bench_quality.measured
    monkeypatch.setattr(bench_quality, "measured", lambda connection: whole(connection)[1:])
    with pytest.raises(AssertionError):
        bench_quality.run(50, f"sqlite:///{tmp_path / 'ledger.db'}")
