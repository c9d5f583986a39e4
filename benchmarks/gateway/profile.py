"""Where the gateway's time goes under load.

    make bench-profile
    python -m benchmarks.gateway.profile [SCENARIO] [--calls] [--target relay] [--seconds 10]

Sampled by py-spy (in an environment of its own), which costs the gateway nearly nothing, so shares
are true; with --calls by cProfile, which counts calls but makes small functions look dear.
"""

from __future__ import annotations

import argparse
import pstats
import subprocess
import sys
from collections import Counter
from pathlib import Path

from benchmarks.gateway import peers
from benchmarks.gateway.alone import BusyError, alone
from benchmarks.gateway.build import ROOT
from benchmarks.gateway.load import Generator, Upstream
from benchmarks.gateway.machine import LOAD_CORE, cpu_seconds, pinned
from benchmarks.gateway.process import end_on_signals
from benchmarks.gateway.scenarios import WINDOWS, Scenario
from benchmarks.gateway.targets import RUN, TARGETS, Plan, Running, Target

_RATE = 250
"""Samples a second."""
_LINES = 45
_WAITING = "Condition.wait "
"""What a thread with nothing to do is seen in."""


def _counted(target: Target, out: Path) -> Target:
    """`target`, its Python under cProfile."""

    def plan(name: str, upstream_port: int) -> Plan:
        made = target.plan(name, upstream_port)
        python, flag, module, *rest = made.command
        assert flag == "-m"
        made.command = [python, "-m", "cProfile", "-o", str(out), "-m", module, *rest]
        return made

    return Target(**{**vars(target), "plan": plan, "patience": 60})


def _sampled(running: Running, generator: Generator, scenario: Scenario, seconds: float) -> str:
    """Load with py-spy beside it; its stacks, one a line with how often it was seen."""
    out = RUN / "stacks.txt"
    command = [
        *(str(peers.py_spy()), "record", "--pid", str(running.pid), "--format", "raw"),
        *("--rate", str(_RATE), "--duration", str(int(seconds)), "-o", str(out)),
    ]
    with pinned(LOAD_CORE):
        spy = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _load(running, generator, scenario, seconds + 2)
        _, said = spy.communicate(timeout=60)
    finally:
        if spy.poll() is None:
            spy.kill()
            spy.wait()
    if not out.exists():
        raise SystemExit(f"py-spy: {said.decode(errors='replace')[-400:]}")
    return out.read_text()


def _load(running: Running, generator: Generator, scenario: Scenario, seconds: float) -> None:
    before = cpu_seconds(running.pid)
    load = generator.run(
        scenario,
        [running.port],
        model=running.target.model(scenario),
        headers=running.headers(scenario),
        seconds=seconds,
    )[0]
    cpu = (cpu_seconds(running.pid) - before) * 1e6
    print(
        f"{scenario.title}: {load.good} replies, {load.errors} errors; CPU "
        f"{cpu / max(1, load.good):.1f} us a request"
        + (f", {cpu / load.chunks:.1f} us a chunk" if load.chunks else "")
    )


def _short(frame: str) -> str:
    """`function (file:line)` as `function file`, without the way to the file."""
    name, _, rest = frame.rpartition(" (")
    path = rest.rpartition(":")[0] or rest.rstrip(")")
    for start in ("/site-packages/", "/src/", "/lib/python3.11/"):
        path = path.rpartition(start)[2]
    return f"{name} {path}"


def show_stacks(text: str) -> None:
    """Shares of all samples: by the innermost frame, by the innermost frame that is Python of
    hybridllm, and by any frame of hybridllm on the stack. What C does for a function of Python is
    that function's; threads that wait are not seen."""
    itself: Counter[str] = Counter()
    ours: Counter[str] = Counter()
    within: Counter[str] = Counter()
    total = 0
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [_short(frame) for frame in stack.split(";")]
        if frames[-1].startswith(_WAITING):
            continue
        n = int(count)
        total += n
        itself[frames[-1]] += n
        mine = [frame for frame in frames if " hybridllm/" in frame]
        if mine:
            ours[mine[-1]] += n
        for frame in set(mine):
            within[frame] += n
    for title, counter in (
        ("share with this function innermost", itself),
        ("share within this function and what is not hybridllm's below it", ours),
        ("share within this function and all below it", within),
    ):
        print(f"\n{title} ({total} samples)")
        for frame, n in counter.most_common(_LINES):
            print(f"  {n / total:6.1%}  {frame}")


def profile(scenario: Scenario, target: Target, seconds: float, calls: bool) -> None:
    """Print where the time goes."""
    out = RUN / "calls.pstats"
    with alone(), Upstream(RUN) as upstream:
        generator = Generator(RUN)
        running = Running(_counted(target, out) if calls else target, upstream.port)
        try:
            _load(running, generator, scenario, 4)
            if calls:
                _load(running, generator, scenario, seconds)
            else:
                show_stacks(_sampled(running, generator, scenario, seconds))
        finally:
            running.stop()
        if calls:
            pstats.Stats(str(out)).sort_stats("tottime").print_stats(_LINES)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = {scenario.name: scenario for scenario in WINDOWS}
    parser.add_argument("scenario", nargs="?", default="chat", choices=names)
    parser.add_argument("--target", default="gateway", choices=("gateway", "relay"))
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--calls", action="store_true")
    options = parser.parse_args()
    end_on_signals()
    try:
        profile(names[options.scenario], TARGETS[options.target], options.seconds, options.calls)
    except peers.MissingError as e:
        sys.exit(f"py-spy cannot be installed ({e}); try --calls.")
    except BusyError as e:
        sys.exit(str(e))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
