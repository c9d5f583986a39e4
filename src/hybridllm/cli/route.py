"""`hybridllm route`: what would become of a request, and why. Nothing is sent."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.markup import escape
from rich.table import Table

from hybridllm.catalog.structs import Task
from hybridllm.cli.inputs import Source, read_source
from hybridllm.cli.output import dollars, print_json
from hybridllm.cli.tables import console
from hybridllm.config import Config
from hybridllm.config_file import load_config, resolve_providers
from hybridllm.engine.checking import can_check
from hybridllm.engine.measured import measured_in, with_measured
from hybridllm.engine.passing import passes_of
from hybridllm.errors import RequestError
from hybridllm.ledger.paths import store_url
from hybridllm.quality.passing import MILLION, Passing
from hybridllm.routing import Need, Plan, Router, World, need_of
from hybridllm.routing.caching import Prospect, Warm
from hybridllm.routing.cascade import Cascading
from hybridllm.tasks import Named, TaskNamer
from hybridllm.wire.dialect import Facts, RequestShape
from hybridllm.wire.registry import get_dialect
from hybridllm.wire.telling import DialectName, dialect_of


def route(
    request: Source,
    *,
    task: str | None = None,
    preset: str | None = None,
    config: Path | None = None,
    dialect: DialectName | None = None,
    model: str = "auto",
    assume_keys: bool | None = None,
    warm: Annotated[list[str], Parameter(negative="", consume_multiple=False)] | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Show which models a request would be sent to, in which order, and why each was kept or not.

    Nothing is sent and no key is needed. Examples:

        hybridllm route --task classification request.json
        hybridllm route --task general --warm claude-sonnet-4-6=20000 request.json

    Parameters
    ----------
    request
        The request's JSON body, in any dialect; `-` reads standard input.
    task
        The task, as the header x-hybridllm-task would name it.
    preset
        The tasks, models and prices to start from: default (today's) or guide (April 2026).
    config
        The configuration file [default: $HYBRIDLLM_CONFIG, else ./hybridllm.toml if it is there].
    dialect
        The request's dialect [default: told from its shape].
    model
        The model's name where the dialect has it in the path (google).
    assume_keys
        Treat every provider as having a key [default: only if none has one].
    warm
        `MODEL=TOKENS`: that model's prompt cache holds so many tokens of the input, and answered
        this conversation last (the first that is given). May be given again.
    json
        Print one JSON document.
    """
    settings = load_config(str(config) if config else None, preset)
    settings = with_measured(settings, measured_in(store_url(settings.ledger), settings))
    body = read_source(request)
    spoken = get_dialect(dialect or dialect_of(body))
    shape = RequestShape(model=model) if spoken.name == "google" else RequestShape()
    facts = spoken.facts(body, shape)
    named = TaskNamer(settings).name(facts, task)
    providers, assumed = _providers(settings, assume_keys)
    held = _warm(warm or [], settings)
    world = World(
        providers=providers,
        day=time.strftime("%Y-%m-%d", time.gmtime()),
        previous=next(iter(held), None),
        prospect=Prospect(size=max(1, facts.text_bytes), warm=held) if held else None,
        passing=_passing(settings, named.task, facts),
    )
    plan, refused = _planned(Router(settings), need_of(named, facts), world)
    if json:
        print_json(_document(plan))
    else:
        _show(plan, named, refused, assumed)
    if refused is not None:
        raise SystemExit(2)


def _passing(settings: Config, task: Task, facts: Facts) -> Passing | None:
    """How often the check of the task's cascade passed, as the ledger has it."""
    if task.cascade is None or not can_check(task.cascade, facts):
        return None
    return passes_of(settings, store_url(settings.ledger)).of(task, time.time())


def _warm(said: list[str], settings: Config) -> dict[str, Warm]:
    """What models' caches hold, by id. Raises RequestError."""
    found: dict[str, Warm] = {}
    for each in said:
        name, _, tokens = each.rpartition("=")
        id = settings.catalog.names.get(name)
        if id is None or not tokens.isdigit():
            raise RequestError(
                f"'--warm {each}' names no model and tokens."
                if id is None
                else f"'--warm {each}' has no number of tokens.",
                field="--warm",
                remedy="Write it as --warm MODEL=TOKENS; `hybridllm models` lists the models.",
            )
        found[id] = Warm(int(tokens))
    return found


def _providers(settings: Config, assume: bool | None) -> tuple[frozenset[str], bool]:
    """The providers to count as callable, and whether that is only assumed."""
    resolved = resolve_providers(settings)
    if assume is None:
        assume = not any(provider.keys for provider in resolved.values())
    return (
        frozenset(name for name, provider in resolved.items() if assume or provider.usable),
        assume,
    )


def _planned(router: Router, need: Need, world: World) -> tuple[Plan, RequestError | None]:
    try:
        return router.explain(need, world), None
    except RequestError as e:
        verdicts = router.verdicts(need, world)
        return Plan(task=need.task.name, chain=[], reason=e.text(), verdicts=verdicts), e


def _document(plan: Plan) -> dict[str, Any]:
    return {
        "task": plan.task,
        "chain": [model.id for model in plan.chain],
        "reason": plan.reason,
        "candidates": [
            {
                "model": verdict.model,
                "kept": verdict.kept,
                "why": verdict.why,
                "expected_usd": None if verdict.expected is None else dollars(verdict.expected),
                "nominal_usd": None if verdict.nominal is None else dollars(verdict.nominal),
                "cached_tokens": verdict.cached,
                "variant": verdict.variant,
            }
            for verdict in plan.verdicts
        ],
        **({} if plan.cascade is None else {"cascade": _cascade(plan.cascade)}),
    }


def _cascade(found: Cascading) -> dict[str, Any]:
    rate = found.rate
    return {
        "first": None if found.first is None else found.first.id,
        "taken": found.pays,
        "why": found.words,
        "expected_usd": None if found.expected is None else dollars(found.expected),
        "plain_usd": None if found.plain is None else dollars(found.plain),
        "pass_rate": None if rate is None else rate.mean / MILLION,
        "pass_rate_lower": None if rate is None else rate.lower / MILLION,
        "checks": 0 if rate is None else rate.checks,
    }


def _show(plan: Plan, named: Named, refused: RequestError | None, assumed: bool) -> None:
    out = console()
    out.print(f"[bold]{escape(plan.task)}[/bold], {escape(named.why)} ({named.source})\n")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("model", no_wrap=True)
    table.add_column("")
    table.add_column("expected", justify="right", no_wrap=True)
    warm = any(verdict.cached for verdict in plan.verdicts)
    if warm:
        table.add_column("cached", justify="right", no_wrap=True)
        table.add_column("nominal", justify="right", no_wrap=True)
    varied = any(verdict.variant for verdict in plan.verdicts)
    if varied:
        table.add_column("prompt", no_wrap=True)
    table.add_column("why")
    for verdict in plan.verdicts:
        expected = "" if verdict.expected is None else f"${dollars(verdict.expected)}"
        mark = "[green]kept[/green]" if verdict.kept else "[dim]-[/dim]"
        cells = [escape(verdict.model), mark, expected]
        if warm:
            nominal = "" if verdict.nominal is None else f"${dollars(verdict.nominal)}"
            cells += [f"{verdict.cached:,}" if verdict.cached else "", nominal]
        if varied:
            cells.append(escape(verdict.variant) or "[dim]as it comes[/dim]")
        table.add_row(*cells, escape(verdict.why))
    out.print(table)
    if refused is None:
        chain = " → ".join(model.id for model in plan.chain)
        found = plan.cascade
        if found is not None and found.pays and found.first is not None:
            chain = f"{found.first.id} (checked) → {chain}"
        out.print(f"\nchain   {escape(chain)}")
    out.print(f"{'reason' if refused is None else 'refused'}  {escape(plan.reason)}")
    if assumed:
        out.print("\n[dim]Every provider is treated as having a key.[/dim]")
