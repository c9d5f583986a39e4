"""`hybridllm audit`: what usage exports cost, and what they would cost routed."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from hybridllm.cli.audit_document import document
from hybridllm.cli.audit_tables import show
from hybridllm.cli.output import money, print_json
from hybridllm.cli.tables import console
from hybridllm.config_file import load_config
from hybridllm.errors import ConfigError
from hybridllm.planning.audit import audit as audited
from hybridllm.planning.audit.engine import Progress
from hybridllm.planning.audit.page import render
from hybridllm.planning.audit.starter import starter

_DAY = "%Y-%m-%d"


def audit(
    usage: Annotated[list[str], Parameter(negative="")],
    /,
    *,
    format: str | None = None,
    task: Annotated[list[str] | None, Parameter(negative="")] = None,
    preset: str | None = None,
    settings: Path | None = None,
    day: str | None = None,
    sample: int = 2000,
    json: Annotated[bool, Parameter(negative="")] = False,
    html: Path | None = None,
    config: Path | None = None,
) -> None:
    """What your usage exports cost, and would cost routed, batched and cached. Nothing is sent.

    Reads usage and cost exports of OpenAI and Anthropic (CSV, or the admin API's JSON), LiteLLM's
    spend logs, Langfuse's observations, OpenTelemetry GenAI spans, our own ledger, and a plain
    table (CSV, JSON lines, Parquet). Examples:

        hybridllm audit usage.csv

        hybridllm audit 2026-*.jsonl.gz --html audit.html --config hybridllm.toml

        hybridllm audit spend.csv --task ticket-triage=classification --json

    Parameters
    ----------
    usage
        The files, gzipped or not, of one format or several.
    format
        Their format, where the content does not show it.
    task
        LABEL=TASK: which task the calls with a label are. May be given several times.
    preset
        The tasks, models and prices: default (today's) or guide (April 2026).
    settings
        The configuration to route by [default: $HYBRIDLLM_CONFIG, else ./hybridllm.toml].
    day
        The day whose prices the comparison is at [default: today, UTC].
    sample
        How many prompts of each file the classifier reads; 0 for none.
    json
        Print one JSON document, its dollars exact.
    html
        Write the report to this file as well, as a page that opens offline.
    config
        Write a hybridllm.toml to start with to this file, which must not exist yet.
    """
    if config is not None and config.exists():
        raise ConfigError(
            "The file is there already, and is not written over.",
            where=str(config),
            remedy="Name a new file; to route by an existing one, give it as --settings.",
        )
    chosen = load_config(str(settings) if settings else None, preset)
    with _progress(shown=not json) as progress:
        found = audited(
            usage,
            chosen,
            _day(day),
            format=format,
            mapping=_mapping(task or []),
            sample=sample,
            progress=progress,
        )
    if html is not None:
        _write(html, render(found, money))
    if config is not None:
        _write(config, starter(found, chosen))
    if json:
        print_json(document(found))
        return
    out = console()
    show(found, out)
    for what, path in (("The page", html), ("A configuration", config)):
        if path is not None:
            out.print(f"\n{what} was written to {path}.", markup=False)


def _day(said: str | None) -> str:
    if said is None:
        return time.strftime(_DAY, time.gmtime())
    try:
        return time.strftime(_DAY, time.strptime(said, _DAY))
    except ValueError:
        raise ConfigError(f'"{said}" is no day such as 2026-04-01.', field="day") from None


def _mapping(said: list[str]) -> dict[str, str]:
    pairs = [text.rpartition("=") for text in said]
    for label, _, task in pairs:
        if not label or not task:
            raise ConfigError(
                "A label's task is given as LABEL=TASK.",
                field="task",
                remedy="Such as --task ticket-triage=classification.",
            )
    return {label: task for label, _, task in pairs}


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as e:
        raise ConfigError(f"It cannot be written: {e.strerror}.", where=str(path)) from None


@contextmanager
def _progress(*, shown: bool) -> Iterator[Progress | None]:
    """A bar on standard error, where that is a terminal."""
    if not shown or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("reading"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        reading = bar.add_task("reading", total=1.0)
        yield lambda done: bar.update(reading, completed=done)
