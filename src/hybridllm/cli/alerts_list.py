"""`hybridllm alerts list`: what was told, and to whom."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from hybridllm.cli.output import print_json
from hybridllm.cli.report_parts import find_ledger
from hybridllm.cli.tables import console, table
from hybridllm.store.alerts import AlertRow, read_alerts

_STYLES = {"due": "yellow", "given_up": "red", "told": "green"}


def list(
    *,
    limit: int = 20,
    config: Path | None = None,
    ledger: Path | None = None,
    store: str | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """The newest alerts, and whom they have reached. Example:

        hybridllm alerts list --limit 5

    Parameters
    ----------
    limit
        How many.
    config
        The configuration file [default: $HYBRIDLLM_CONFIG, else ./hybridllm.toml if it is there].
    ledger
        The directory of the ledger, as given to serve.
    store
        The URL of another store to read.
    json
        Print JSON.
    """
    engine = find_ledger(config, ledger, store)
    try:
        with engine.connect() as connection:
            rows = read_alerts(connection, max(1, limit))
    finally:
        engine.dispose()
    if json:
        print_json([row._asdict() for row in rows])
    elif rows:
        _show(rows)
    else:
        console().print("Nothing was told yet.")


def _show(rows: Sequence[AlertRow]) -> None:
    shown = table(footer=False)
    for name in ("AT", "EVENT", "WHAT", "TOLD"):
        shown.add_column(name, no_wrap=name != "WHAT")
    for _, group in groupby(rows, lambda row: row.id):
        first, *others = group
        told = Text("logged", "dim") if not others else Text()
        for place, row in enumerate(others):
            told.append("\n" if place else "")
            told.append(row.target + " ")
            told.append(row.state.replace("_", " "), _STYLES.get(row.state, ""))
        at = datetime.fromtimestamp(first.at / 1e6, UTC).strftime("%Y-%m-%d %H:%M")
        shown.add_row(at, first.event, Text(first.text), told)
    console().print(shown)
