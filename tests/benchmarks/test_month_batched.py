"""The guide's month at 1:1000 through the lane, to the picodollar."""

from __future__ import annotations

from pathlib import Path

from benchmarks.month_batched import ALL, ASYNC, look, replay
from rich.console import Console

from hybridllm.config import LedgerConfig
from hybridllm.config_file import load_config
from hybridllm.reports.source import open_ledger
from hybridllm.simulators import Simulators

QUIET = Console(quiet=True)


def test_the_month_with_its_async_tasks_batched_costs_what_the_guides_own_lines_add_up_to(
    tmp_path: Path, simulators: Simulators
) -> None:
    simulators.reset()
    found = replay(tmp_path, 1000, ASYNC, QUIET, simulators)
    assert found.wrong == []
    assert found.cost == 4_376_250_000_000  # $4.37625: 26.25 + 1,625 + 975 + 1,750, at 1:1000


def test_the_month_in_which_every_task_may_wait_costs_no_more_than_the_hybrid_at_batch_prices(
    tmp_path: Path, simulators: Simulators
) -> None:
    simulators.reset()
    found = replay(tmp_path, 1000, ALL, QUIET, simulators)
    assert found.wrong == []
    assert found.cost <= 2_688_750_000_000
    # The same ledger, held against what it does not keep.
    store = open_ledger(LedgerConfig(directory=str(tmp_path / "ledger")))
    config = load_config(str(tmp_path / "hybridllm.toml"), "guide")
    _, wrong = look(store, config, ASYNC)
    store.dispose()
    assert len(wrong) == len(ALL) - len(ASYNC), "what was batched and could not wait is named"
