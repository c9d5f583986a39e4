"""`hybridllm simulate`: OpenAI, Anthropic and Google on this machine, without keys or bills."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from hybridllm.cli.output import print_json_line

if TYPE_CHECKING:
    from hybridllm.simulators.surface import Addresses


def simulate(
    *,
    host: str = "127.0.0.1",
    openai_port: int = 9101,
    anthropic_port: int = 9102,
    google_port: int = 9103,
    profile: str = "fast",
    seed: int = 0,
    faults: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Serve simulated providers over HTTP, for tests and for trying things without a key.

    They answer as the real APIs do: streams, tools, caching, usage, errors, rate limits. Example:

        hybridllm simulate --profile realistic

    then paste the lines that it prints into another terminal; any SDK, and `hybridllm serve`,
    speak to the simulators from there. What goes wrong and when can be scripted with --faults.
    Ctrl-C ends it.

    Parameters
    ----------
    host
        Where to listen. There is no security in the keys: keep it on loopback.
    openai_port
        OpenAI's port; 0 lets the system choose, as for the others.
    anthropic_port
        Anthropic's port.
    google_port
        Google's port.
    profile
        fast (no waiting) or realistic (400 ms to the first byte, then 80 tokens a second).
    seed
        Of the faults that are left to chance: the same seed fails the same calls.
    faults
        A fault plan, TOML or JSON; its clock starts with the simulators.
    json
        Print one line of JSON when ready, instead of a table.
    """
    # Imported here: `hybridllm simulate --help` should not wait for the servers' modules.
    from hybridllm.simulators.fault_files import read_faults
    from hybridllm.simulators.standalone import run_simulators

    def ready(addresses: Addresses) -> None:
        if json:
            print_json_line(_document(addresses))
        else:
            _announce(addresses, profile)

    run_simulators(
        ready,
        profile=profile,
        ports={"openai": openai_port, "anthropic": anthropic_port, "google": google_port},
        host=host,
        seed=seed,
        faults=read_faults(faults) if faults else (),
    )


def _document(addresses: Addresses) -> dict[str, object]:
    from hybridllm.simulators.surface import KEY, environment

    names = ("openai", "anthropic", "google")
    return {
        "addresses": {name: getattr(addresses, name) for name in names},
        "keys": dict.fromkeys(names, KEY),
        "environment": environment(addresses),
        "control": f"{addresses.openai}/_sim",
        "pid": os.getpid(),
    }


def _announce(addresses: Addresses, profile: str) -> None:
    from hybridllm.simulators.surface import environment

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("provider")
    table.add_column("address", no_wrap=True)
    table.add_column("control", no_wrap=True)
    for name, title in (("openai", "OpenAI"), ("anthropic", "Anthropic"), ("google", "Google")):
        url: str = getattr(addresses, name)
        table.add_row(title, f"[bold]{url}[/bold]", f"{url}/_sim")
    console = Console(highlight=False)
    console.print(table)
    console.print(f"\nProfile {profile}. In another terminal:\n")
    for name, value in environment(addresses).items():
        # Past the console, which would wrap what is to be pasted.
        print(f"export {name}={value}")
    console.print("\n[dim]Ctrl-C ends the simulators.[/dim]")
    console.file.flush()
