"""`hybridllm capture list`: what is kept of production."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from hybridllm.cli.capture_where import iso, store_of
from hybridllm.cli.output import print_json
from hybridllm.cli.tables import console, counted, table
from hybridllm.evals.captured import newest
from hybridllm.evals.capturing import Kept
from hybridllm.evals.graders.rubric import question_of
from hybridllm.store.captures import count_captures

_WIDTH = 60


def list(
    *,
    task: str | None = None,
    limit: int = 20,
    config: Path | None = None,
    ledger: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """What was captured of production: how much of each task and model, and the newest of it.

    Example:

        hybridllm capture list --task classification --limit 5

    Parameters
    ----------
    task
        This task alone.
    limit
        How many requests.
    config
        The configuration file [default: $HYBRIDLLM_CONFIG, else ./hybridllm.toml if it is there].
    ledger
        The directory of the ledger [default: ~/.hybridllm].
    json
        Print JSON.
    """
    now = time.time_ns() // 1000
    with store_of(config, ledger) as engine:
        with engine.connect() as connection:
            counts = count_captures(connection, now, task=task)
        found = [*newest(engine, now, task=task, limit=max(1, limit))]
    if json:
        print_json(
            {
                "kept": [
                    {**one._asdict(), "oldest": iso(one.oldest), "newest": iso(one.newest)}
                    for one in counts
                ],
                "requests": [_document(one) for one in found],
            }
        )
    elif not counts:
        console().print(Text("Nothing is kept. A task captures with [tasks.NAME.capture]."))
    else:
        _print(found, sum(one.n for one in counts), sum(one.size for one in counts))


def _document(one: Kept) -> dict[str, object]:
    return {
        "request_id": one.request_id,
        "task": one.task,
        "model": one.model,
        "at": iso(one.at),
        "redacted": one.redacted,
    }


def _print(found: Sequence[Kept], n: int, size: int) -> None:
    shown = table("Captured", footer=False)
    for name in ("REQUEST", "AT", "TASK", "MODEL", "ASKED"):
        shown.add_column(name, no_wrap=True)
    for one in found:
        asked = " ".join(question_of(one.messages).split())
        asked = asked if len(asked) <= _WIDTH else asked[: _WIDTH - 1] + "…"
        cells = (one.request_id, iso(one.at), one.task, one.model, asked)
        shown.add_row(*map(Text, cells))
    out = console()
    out.print(shown)
    out.print(f"\n[dim]{counted(n, 'request')} kept, {size / 1e6:,.2f} MB.[/dim]")
