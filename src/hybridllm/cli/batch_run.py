"""`hybridllm batch run`: a file of prompts in, a file of answers out, at the price of batches."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from hybridllm.cli.batch_desk import Desk, Shown
from hybridllm.cli.batch_input import Input
from hybridllm.cli.batch_state import Progressing
from hybridllm.cli.batch_tables import document
from hybridllm.cli.batch_where import desk_of
from hybridllm.cli.output import print_json

_LOOK_SECONDS = 1.0
_ENCODER = msgspec.json.Encoder()


def run(
    prompts: Path,
    *,
    out: Path,
    task: str | None = None,
    deadline: str = "24h",
    url: str | None = None,
    config: Path | None = None,
    preset: str | None = None,
    ledger: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Answer a file of prompts by a deadline, at the price of batches where that is in time.

    A line of the file is {"prompt": "..."}, a whole chat body, or a line of OpenAI's batches.
    Example:

        hybridllm batch run prompts.jsonl --task classification --out results.jsonl

    The results are complete and in the order of the prompts. A run that was killed goes on where
    it was when it is started again, and sends no line twice. Exit status 1: some lines failed;
    their errors stand in the results.

    Parameters
    ----------
    prompts
        The file, one JSON object a line.
    out
        Where the results go, a line for a line, as in OpenAI's output files.
    task
        The task of all lines [default: each line's own].
    deadline
        By when: 30m, 6h, 2d, or a time like 2026-11-30T18:00Z.
    url
        A gateway that does it; its key is $HYBRIDLLM_KEY [default: this process does it].
    config
        The configuration file [default: $HYBRIDLLM_CONFIG, else ./hybridllm.toml if it is there].
    preset
        The tasks, models and prices to start from: default (today's) or guide (April 2026).
    ledger
        The directory of the ledger [default: ~/.hybridllm].
    json
        Print one JSON document at the end.
    """
    given = Input(prompts)
    with desk_of(url, config, preset, ledger, work=True) as desk:
        files = Progressing(out)
        asked = {"input": given.digest, "task": task or "", "place": desk.where}
        state = files.begin(asked)
        batch = desk.batch(state.batch) if state.batch else desk.find(state.token)
        if batch is None:
            batch = desk.submit(given, token=state.token, task=task or "", deadline=deadline)
        if state.batch != batch.id:
            state.batch = batch.id
            files.keep(state)
        batch = _watch(desk, batch)
        _write(files, desk, batch, given)
    if json:
        print_json({**document(batch), "out": str(out)})
    else:
        _tell(batch, out)
    if batch.answered < batch.total:
        raise SystemExit(1)


def _watch(desk: Desk, batch: Shown) -> Shown:
    """Wait for its end, with a bar on standard error."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[cost]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(batch.id, total=batch.total, completed=batch.ended, cost="")
        while not batch.over:
            batch = desk.batch(batch.id, wait=_LOOK_SECONDS)
            progress.update(bar, completed=batch.ended, cost=f"${batch.cost_usd:f}")
    return batch


def _write(files: Progressing, desk: Desk, batch: Shown, given: Input) -> None:
    """The results under their name: whole, or not at all."""
    with files.part.open("wb") as file:
        for line in desk.results(batch.id, given):
            file.write(_ENCODER.encode(line) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    files.finish()


def _tell(batch: Shown, out: Path) -> None:
    said: list[Any] = [f"{batch.answered:,} of {batch.total:,} answered"]
    said += [f"{n:,} {what}" for n, what in ((batch.failed, "failed"), (batch.late, "late")) if n]
    if batch.cancelled:
        said.append(f"{batch.cancelled:,} cancelled")
    cost = f"${batch.cost_usd:f}, against ${batch.baseline_usd:f} on the baseline model"
    Console(highlight=False).print(f"{', '.join(said)}: {out}\n{cost}", soft_wrap=True)
