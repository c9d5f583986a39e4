"""`hybridllm capture show`: one request that was kept, with its answer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.text import Text

from hybridllm.cli.capture_where import iso, nothing_of, store_of
from hybridllm.cli.output import print_json
from hybridllm.cli.tables import console
from hybridllm.evals.captured import one
from hybridllm.evals.capturing import Kept
from hybridllm.evals.graders.rubric import question_of


def show(
    request_id: str,
    *,
    config: Path | None = None,
    ledger: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """One captured request with its answer, as they are kept: redacted. Example:

        hybridllm capture show hl-3f9c0a12b4d7-2a

    Parameters
    ----------
    request_id
        The request, as `hybridllm capture list` names it.
    config
        The configuration file [default: $HYBRIDLLM_CONFIG, else ./hybridllm.toml if it is there].
    ledger
        The directory of the ledger [default: ~/.hybridllm].
    json
        Print JSON.
    """
    with store_of(config, ledger) as engine:
        found = one(engine, request_id, time.time_ns() // 1000)
    if found is None:
        raise nothing_of(request_id)
    if json:
        print_json({**msgspec.structs.asdict(found), "at": iso(found.at)})
    else:
        _print(found)


def _print(found: Kept) -> None:
    out = console()
    head = f"{found.task} by {found.model}, {iso(found.at)}, {found.finish}"
    out.print(Text(head, "bold"))
    for message in found.messages:
        out.print(Text(f"\n{message.get('role', '')}", "dim"))
        out.print(Text(question_of([{**message, "role": ""}]).removeprefix(": ")))
    out.print(Text("\nanswer", "dim"))
    out.print(Text(found.answer))
    taken = ", ".join(f"{n:,} {kind}" for kind, n in sorted(found.redacted.items()))
    out.print(Text(f"\nredacted: {taken or 'nothing'}", "dim"))
