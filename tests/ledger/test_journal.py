"""What `append` has returned from is in the kernel; a run belongs to its process while it lives."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from hybridllm.errors import ErrorKind, HybridError
from hybridllm.ledger.frames import entries
from hybridllm.ledger.journal import Journal, lock_orphan, runs, segments
from tests.ledger.samples import attempt, intent


def read(run: Path) -> list[object]:
    return [p.entry for s in segments(run) for p in entries(s.path.read_bytes())]


def test_an_entry_can_be_read_as_soon_as_it_is_appended(tmp_path: Path) -> None:
    journal = Journal(tmp_path, worker=0)
    written = [intent(), attempt(), intent("hl-2")]
    for i, entry in enumerate(written):
        journal.append(entry)
        assert read(journal.run) == written[: i + 1]
    journal.close()
    journal.release()


def test_segments_stay_small_and_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path, worker=0)
    journal.segment_bytes = 1000
    written = [intent(f"hl-{i}") for i in range(50)]
    for entry in written:
        journal.append(entry)
    journal.close()
    journal.release()
    assert read(journal.run) == written
    assert len(segments(journal.run)) > 5
    assert all(s.path.stat().st_size < 1500 for s in segments(journal.run))


def test_a_run_is_named_by_worker_and_process_and_private(tmp_path: Path) -> None:
    journal = Journal(tmp_path, worker=3)
    assert journal.run.name.startswith(f"w3-p{os.getpid()}-")
    assert journal.run.stat().st_mode & 0o077 == 0
    assert segments(journal.run)[0].path.stat().st_mode & 0o077 == 0
    journal.close()
    journal.release()


def test_a_run_can_be_taken_over_only_when_its_writer_has_let_go(tmp_path: Path) -> None:
    journal = Journal(tmp_path, worker=0)
    assert lock_orphan(journal.run) is None
    journal.close()
    assert lock_orphan(journal.run) is None
    journal.release()
    lock = lock_orphan(journal.run)
    assert lock is not None
    assert lock_orphan(journal.run) is None
    os.close(lock)


def test_a_run_is_an_orphan_once_its_process_is_killed(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; import sys; from hybridllm.ledger.journal import Journal;"
        f"journal = Journal(Path({str(tmp_path)!r}), 0); print('ready', flush=True);"
        "sys.stdin.read()"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert writer.stdout is not None and writer.stdin is not None
    assert writer.stdout.readline() == b"ready\n"
    (run,) = runs(tmp_path)
    assert lock_orphan(run) is None
    writer.kill()
    writer.wait()
    writer.stdin.close()
    writer.stdout.close()
    lock = lock_orphan(run)
    assert lock is not None
    os.close(lock)


def test_a_full_disk_refuses_the_call_and_leaves_no_half_entry(tmp_path: Path) -> None:
    journal = Journal(tmp_path, worker=0)
    journal.append(intent("hl-1"))
    size = segments(journal.run)[0].path.stat().st_size
    _, hard = before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room in (0, 50):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, hard))
        try:
            with pytest.raises(HybridError) as caught:
                journal.append(intent("hl-2"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert caught.value.kind is ErrorKind.UNAVAILABLE
        assert str(tmp_path) in caught.value.message
    journal.append(intent("hl-3"))
    assert read(journal.run) == [intent("hl-1"), intent("hl-3")]
    assert segments(journal.run)[0].path.stat().st_size == 2 * size
    journal.close()
    journal.release()


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HybridError, match="cannot be written") as caught:
        Journal(tmp_path / "file" / "journal", worker=0)
    assert caught.value.remedy is not None and "ledger.directory" in caught.value.remedy


def test_values_that_no_message_can_hold_still_leave_an_entry(tmp_path: Path) -> None:
    journal = Journal(tmp_path, worker=0)
    journal.append(attempt(input_tokens=10**30, reason="\ud800"))
    assert read(journal.run) == [attempt(input_tokens=2**63 - 1, reason="?")]
    journal.close()
    journal.release()
