"""Holds processes to a share of a core, by Linux control groups: how two workers can be compared
with one where there is no core for each of them, the generator and the upstream."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

_V1 = Path("/sys/fs/cgroup/cpu")
_V2 = Path("/sys/fs/cgroup")
_PERIOD_US = 10_000


class NoQuotaError(Exception):
    """Control groups cannot be made here."""


def _limit(group: Path, share: float) -> None:
    quota = int(_PERIOD_US * share)
    if (group / "cpu.cfs_quota_us").exists():
        (group / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
        (group / "cpu.cfs_quota_us").write_text(str(quota))
    elif (group / "cpu.max").exists():
        (group / "cpu.max").write_text(f"{quota} {_PERIOD_US}")
    else:
        raise NoQuotaError("The cpu controller is not enabled for new control groups.")


@contextmanager
def held(pids: Sequence[int], share: float) -> Iterator[None]:
    """Each process gets no more than `share` of a core, in a group of its own. Raises
    NoQuotaError."""
    root = _V1 if (_V1 / "cgroup.procs").exists() else _V2
    with ExitStack() as undo:
        try:
            for pid in pids:
                group = root / f"hybridllm-bench-{os.getpid()}-{pid}"
                group.mkdir()
                undo.callback(group.rmdir)
                _limit(group, share)
                (group / "cgroup.procs").write_text(str(pid))
                undo.callback(_give_back, root, pid)
        except OSError as e:
            raise NoQuotaError(f"Control groups cannot be made: {e.strerror}.") from None
        yield


def _give_back(root: Path, pid: int) -> None:
    try:
        (root / "cgroup.procs").write_text(str(pid))
    except OSError:
        pass  # it has ended, and its place in the group with it
