"""What a run of the bench found. Written as it stands by `--json`."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import msgspec
from benchmarks.gateway.load import Load, Times


class Window(msgspec.Struct, frozen=True):
    """One target under one scenario's load for some seconds. CPU is the target's process tree's,
    `others_seconds` that of processes that have nothing to do with the bench."""

    scenario: str
    target: str
    round: int
    load: Load
    cpu_seconds: float
    others_seconds: float
    stolen_seconds: float
    pss_kb: int

    @property
    def good(self) -> bool:
        """Whether every request was answered as it should be."""
        return self.load.errors == 0 and self.load.good > 0

    @property
    def us_request(self) -> float:
        """CPU microseconds a request."""
        return self.cpu_seconds * 1e6 / max(1, self.load.good)

    @property
    def us_chunk(self) -> float:
        """CPU microseconds a content chunk; what the request itself costs is in it."""
        return self.cpu_seconds * 1e6 / max(1, self.load.chunks)


class Latency(msgspec.Struct, frozen=True):
    """Requests to the upstream and to a target in turn, `rate` a second to each."""

    target: str
    round: int
    rate: int
    direct: Times
    through: Times
    errors: int


class Streams(msgspec.Struct, frozen=True):
    """`count` streams at once through a fresh process, 250 ms between chunks."""

    target: str
    count: int
    load: Load
    before_kb: int
    most_kb: int
    after_kb: int
    cpu_seconds: float

    @property
    def kb_each(self) -> float:
        """Memory a stream takes while it runs."""
        return (self.most_kb - self.before_kb) / self.count


class Memory(msgspec.Struct, frozen=True):
    """A fresh gateway's memory after so many requests."""

    requests: int
    pss_kb: int
    errors: int
    sample: str = ""


class Workers(msgspec.Struct, frozen=True):
    """Requests a second of one and of two workers, each held to `share` of a core."""

    share: float
    one: list[float]
    two: list[float]
    errors: int

    @property
    def ratio(self) -> float:
        return statistics.median(self.two) / statistics.median(self.one)


class Results(msgspec.Struct):
    """All of it. `missing` says why a target was not measured, `failed` why it was not in a
    scenario (by "target scenario")."""

    began: str
    command: str
    machine: dict[str, str]
    rounds: int
    seconds: float
    titles: dict[str, str] = {}
    versions: dict[str, str] = {}
    missing: dict[str, str] = {}
    failed: dict[str, str] = {}
    starts: dict[str, list[float]] = {}
    windows: list[Window] = []
    latencies: list[Latency] = []
    streams: list[Streams] = []
    memory: list[Memory] = []
    workers: Workers | None = None
    workers_note: str = ""
    truncated: int = 0

    def of(self, scenario: str, target: str) -> list[Window]:
        """The windows of a target in a scenario in which nothing went wrong."""
        found = (w for w in self.windows if w.scenario == scenario and w.target == target)
        return [w for w in found if w.good]

    def median(self, scenario: str, target: str, figure: Callable[[Window], float]) -> float | None:
        """Over the good windows."""
        figures = [figure(w) for w in self.of(scenario, target)]
        return statistics.median(figures) if figures else None

    def ratio(
        self,
        of: tuple[str, str],
        to: tuple[str, str],
        figure: Callable[[Window], float],
    ) -> float | None:
        """Median of the ratios within the same round, of one (scenario, target) to another: what
        slows the whole machine slows both."""
        below = {w.round: figure(w) for w in self.of(*to)}
        ratios = [figure(w) / below[w.round] for w in self.of(*of) if below.get(w.round, 0.0) > 0]
        return statistics.median(ratios) if ratios else None

    def disturbance(self) -> float:
        """What share of a core processes of others used while it was measured, and the host took,
        over all windows."""
        used = sum(w.others_seconds + w.stolen_seconds for w in self.windows)
        return used / max(0.001, sum(w.load.seconds for w in self.windows))

    def errors(self, target: str) -> int:
        """Requests of all windows that were not answered as they should be."""
        return sum(w.load.errors for w in self.windows if w.target == target)
