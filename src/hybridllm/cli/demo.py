"""`hybridllm demo`: the guide's month at 1:1000 through the real SDKs, three times."""

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
from hybridllm.config_file import load_preset
from hybridllm.demo.replay import Ask, Run, Stage, asks_of, replay
from hybridllm.demo.waiting import DOCUMENT_TOKENS, LANE, TALK, TURNS, batched, talked
from hybridllm.errors import HybridError
from hybridllm.planning.workload import load_workload
from hybridllm.reports.levers import Levers, LeversReport

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
    """Replay the guide's month at 1:1000, with a provider down in the middle, and with batches.

    Starts simulated providers and a gateway on this machine, sends 660 calls through the openai,
    anthropic and google-genai SDKs, and reads the bill from the ledger. The third time what can
    wait is batched, and a conversation reads a document from a prompt cache. Example:

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
        pulled, missed = _pull_levers(Path(home) / "levers", preset, asks, console)
    usual = clean.usual_models()
    if json:
        print_json({**_figures(clean, outage, usual), "levers": _lever_figures(pulled)})
    else:
        _show(console, clean, outage, usual, pulled)
    if svg is not None:
        picture = Console(record=True, width=_PICTURE_COLUMNS, file=io.StringIO())
        _show(picture, clean, outage, usual, pulled)
        picture.save_svg(str(svg), title="make demo")
    failures = clean.failures + outage.failures + missed
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


def _pull_levers(
    home: Path, preset: str, asks: list[Ask], console: Console
) -> tuple[LeversReport, list[str]]:
    """The month with what can wait in a batch, and the conversation; and the failures."""
    tasks = load_preset(preset).tasks
    waiting = [ask for ask in asks if tasks[ask.task].can_wait]
    at_once = [ask for ask in asks if not tasks[ask.task].can_wait]
    columns = (TextColumn("{task.description:<16}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        bar = progress.add_task("Batched", total=len(asks) + TURNS)

        def advance() -> None:
            progress.advance(bar)

        with Stage(home, preset, LANE) as stage:
            failures = asyncio.run(batched(stage, waiting, advance))
            failures += asyncio.run(replay(stage.url, at_once, advance))
            failures += asyncio.run(talked(stage, advance))
        return stage.levers(), failures


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


def _month(pulled: LeversReport) -> int:
    """What the month cost, the conversation apart."""
    return sum(one.levers.cost for one in pulled.tasks if one.task != TALK)


def _conversation(pulled: LeversReport) -> Levers:
    return next((one.levers for one in pulled.tasks if one.task == TALK), Levers())


def _lever_figures(pulled: LeversReport) -> dict[str, int | str]:
    """`month_usd` is the month's bill with batches; the conversation has the prompt cache's."""
    total = pulled.total
    return {
        "batched": total.batched,
        "month_usd": dollars(_month(pulled)),
        "batch_saved_usd": dollars(total.batch_saved),
        "prompt_cache_saved_usd": dollars(total.read_saved - total.write_extra),
    }


def _lever_table(pulled: LeversReport) -> Table:
    table = Table(
        title="With what can wait batched, and a conversation cached",
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    table.add_column("task", no_wrap=True)
    for name in ("requests", "cost", "batches saved", "caches saved"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in sorted(pulled.tasks, key=lambda each: each.task):
        name = "a conversation" if one.task == TALK else one.task
        table.add_row(name, *_lever_row(one.levers))
    table.add_section()
    table.add_row("[bold]total[/bold]", *_lever_row(pulled.total))
    return table


def _lever_row(found: Levers) -> tuple[str, ...]:
    cached = found.read_saved - found.write_extra
    sums = (found.cost, found.batch_saved, cached)
    return (f"{found.answered}", *(money(amount, 4) for amount in sums))


def _show(
    console: Console, clean: Run, outage: Run, usual: dict[str, str], pulled: LeversReport
) -> None:
    console.print()
    console.print(_spend_table("Clean run, from the ledger", clean))
    console.print(_spend_table(f"With {DOWN} down for a third of the calls", outage))
    console.print(_lever_table(pulled))
    saved = clean.baseline - clean.hybrid
    month, talk = _month(pulled), _conversation(pulled)
    unmarked = talk.cost + talk.read_saved - talk.write_extra
    extra = outage.hybrid - clean.hybrid
    lines = [
        f"Single provider {money(clean.baseline, 4)}  →  hybrid {money(clean.hybrid, 4)}: "
        f"[bold green]{saved / clean.baseline:.1%} less[/bold green]",
        f"The guide's month is {SCALE:,} times that: {money(clean.baseline * SCALE)} and "
        f"{money(clean.hybrid * SCALE)}, a saving of {money(saved * SCALE)} a month.",
        f"Outage: {outage.requests} requests, [bold]{outage.failed} failed[/bold], "
        f"{outage.fallbacks(usual)} answered by a fallback, {money(extra, 4)} "
        f"{'more' if extra >= 0 else 'less'} than the clean run.",
        f"With what can wait in batches: {money(month, 5)}; {money(month * SCALE)} a month, "
        f"[bold green]{(clean.baseline - month) / clean.baseline:.1%} less[/bold green].",
        f"The conversation, {TURNS} turns over {DOCUMENT_TOKENS:,} tokens: {money(talk.cost, 4)}; "
        f"without a prompt cache {money(unmarked, 4)}.",
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
