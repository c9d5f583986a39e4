"""What the system says of processes and of itself: CPU, memory, cores, pinning. Linux only."""

from __future__ import annotations

import os
import platform
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_CORES = sorted(os.sched_getaffinity(0))

GATEWAY_CORE = _CORES[0]
LOAD_CORE = _CORES[-1]
"""Generator and upstream share it; the gateway's own core is left to the gateway."""


@contextmanager
def pinned(*cores: int) -> Iterator[None]:
    """Processes started within begin on these cores (all of them if none is named) and stay."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores or _CORES)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def tree(pid: int) -> list[int]:
    """`pid` and all that it started, as far as they run."""
    found = [pid]
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            children = Path(f"/proc/{pid}/task/{task}/children").read_text().split()
            for child in children:
                found += tree(int(child))
    except OSError:
        pass
    return found


def cpu_seconds(pid: int) -> float:
    """CPU, user and system, that the process tree has used. Exact to a tick of 10 ms."""
    ticks = 0
    for each in tree(pid):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


def pss_kb(pid: int) -> int:
    """Memory of the process tree in KB: what is shared with other processes counts in part (PSS),
    so that workers' common pages count once."""
    total = 0
    for each in tree(pid):
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def busy_seconds() -> float:
    """CPU that all processes and the kernel have used, over all cores."""
    user, nice, system, _, _, irq, softirq = _all_cores()[:7]
    return (user + nice + system + irq + softirq) / _TICKS


def stolen_seconds() -> float:
    """CPU that the host has given to others, over all cores."""
    return _all_cores()[7] / _TICKS


def _all_cores() -> list[int]:
    """The first line of /proc/stat, in ticks."""
    return [int(n) for n in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]


def own_seconds() -> float:
    """CPU that this process has used, and those of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def description() -> dict[str, str]:
    """The machine in words."""
    cpu = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 1_048_576
    return {
        "cpu": f"{len(_CORES)} x {cpu}",
        "memory": f"{memory:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def cores() -> int:
    """How many there are for us."""
    return len(_CORES)
