"""`hybridllm serve`: the gateway."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from hybridllm.cli.output import print_json_line
from hybridllm.config import Config


def serve(
    *,
    config: Path | None = None,
    preset: str | None = None,
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
    ledger: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Serve OpenAI's, Anthropic's and Google's APIs, routing every request.

    With the providers' keys in the usual environment variables no file is needed. Example:

        OPENAI_API_KEY=... ANTHROPIC_API_KEY=... hybridllm serve --port 4000

    then point any SDK's base URL at http://127.0.0.1:4000 (with /v1 for OpenAI's).

    Parameters
    ----------
    config
        The configuration file [default: $HYBRIDLLM_CONFIG, else ./hybridllm.toml if it is there].
    preset
        The tasks, models and prices to start from: default (today's) or guide (April 2026).
    host
        Where to listen; off loopback a gateway key is required.
    port
        The port; 0 lets the system choose.
    workers
        Processes that share the port.
    ledger
        The directory of the ledger [default: ~/.hybridllm].
    json
        Print one line of JSON when ready, instead of a table.
    """
    # Imported here: `hybridllm serve --help` should not wait for the server's modules.
    from hybridllm.gateway.run import bind, run
    from hybridllm.gateway.server import Options, check, read

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    options = Options(
        config=str(config) if config else None,
        preset=preset,
        host=host,
        port=port,
        workers=workers,
        ledger=str(ledger) if ledger else None,
    )
    settings = read(options)
    providers = check(settings)
    listener = bind(settings.server.host, settings.server.port)
    url = f"http://{settings.server.host}:{listener.getsockname()[1]}"

    def ready() -> None:
        if json:
            print_json_line({"url": url, "pid": os.getpid(), "providers": providers})
        else:
            _announce(url, settings, providers)

    run(options, settings.server, listener, ready)


def _announce(url: str, config: Config, providers: list[str]) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_row("[bold]hybridllm[/bold]", f"listening on [bold]{url}[/bold]")
    table.add_row("providers", ", ".join(providers))
    table.add_row(
        "preset",
        f"{config.preset}: {len(config.tasks)} tasks, prices as of {config.catalog.as_of}, "
        f"baseline {config.routing.baseline}",
    )
    table.add_row("OpenAI SDK", f"OPENAI_BASE_URL={url}/v1")
    table.add_row("Anthropic SDK", f"ANTHROPIC_BASE_URL={url}")
    table.add_row("Google SDK", f"GOOGLE_GEMINI_BASE_URL={url}")
    key_env = config.server.key_env
    shown = f"callers send ${key_env}" if os.environ.get(key_env) else "none asked (loopback only)"
    table.add_row("gateway key", shown)
    Console().print(table)
