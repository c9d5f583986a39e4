"""`hybridllm cost`: what a month of work would cost on one model, routed, with batches, and at the
least."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from hybridllm.cli.cost_document import document
from hybridllm.cli.cost_tables import show
from hybridllm.cli.output import money, print_json
from hybridllm.cli.tables import console
from hybridllm.config import Config, OverheadConfig
from hybridllm.config_file import load_config
from hybridllm.errors import ConfigError
from hybridllm.planning.comparison import compare
from hybridllm.planning.cost_page import render
from hybridllm.planning.workload import load_workload


def cost(
    workload: str = "guide",
    *,
    preset: str | None = None,
    baseline: str | None = None,
    html: Path | None = None,
    setup_days: float | None = None,
    maintenance_hours: float | None = None,
    adaptation_hours: float | None = None,
    evaluation_usd: float | None = None,
    hourly_rate_usd: float | None = None,
    config: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """What a month of work costs on one model, routed, and with batches. Nothing is sent.

    Beside them stands the cheapest way there is to meet every task's quality bar, and why it is
    lower; where marking a shared prefix pays; when the engineering is earned back; and what other
    prices and volumes would do. No key is needed: every provider counts as callable. Examples:

        hybridllm cost --preset guide

        hybridllm cost month.toml --baseline gpt-4o --json

        hybridllm cost month.toml --html month.html --hourly-rate-usd 140

    A workload is a TOML file with a [[tasks]] table for each kind of call: task, calls (a month),
    input_tokens and output_tokens (of one call); docs/costs.md has the keys that say more.

    Parameters
    ----------
    workload
        The TOML file; or `guide`, the month of the hybrid stack guide.
    preset
        The tasks, models and prices: default (today's) or guide (April 2026).
    baseline
        The single model to compare with [default: the configuration's routing.baseline].
    html
        Write a page with charts to this file; it opens offline.
    setup_days
        Days of engineering, once [default: the configuration's overhead.setup_days, 3 to 5].
    maintenance_hours
        Hours a month [default: overhead.maintenance_hours, 2 to 4].
    adaptation_hours
        Hours once for each task on a provider that is not the baseline's
        [default: overhead.adaptation_hours, 2 to 4].
    evaluation_usd
        Dollars a month for evaluation [default: overhead.evaluation_usd, 300 to 500].
    hourly_rate_usd
        Dollars an hour of engineering [default: overhead.hourly_rate_usd, 100].
    config
        The configuration file [default: $HYBRIDLLM_CONFIG, else ./hybridllm.toml if it is there].
    json
        Print one JSON document, its dollars exact.
    """
    settings = load_config(str(config) if config else None, preset)
    settings = _with_overhead(
        settings,
        setup_days=setup_days,
        maintenance_hours=maintenance_hours,
        adaptation_hours=adaptation_hours,
        evaluation_usd=evaluation_usd,
        hourly_rate_usd=hourly_rate_usd,
    )
    month = load_workload(workload)
    found = compare(month, settings, time.strftime("%Y-%m-%d", time.gmtime()), baseline)
    if html is not None:
        _write(html, render(month, settings, found, money))
    if json:
        print_json(document(month, settings, found))
    else:
        show(console(), month, settings, found)
        if html is not None:
            console().print(f"\n[dim]The page is in {html}.[/dim]")


def _with_overhead(settings: Config, **said: float | None) -> Config:
    """With one figure in place of each range that an option names."""
    overhead: OverheadConfig = settings.overhead
    for name, number in said.items():
        if number is None:
            continue
        if not 0 <= number <= 1_000_000:
            raise ConfigError(
                f"{number:g} is out of range.",
                field=f"--{name.replace('_', '-')}",
                remedy="It must be 0 or more and at most 1,000,000.",
            )
        figure = number if name == "hourly_rate_usd" else (number, number)
        overhead = msgspec.structs.replace(overhead, **{name: figure})
    return msgspec.structs.replace(settings, overhead=overhead)


def _write(path: Path, page: str) -> None:
    try:
        path.write_text(page, "utf-8")
    except OSError as e:
        raise ConfigError(
            f"The page cannot be written: {e.strerror}.",
            where=str(path),
            remedy="Give a file in a directory that is there and may be written.",
        ) from None
