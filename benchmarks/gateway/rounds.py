"""Windows of load, interleaved: in each round every target in every scenario, and every other
round in reverse, so that no target always has the warm or the noisy end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.gateway.load import Generator, Load, Upstream
from benchmarks.gateway.machine import (
    busy_seconds,
    cpu_seconds,
    own_seconds,
    pss_kb,
    stolen_seconds,
)
from benchmarks.gateway.results import Latency, Results, Window
from benchmarks.gateway.scenarios import CHAT, WINDOWS, Scenario
from benchmarks.gateway.targets import Running

Told = Callable[[str], None]


class Rounds:
    """Measures `running` with windows of `seconds`, each after a warm-up of the target's own
    length times `warm`."""

    def __init__(
        self,
        results: Results,
        generator: Generator,
        upstream: Upstream,
        running: Sequence[Running],
        *,
        seconds: float,
        warm: float,
        told: Told,
    ) -> None:
        self._results = results
        self._generator = generator
        self._upstream = upstream
        self._running = list(running)
        self._seconds = seconds
        self._warm = warm
        self._told = told

    def probe(self) -> None:
        """Ask each target once in each scenario; what it cannot do is noted and left out."""
        for each in self._running:
            for scenario in WINDOWS:
                if not each.target.takes(scenario):
                    continue
                load = self._load(each, scenario, 1.0, connections=1, requests=1)
                if load.errors:
                    self._results.failed[f"{each.target.name} {scenario.name}"] = load.sample
                    self._told(f"{each.target.title}: {scenario.title}: {load.sample}")

    def round(self, number: int) -> None:
        """Every target in every scenario, once."""
        order = self._running if number % 2 == 0 else self._running[::-1]
        for scenario in WINDOWS:
            for each in order:
                name = f"{each.target.name} {scenario.name}"
                if each.target.takes(scenario) and name not in self._results.failed:
                    self._window(each, scenario, number)
        self._latency(number)

    def _window(self, each: Running, scenario: Scenario, number: int) -> None:
        self._load(each, scenario, each.target.warm * self._warm)
        cpu, stolen, others = cpu_seconds(each.pid), stolen_seconds(), self._others(each)
        load = self._load(each, scenario, self._seconds)
        window = Window(
            scenario=scenario.name,
            target=each.target.name,
            round=number,
            load=load,
            cpu_seconds=cpu_seconds(each.pid) - cpu,
            others_seconds=max(0.0, self._others(each) - others),
            stolen_seconds=stolen_seconds() - stolen,
            pss_kb=pss_kb(each.pid),
        )
        self._results.windows.append(window)
        figure = (
            f"{window.us_chunk:.1f} us a chunk, {load.chunks_s:,.0f} chunks/s"
            if scenario.stream
            else f"{window.us_request:.1f} us a request, {load.requests_s:,.0f} requests/s"
        )
        trouble = f", {load.errors} errors: {load.sample}" if load.errors else ""
        self._told(f"round {number + 1}: {scenario.title}: {each.target.title}: {figure}{trouble}")

    def _others(self, each: Running) -> float:
        """CPU seconds of all that is neither the target, the upstream, the generator nor us."""
        ours = cpu_seconds(each.pid) + cpu_seconds(self._upstream.pid) + own_seconds()
        return busy_seconds() - ours

    def _load(
        self,
        each: Running,
        scenario: Scenario,
        seconds: float,
        connections: int | None = None,
        requests: int = 0,
    ) -> Load:
        return self._generator.run(
            scenario,
            [each.port],
            model=each.target.model(scenario),
            headers=each.headers(scenario),
            seconds=seconds,
            connections=connections,
            requests=requests,
        )[0]

    def _latency(self, number: int) -> None:
        """Targets that can share a run do, so that all see the same noise."""
        together = [each for each in self._running if each.target.rate == 200 and _light(each)]
        groups = [together] if together else []
        groups += [[each] for each in self._running if each not in together]
        for group in groups:
            rate = group[0].target.rate
            if not _light(group[0]):
                self._load(group[0], CHAT, group[0].target.warm * self._warm)
            direct, *through = self._generator.run(
                CHAT,
                [self._upstream.port, *(each.port for each in group)],
                model=group[-1].target.model(CHAT) if len(group) == 1 else "auto",
                headers=[header for each in group for header in each.headers(CHAT)],
                seconds=self._seconds * 2,
                rate=rate,
            )
            for each, load in zip(group, through, strict=True):
                found = Latency(
                    target=each.target.name,
                    round=number,
                    rate=rate,
                    direct=direct.latency_us,
                    through=load.latency_us,
                    errors=load.errors,
                )
                self._results.latencies.append(found)
                added = found.through.p50 - found.direct.p50
                self._told(
                    f"round {number + 1}: {rate} requests/s: {each.target.title}: "
                    f"{added:.0f} us added at p50"
                )


def _light(each: Running) -> bool:
    """Whether it takes the gateway's own headers and any model's name, and needs no preload."""
    return each.target.name in ("gateway", "relay", "nginx")
