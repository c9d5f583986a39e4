"""The whole gateway, everything on, beside the bare relay and its peers.

    make bench                                          all targets; writes benchmarks/RESULTS.md
    make bench-quick                                    gateway and relay, under three minutes
    python -m benchmarks.gateway.run --targets gateway,relay,nginx --rounds 3 --seconds 5 [--json]

Linux, a C compiler, and for the peers PyPI, npm and apt are needed; what cannot be had is said.
"""

from __future__ import annotations

import argparse
import platform
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
from benchmarks.gateway import extras
from benchmarks.gateway.alone import BusyError, alone
from benchmarks.gateway.build import NoCompilerError
from benchmarks.gateway.load import Generator, Upstream
from benchmarks.gateway.machine import cores, description
from benchmarks.gateway.peers import MissingError
from benchmarks.gateway.process import StartError, end_on_signals
from benchmarks.gateway.report import (
    disturbance_text,
    markdown,
    show_cpu,
    show_ratios,
    show_verdicts,
)
from benchmarks.gateway.results import Results
from benchmarks.gateway.rounds import Rounds
from benchmarks.gateway.targets import GATEWAY, RELAY, RUN, TARGETS, Running, Target, chosen
from benchmarks.gateway.verdict import verdicts
from rich.console import Console
from rich.live import Live

RESULTS = Path(__file__).parent.parent / "RESULTS.md"

Told = Callable[[str], None]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--targets", help=f"of {','.join(TARGETS)}; all, if none is named")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of a window")
    parser.add_argument("--warm", type=float, default=1, help="factor on the warm-up's length")
    parser.add_argument("--memory-requests", type=int, default=1_000_000)
    parser.add_argument("--memory-seconds", type=float, default=300, help="no more than this")
    parser.add_argument("--quick", action="store_true", help="gateway and relay, windows alone")
    parser.add_argument("--json", action="store_true", help="print everything found as JSON")
    parser.add_argument("--output", type=Path, help="where to write the results as Markdown")
    options = parser.parse_args()
    if options.quick:
        options.targets = options.targets or "gateway,relay"
        options.seconds = min(options.seconds, 2.0)
        options.warm = 0.5
    options.targets = (options.targets or ",".join(TARGETS)).split(",")
    unknown = [name for name in options.targets if name not in TARGETS]
    if unknown:
        parser.error(f"there is no target {unknown[0]}; there are: {', '.join(TARGETS)}")
    return options


def _versions(results: Results, names: list[str], told: Told) -> list[str]:
    """The targets that can be had, installed if need be."""
    found = []
    for target in chosen(names):
        told(f"{target.title}: looking for it")
        try:
            results.versions[target.name] = target.versions()
        except MissingError as e:
            results.missing[target.title] = " ".join(str(e).split())
            told(f"{target.title} is not measured: {results.missing[target.title]}")
            continue
        results.titles[target.name] = target.title
        found.append(target.name)
    return found


@contextmanager
def _all(
    results: Results, names: list[str], upstream: Upstream, told: Told
) -> Iterator[list[Running]]:
    """The targets, running."""
    with ExitStack() as undo:
        running = []
        for target in chosen(names):
            try:
                each = Running(target, upstream.port)
            except StartError as e:
                results.missing[target.title] = " ".join(str(e).split())[:400]
                told(f"{target.title} did not start: {e}")
                del results.titles[target.name], results.versions[target.name]
                continue
            undo.callback(each.stop)
            running.append(each)
            results.starts[target.name] = [each.started_seconds]
            told(f"{target.title}: started in {each.started_seconds:.2f} s")
        yield running


def measure(results: Results, options: argparse.Namespace, told: Told) -> None:
    """Everything that the options ask for. Raises NoCompilerError."""
    names = _versions(results, options.targets, told)
    with Upstream(RUN) as upstream:
        generator = Generator(RUN)
        with _all(results, names, upstream, told) as running:
            rounds = Rounds(
                results,
                generator,
                upstream,
                running,
                seconds=options.seconds,
                warm=options.warm,
                told=told,
            )
            rounds.probe()
            for number in range(options.rounds):
                rounds.round(number)
        _extras(results, options, generator, upstream, told)
        results.truncated = upstream.stats()["truncated"]


def _extras(
    results: Results,
    options: argparse.Namespace,
    generator: Generator,
    upstream: Upstream,
    told: Told,
) -> None:
    """What is not measured in windows, each in fresh processes."""
    ours = [target for target in (GATEWAY, RELAY) if target.name in results.titles]
    for target in ours:
        with _noted(results, target, "start", told):
            extras.starts(results, upstream, target, told)
        if not options.quick:
            with _noted(results, target, "streams", told):
                extras.many_streams(results, generator, upstream, target, told)
    if GATEWAY not in ours or options.quick:
        return
    rounds, seconds = options.rounds, options.seconds
    with _noted(results, GATEWAY, "workers", told):
        extras.workers(results, generator, upstream, rounds=rounds, seconds=seconds, told=told)
    with _noted(results, GATEWAY, "memory", told):
        extras.memory(
            results,
            generator,
            upstream,
            requests=options.memory_requests,
            seconds=options.memory_seconds,
            told=told,
        )


@contextmanager
def _noted(results: Results, target: Target, what: str, told: Told) -> Iterator[None]:
    """A process that does not start costs its own figure, not all that was measured before."""
    try:
        yield
    except StartError as e:
        results.failed[f"{target.name} {what}"] = " ".join(str(e).split())[:400]
        told(f"{target.title}: {what}: {e}")


def main() -> None:
    if sys.platform != "linux":
        sys.exit("The bench reads /proc and pins processes to cores: it runs on Linux.")
    options = _options()
    end_on_signals()
    results = Results(
        began=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        command=f"python -m benchmarks.gateway.run {shlex.join(sys.argv[1:])}".strip(),
        machine={**description(), "python": platform.python_version()},
        rounds=options.rounds,
        seconds=options.seconds,
    )
    # Without a terminal nothing says how wide a line may be.
    console = Console(stderr=options.json, width=None if sys.stderr.isatty() else 140)
    if cores() < 2:
        console.print("[yellow]One core alone: target and generator share it.[/yellow]")
    began = time.monotonic()
    with Live(show_cpu(results), console=console, auto_refresh=False) as live:

        def told(line: str) -> None:
            live.console.print(f"{time.monotonic() - began:6.0f} s  {line}", markup=False)
            live.update(show_cpu(results), refresh=True)

        try:
            with alone():
                measure(results, options, told)
        except (NoCompilerError, BusyError) as e:
            sys.exit(str(e))
    console.print(show_ratios(results))
    console.print(show_verdicts(results))
    console.print(disturbance_text(results))
    output = options.output or (None if options.quick else RESULTS)
    if output is not None:
        output.write_text(markdown(results))
        console.print(f"Written to {output}.")
    if options.json:
        said = [
            {"what": v.what, "value": v.value, "limit": v.limit, "met": v.met}
            for v in verdicts(results)
        ]
        print(msgspec.json.encode({"results": results, "verdicts": said}).decode())


if __name__ == "__main__":
    main()
