"""`hybridllm batch list`: the newest batches."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from hybridllm.cli.batch_tables import document, listing
from hybridllm.cli.batch_where import desk_of
from hybridllm.cli.output import print_json
from hybridllm.cli.tables import console


def list(
    *,
    limit: int = 20,
    url: str | None = None,
    config: Path | None = None,
    ledger: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """The newest batches, how far they are and what they cost. Example:

        hybridllm batch list --limit 5

    Parameters
    ----------
    limit
        How many.
    url
        A gateway to ask; its key is $HYBRIDLLM_KEY [default: the ledger's store].
    config
        The configuration file [default: $HYBRIDLLM_CONFIG, else ./hybridllm.toml if it is there].
    ledger
        The directory of the ledger [default: ~/.hybridllm].
    json
        Print JSON.
    """
    with desk_of(url, config, None, ledger) as desk:
        found = desk.batches(max(1, limit))
    if json:
        print_json([document(batch) for batch in found])
    elif found:
        console().print(listing(found))
    else:
        console().print("There is no batch.")
