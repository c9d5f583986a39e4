"""kill -9 at any moment: every intent has exactly one row, and none is invented."""

from __future__ import annotations

import multiprocessing
import random
import signal
import time
from pathlib import Path

from hybridllm.ledger.journal import runs
from hybridllm.ledger.loader import adopt
from hybridllm.ledger.log import AttemptLog
from hybridllm.store import open_store
from tests.ledger.reading import all_attempts, assert_sums_match_rows, positions
from tests.ledger.writer import write_until_killed

KILLS = 30
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["pytest", "hybridllm.store", "tests.ledger.writer"])


class Said:
    """What the killed processes said, as sets of request ids."""

    def __init__(self) -> None:
        self.intending: set[str] = set()
        self.intended: set[str] = set()
        self.recording: set[str] = set()
        self.recorded: set[str] = set()

    def note(self, path: Path) -> None:
        for line in path.read_text().splitlines():
            what, request_id = line.split()
            getattr(self, what).add(request_id)


def write_and_be_killed(name: str, store: str, directory: Path, seconds: float) -> Path:
    """Meanwhile its loader loads its own journal, and those of the killed before it."""
    said = directory / f"{name}.said"
    writer = processes.Process(
        target=write_until_killed, args=(name, store, str(directory), str(said))
    )
    writer.start()
    while not said.exists() or not said.stat().st_size:
        assert writer.exitcode is None
        time.sleep(0.002)
    time.sleep(seconds)
    writer.kill()
    writer.join()
    assert writer.exitcode == -signal.SIGKILL
    return said


def test_every_call_is_accounted_for_after_kills_at_random_moments(
    store_url: str, tmp_path: Path
) -> None:
    chance = random.Random(20_261_124)
    said = Said()
    for i in range(KILLS):
        said.note(write_and_be_killed(f"w{i}", store_url, tmp_path, chance.uniform(0, 0.15)))
    engine = open_store(store_url)
    adopt(tmp_path / "journal", engine, AttemptLog("off"))

    outcomes = {key[0]: row.outcome for key, row in all_attempts(engine).items()}
    ended = {request_id for request_id, outcome in outcomes.items() if outcome == "ok"}
    assert said.intended <= set(outcomes) <= said.intending
    assert said.recorded <= ended <= said.recording
    assert {outcomes[request_id] for request_id in set(outcomes) - ended} == {"unknown"}
    assert len(said.recorded) > KILLS
    assert_sums_match_rows(engine)
    assert runs(tmp_path / "journal") == []
    assert positions(engine) == {}
    engine.dispose()
