"""`hybridllm demo`: the guide's month at 1:1000 through the real SDKs, and again in an outage."""

from __future__ import annotations

import asyncio
import io
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from hybridllm.cli.output import dollars, money, print_json
from hybridllm.demo.replay import Ask, Run, Stage, asks_of, replay
from hybridllm.errors import HybridError
from hybridllm.planning.workload import load_workload

SCALE = 1000
DOWN = "anthropic"
_PICTURE_COLUMNS = 84


def demo(
    *,
    preset: str = "guide",
    json: Annotated[bool, Parameter(negative="")] = False,
    keep: Annotated[bool, Parameter(negative="")] = False,
    svg: Path | None = None,
) -> None:
    """Replay the guide's month at 1:1000, then again with a provider down in the middle.

    Starts simulated providers and a gateway on this machine, sends 660 calls through the openai,
    anthropic and google-genai SDKs, and reads the bill from the ledger. Example:

        hybridllm demo --json

    Parameters
    ----------
    preset
        The tasks, models and prices to route by.
    json
        Print the figures as JSON.
    keep
        Leave simulators and gateway of the second run running, until Ctrl-C.
    svg
        Also save the result as a picture.
    """
    asks = asks_of(load_workload("guide"), SCALE)
    console = Console(quiet=json)
    with tempfile.TemporaryDirectory(prefix="hybridllm-demo-") as home:
        clean = _run("Clean run", Path(home) / "clean", preset, asks, console)
        third = len(asks) // 3
        outage = _run(
            f"{DOWN} down",
            Path(home) / "outage",
            preset,
            asks,
            console,
            down=range(third, 2 * third),
            keep=(lambda stage: _wait(stage, console)) if keep and not json else None,
        )
    usual = clean.usual_models()
    if json:
        print_json(_figures(clean, outage, usual))
    else:
        _show(console, clean, outage, usual)
    if svg is not None:
        picture = Console(record=True, width=_PICTURE_COLUMNS, file=io.StringIO())
        _show(picture, clean, outage, usual)
        picture.save_svg(str(svg), title="make demo")
    failures = clean.failures + outage.failures
    if failures:
        raise HybridError(f"{len(failures)} calls failed, the first: {failures[0][:300]}")


def _run(
    title: str,
    home: Path,
    preset: str,
    asks: list[Ask],
    console: Console,
    *,
    down: range = range(0),
    keep: Callable[[Stage], None] | None = None,
) -> Run:
    """One replay, with DOWN taken down while the calls `down` begin."""
    columns = (TextColumn("{task.description:<16}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        bar = progress.add_task(title, total=len(asks))
        with Stage(home, preset) as stage:

            def at(begun: int) -> None:
                if down and begun == down.start:
                    stage.take_down(DOWN)
                    progress.update(bar, description=f"[red]{title}[/red]")
                elif down and begun == down.stop:
                    stage.bring_back()
                    progress.update(bar, description=f"{DOWN} back")

            failures = asyncio.run(replay(stage.url, asks, lambda: progress.advance(bar), at))
            if keep is not None:
                progress.stop()
                keep(stage)
        by_provider, by_model = stage.ledger()
    return Run(
        requests=len(asks),
        failed=len(failures),
        by_provider=by_provider,
        by_model=by_model,
        failures=failures,
    )


def _wait(stage: Stage, console: Console) -> None:
    console.print(f"Still running at [bold]{stage.url}[/bold]; Ctrl-C ends it.")
    for name, value in stage.simulators.env().items():
        console.print(f"  {name}={value}")
    try:
        signal.pause()
    except KeyboardInterrupt:
        console.print()


def _figures(clean: Run, outage: Run, usual: dict[str, str]) -> dict[str, dict[str, int | str]]:
    return {
        "clean": {
            "requests": clean.requests,
            "failed": clean.failed,
            "baseline_usd": dollars(clean.baseline),
            "hybrid_usd": dollars(clean.hybrid),
        },
        "outage": {
            "requests": outage.requests,
            "failed": outage.failed,
            "fallbacks": outage.fallbacks(usual),
            "baseline_usd": dollars(outage.baseline),
            "hybrid_usd": dollars(outage.hybrid),
        },
    }


def _show(console: Console, clean: Run, outage: Run, usual: dict[str, str]) -> None:
    console.print()
    console.print(_spend_table("Clean run, from the ledger", clean))
    console.print(_spend_table(f"With {DOWN} down for a third of the calls", outage))
    saved = clean.baseline - clean.hybrid
    extra = outage.hybrid - clean.hybrid
    lines = [
        f"Single provider {money(clean.baseline, 4)}  →  hybrid {money(clean.hybrid, 4)}: "
        f"[bold green]{saved / clean.baseline:.1%} less[/bold green]",
        f"The guide's month is {SCALE:,} times that: {money(clean.baseline * SCALE)} and "
        f"{money(clean.hybrid * SCALE)}, a saving of {money(saved * SCALE)} a month.",
        f"Outage: {outage.requests} requests, [bold]{outage.failed} failed[/bold], "
        f"{outage.fallbacks(usual)} answered by a fallback, {money(extra, 4)} "
        f"{'more' if extra >= 0 else 'less'} than the clean run.",
    ]
    console.print(Panel("\n".join(lines), title="hybridllm", expand=False))


def _spend_table(title: str, run: Run) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("task", no_wrap=True)
    table.add_column("provider", no_wrap=True)
    for name in ("requests", "single", "hybrid", "saved"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in sorted(run.by_provider.rows, key=lambda r: r.group):
        sums = row.totals
        table.add_row(
            *row.group,
            f"{sums.answered}",
            money(sums.baseline, 4),
            money(sums.cost, 4),
            _saved(sums.baseline, sums.cost),
        )
    total = run.by_provider.total
    table.add_section()
    table.add_row(
        "[bold]total[/bold]",
        "",
        f"{total.answered}",
        money(total.baseline, 4),
        f"[bold]{money(total.cost, 4)}[/bold]",
        _saved(total.baseline, total.cost),
    )
    return table


def _saved(baseline: int, cost: int) -> str:
    if not baseline:
        return ""
    share = (baseline - cost) / baseline
    return f"[{'green' if share >= 0 else 'red'}]{share:+.1%}[/]"
