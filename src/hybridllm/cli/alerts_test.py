"""`hybridllm alerts test`: a message to everyone who would be told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.markup import escape

from hybridllm.cli.output import print_json
from hybridllm.cli.tables import console
from hybridllm.config_file import load_config
from hybridllm.errors import ConfigError
from hybridllm.gateway.notifying import Target, targets_of

TEXT = "A test: alerts of this gateway arrive here. Nothing is wrong."


def test(
    *,
    config: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Send a test message to every target of [alerts], now. Example:

        hybridllm alerts test

    Ends with status 1 where one could not be reached.

    Parameters
    ----------
    config
        The configuration file [default: $HYBRIDLLM_CONFIG, else ./hybridllm.toml if it is there].
    json
        Print JSON.
    """
    settings = load_config(str(config) if config else None)
    targets = targets_of(settings)
    if not targets:
        raise ConfigError(
            "Nobody would be told: no target is configured.",
            where=settings.path,
            field="alerts.urls",
            remedy='Name one in the file: [alerts] urls = ["$SLACK_URL"].',
        )
    results = {target.name: _sent(target) for target in targets}
    if json:
        print_json([{"target": name, "delivered": done} for name, done in results.items()])
    else:
        for name, done in results.items():
            mark = "[green]delivered[/green]" if done else "[red]not delivered[/red]"
            console().print(f"{escape(name)}  {mark}")
    if not all(results.values()):
        raise SystemExit(1)


def _sent(target: Target) -> bool:
    try:
        return target.send("test", TEXT)
    except Exception:  # a service's own; its words may hold the URL
        return False
