"""`hybridllm batch show`: one batch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from hybridllm.cli.batch_tables import document, listing
from hybridllm.cli.batch_where import desk_of
from hybridllm.cli.output import print_json
from hybridllm.cli.tables import console


def show(
    id: str,
    *,
    url: str | None = None,
    config: Path | None = None,
    ledger: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """One batch: how far it is and what it costs. Example:

        hybridllm batch show batch_4f1d

    Parameters
    ----------
    id
        The batch, as `hybridllm batch list` shows it.
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
        batch = desk.batch(id)
    if json:
        print_json(document(batch))
    else:
        console().print(listing([batch]))
