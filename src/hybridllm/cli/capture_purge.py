"""`hybridllm capture purge`: what was kept of production is deleted."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from hybridllm.cli.capture_where import store_of
from hybridllm.cli.output import print_json
from hybridllm.cli.tables import console, counted
from hybridllm.durations import seconds_of
from hybridllm.errors import RequestError
from hybridllm.store import writing
from hybridllm.store.captures import delete_captures

Flag = Annotated[bool, Parameter(negative="")]


def purge(
    *,
    task: str | None = None,
    older_than: str | None = None,
    all: Flag = False,
    config: Path | None = None,
    ledger: Path | None = None,
    json: Flag = False,
) -> None:
    """Delete what was captured: of a task, of a certain age, or all of it. Example:

        hybridllm capture purge --task classification --older-than 7d

    Parameters
    ----------
    task
        This task alone.
    older_than
        What is older than this: 12h, 7d.
    all
        All of it; needed where neither a task nor an age is named.
    config
        The configuration file [default: $HYBRIDLLM_CONFIG, else ./hybridllm.toml if it is there].
    ledger
        The directory of the ledger [default: ~/.hybridllm].
    json
        Print JSON.
    """
    if task is None and older_than is None and not all:
        raise RequestError(
            "This would delete everything that is kept.",
            field="all",
            remedy="Say --all, or name a --task or an age with --older-than 7d.",
        )
    now = time.time_ns() // 1000
    before = None if older_than is None else now - int(_seconds(older_than) * 1e6)
    with store_of(config, ledger) as engine, writing(engine) as connection:
        count = delete_captures(connection, task=task, before=before)
    if json:
        print_json({"deleted": count})
    else:
        console().print(f"Deleted: {counted(count, 'request')}.")


def _seconds(text: str) -> float:
    try:
        return seconds_of(text)
    except ValueError as e:
        raise RequestError(str(e), field="older-than", remedy="Write '12h' or '7d'.") from None
