"""A run as tables: on the terminal while it goes on, and as benchmarks/RESULTS.md."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence

from benchmarks.gateway.results import Latency, Results, Window
from benchmarks.gateway.scenarios import WINDOWS, Scenario
from benchmarks.gateway.verdict import NOISE, added, us_chunk, us_request, verdicts
from rich.table import Table

Row = Sequence[str]
Lines = list[str]

_QUIET = 0.1
"""Of a core: more than this by other processes disturbs what is measured."""

METHOD = """\
## How it is measured

- One core holds the target, another the generator and the upstream (`benchmarks/gateway/load.c`,
  `upstream.c`), all on loopback. Bodies are 1,024 bytes; a chat has 64 connections, streams 32.
- CPU is user plus system time of the target's whole process tree over the window, divided by the
  requests, or by the content chunks (64 a stream; the request's own cost is in them), that came out
  right. Every reply is checked: status, whole body, usage, every chunk, the stream's proper end.
- Targets run at the same time and take turns, in reverse order every other round; before each
  window a target is warmed up, the just-in-time compiled ones for longer. Figures are medians over
  the rounds, ranges are over all windows. Ratios are medians of those within the same round.
- The gateway does all of its work: it checks its key, names the task by label, routes over eight
  candidates (two fail the bar or the context, the cheapest of six is taken), prices, journals every
  call twice, and sends its headers; deadlines, breakers and the retry budget are on. The bare relay
  is raw ASGI on uvicorn and the gateway's own HTTP client, and does none of it. nginx does less.
- LiteLLM runs with a master key and no database, Portkey with a custom host, both as they install.
- **A difference under 20% means nothing here:** the same target differs by that much from window to
  window. Requests/s of the fastest targets are bounded by the generator; compare their CPU.
"""


def show_cpu(results: Results) -> Table:
    """CPU so far, by target and scenario."""
    table = Table(title="CPU µs a request, of streams a chunk: median of the windows so far")
    table.add_column("target")
    for scenario in WINDOWS:
        table.add_column(scenario.name, justify="right")
    for target, title in results.titles.items():
        figures = (results.median(s.name, target, figure_of(s)) for s in WINDOWS)
        table.add_row(title, *("" if f is None else f"{f:,.1f}" for f in figures))
    return table


def disturbance_text(results: Results) -> str:
    """Whether the machine was the bench's own."""
    share = results.disturbance()
    text = f"Other processes, and the host, used {share:.0%} of a core meanwhile"
    if share < _QUIET:
        return f"{text}."
    return (
        f"{text}: the machine was not quiet, which makes every figure larger, the more so of what "
        "uses more memory. Only figures of the same round can be compared."
    )


def show_verdicts(results: Results) -> Table:
    """What was wanted, and what came of it."""
    table = Table(title="Targets")
    for name in ("what", "wanted", "measured", ""):
        table.add_column(name)
    for verdict in verdicts(results):
        colour = {True: "green", False: "red", None: "yellow"}[verdict.met]
        word = f"[{colour}]{verdict.word}[/{colour}]"
        table.add_row(verdict.what, verdict.wanted, verdict.shown, word)
    return table


def show_ratios(results: Results) -> Table:
    """The gateway beside the bare relay, in the scenarios that both take part in."""
    table = Table(title="The gateway beside the bare relay, in the same round")
    for name in ("scenario", "gateway µs", "relay µs", "ratio"):
        table.add_column(name, justify="left" if name == "scenario" else "right")
    for scenario in WINDOWS:
        figure = figure_of(scenario)
        ours = results.median(scenario.name, "gateway", figure)
        relay = results.median(scenario.name, "relay", figure)
        ratio = results.ratio((scenario.name, "gateway"), (scenario.name, "relay"), figure)
        table.add_row(scenario.title, _figure(ours), _figure(relay), ratio_text(ratio))
    return table


def figure_of(scenario: Scenario) -> Callable[[Window], float]:
    """What a scenario's CPU is divided by."""
    return us_chunk if scenario.stream else us_request


def ratio_text(ratio: float | None) -> str:
    """A ratio in words: what is within the noise is not quoted as a difference."""
    if ratio is None:
        return "-"
    if 1 / NOISE < ratio < NOISE:
        return "about the same"
    return f"{ratio:.2f}x" if ratio < 10 else f"{ratio:.0f}x"


def markdown(results: Results) -> str:
    """RESULTS.md."""
    lines = [
        "# The gateway beside its peers",
        "",
        f"Measured {results.began} by `{results.command}` ({results.rounds} rounds, windows of "
        f"{results.seconds:g} s). This file is written by the bench; do not edit it. "
        + disturbance_text(results),
        "",
        *(f"- {name}: {value}" for name, value in results.machine.items()),
        *(f"- {results.titles[t]}: {version}" for t, version in results.versions.items()),
        *(f"- **{t} was not measured:** {why}" for t, why in results.missing.items()),
        "",
        METHOD,
        "## Targets",
        "",
        *_table(
            ("what", "wanted", "measured", "verdict"),
            ((v.what, v.wanted, v.shown, v.word) for v in verdicts(results)),
        ),
    ]
    for scenario in WINDOWS:
        lines += _scenario(results, scenario)
    lines += [*_latencies(results), *_standing(results)]
    if results.failed:
        lines += ["", "## What went wrong", ""]
        lines += [f"- {name}: {why}" for name, why in results.failed.items()]
    return "\n".join(lines).rstrip() + "\n"


def _table(head: Row, rows: Iterable[Row]) -> Lines:
    made = [f"| {' | '.join(head)} |", f"| {' | '.join('---' for _ in head)} |"]
    made += [f"| {' | '.join(row)} |" for row in rows]
    return [*made, ""]


def _scenario(results: Results, scenario: Scenario) -> Lines:
    unit = "chunk" if scenario.stream else "request"
    head = ["target", f"CPU µs a {unit} (all windows)", f"{unit}s/s"]
    head += ["first content p50 ms", "transit of a chunk p50 / p99 ms"] if scenario.stream else []
    head += ["reply p50 / p99 ms"]
    ratios = [
        (name, results.titles[name])
        for name in ("relay", "gateway")
        if results.of(scenario.name, name)
    ]
    head += [f"CPU beside {title}'s" for _, title in ratios]
    rows = []
    for target in results.titles:
        failed = results.failed.get(f"{target} {scenario.name}")
        if failed is not None:
            rows.append([results.titles[target], f"failed: {failed[:90]}"])
        elif any(w.scenario == scenario.name and w.target == target for w in results.windows):
            rows.append(_row(results, scenario, target, [name for name, _ in ratios]))
    if not rows:
        return []
    filled = [row + [""] * (len(head) - len(row)) for row in rows]
    return [f"## {scenario.title}", "", *_table(head, filled)]


def _row(results: Results, scenario: Scenario, target: str, beside: list[str]) -> list[str]:
    windows = results.of(scenario.name, target)
    errors = sum(
        w.load.errors for w in results.windows if w.scenario == scenario.name and w.target == target
    )
    title = results.titles[target] + (f" ({errors} errors)" if errors else "")
    if not windows:
        return [title, "no window without errors"]
    figure = figure_of(scenario)

    def median(of: Callable[[Window], float]) -> float:
        return statistics.median(map(of, windows))

    figures = sorted(map(figure, windows))
    rate = median(lambda w: w.load.chunks_s if scenario.stream else w.load.requests_s)
    row = [
        title,
        f"{_figure(median(figure))} ({_figure(figures[0])} to {_figure(figures[-1])})",
        f"{rate:,.0f}",
    ]
    if scenario.stream:
        row += [
            f"{median(lambda w: w.load.first_us.p50) / 1000:.1f}",
            f"{median(lambda w: w.load.transit_us.p50) / 1000:.2f} / "
            f"{median(lambda w: w.load.transit_us.p99) / 1000:.2f}",
        ]
    row.append(
        f"{median(lambda w: w.load.latency_us.p50) / 1000:.1f} / "
        f"{median(lambda w: w.load.latency_us.p99) / 1000:.1f}"
    )
    for other in beside:
        ratio = results.ratio((scenario.name, target), (scenario.name, other), figure)
        row.append("" if other == target else ratio_text(ratio))
    return row


def _latencies(results: Results) -> Lines:
    rows = []
    for target, title in results.titles.items():
        found = [each for each in results.latencies if each.target == target]
        if found:
            errors = sum(each.errors for each in found)
            rows.append(
                (
                    title + (f" ({errors} errors)" if errors else ""),
                    str(found[0].rate),
                    _ms(added(results, target, "p50")),
                    _ms(added(results, target, "p99")),
                    _range(found, "p50"),
                    _range(found, "p99"),
                )
            )
    if not rows:
        return []
    head = ("target", "requests/s", "added p50 ms", "added p99 ms", "p50 ms", "p99 ms")
    return [
        "## Added latency: chat at a fixed rate, beside the upstream itself",
        "",
        *_table(head, rows),
    ]


def _range(found: list[Latency], percentile: str) -> str:
    figures: list[float] = sorted(getattr(each.through, percentile) / 1000 for each in found)
    return f"{figures[0]:.2f} to {figures[-1]:.2f}"


def _standing(results: Results) -> Lines:
    lines = ["## Start and memory", ""]
    rows = []
    for target, title in results.titles.items():
        starts = results.starts.get(target, [])
        pss = [w.pss_kb / 1024 for w in results.windows if w.target == target]
        rows.append(
            (
                title,
                f"{min(starts):.2f} to {max(starts):.2f}" if starts else "-",
                f"{min(pss):.0f} to {max(pss):.0f}" if pss else "-",
            )
        )
    lines += _table(("target", "start to first answer s", "memory MB (PSS) over all windows"), rows)
    if results.memory:
        lines += _table(
            ("requests answered", "gateway's memory MB", "errors"),
            ((f"{m.requests:,}", f"{m.pss_kb / 1024:.1f}", str(m.errors)) for m in results.memory),
        )
    if results.streams:
        head = ("target", "streams open at once", "errors", "MB before", "MB at most", "KB each")
        lines += ["## Slow streams at once, 250 ms a chunk", ""]
        lines += _table(
            (*head, "CPU µs a chunk"),
            (
                (
                    results.titles[s.target],
                    str(s.load.most_open),
                    str(s.load.errors),
                    f"{s.before_kb / 1024:.1f}",
                    f"{s.most_kb / 1024:.1f}",
                    f"{s.kb_each:.1f}",
                    f"{s.cpu_seconds * 1e6 / max(1, s.load.chunks):.1f}",
                )
                for s in results.streams
            ),
        )
    return [*lines, *_workers(results)]


def _workers(results: Results) -> Lines:
    workers = results.workers
    if workers is None:
        return ["## Two workers", "", results.workers_note or "Not measured."]
    one, two = sorted(workers.one), sorted(workers.two)
    return [
        "## Two workers",
        "",
        f"Each worker was held to {workers.share:.0%} of a core by a control group, so that one "
        "core carries both and generator and upstream are not what limits them: what is measured "
        "is whether workers get in each other's way, not a second core.",
        "",
        *_table(
            ("workers", "requests/s, median (all windows)"),
            (
                (name, f"{statistics.median(f):,.0f} ({f[0]:,.0f} to {f[-1]:,.0f})")
                for name, f in (("1", one), ("2", two))
            ),
        ),
    ]


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def _ms(us: float | None) -> str:
    return "-" if us is None else f"{us / 1000:.2f}"
