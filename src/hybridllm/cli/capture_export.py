"""`hybridllm capture export`: what was kept of production, as a set of samples."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

from cyclopts import Parameter

from hybridllm.cli.capture_where import store_of
from hybridllm.cli.tables import counted
from hybridllm.errors import RequestError
from hybridllm.evals.captured import lines_of, newest, said_grader


def export(
    *,
    task: str,
    out: Path | None = None,
    grader: str = "f1",
    expected: str | None = None,
    limit: int = 200,
    config: Path | None = None,
    ledger: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Write what was captured of a task as a set for `hybridllm eval run`, JSONL, the newest first.

    Example:

        hybridllm capture export --task classification --grader normalised --out set.jsonl

    Graders that compare with a reference get production's answer as what is expected; correct it
    where it was wrong.

    Parameters
    ----------
    task
        The task.
    out
        The file, which must not be there [default: standard output].
    grader
        Who is to grade: a name, or a JSON object with parameters.
    expected
        What is expected of every answer, instead of production's own.
    limit
        At most so many.
    config
        The configuration file [default: $HYBRIDLLM_CONFIG, else ./hybridllm.toml if it is there].
    ledger
        The directory of the ledger [default: ~/.hybridllm].
    json
        Nothing changes: a set is JSON lines anyway.
    """
    who = said_grader(grader)
    count = 0
    with store_of(config, ledger) as engine, _writing(out) as file:
        found = newest(engine, time.time_ns() // 1000, task=task, limit=max(1, limit))
        for line in lines_of(found, who, expected):
            file.write(line)
            count += 1
    print(f"{counted(count, 'sample')} of {task}.", file=sys.stderr)


@contextmanager
def _writing(path: Path | None) -> Iterator[BinaryIO]:
    if path is None:
        yield sys.stdout.buffer
        return
    try:
        file = open(path, "xb")  # noqa: SIM115 - closed below
    except OSError as e:
        raise RequestError(
            f"Cannot write {path}: {e.strerror}.", field="out", remedy="Name a new file."
        ) from None
    with file:
        yield file
