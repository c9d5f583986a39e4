"""`hybridllm select`: five questions, and the model that the router would choose."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from rich.markup import escape

from hybridllm.cli.inputs import Source, read_source
from hybridllm.cli.output import cents, money, print_json
from hybridllm.cli.tables import console
from hybridllm.config import Config
from hybridllm.config_file import load_config
from hybridllm.errors import RequestError
from hybridllm.money import PICODOLLARS
from hybridllm.planning.questions import answers_of, questions
from hybridllm.planning.selected import Selection
from hybridllm.planning.selector import Answers
from hybridllm.planning.selector import select as choose

_LARGE = 10 * PICODOLLARS


def select(
    *,
    task: str | None = None,
    input_tokens: int | None = None,
    bar: float | None = None,
    shared: bool | None = None,
    wait: bool | None = None,
    cloud: str | None = None,
    answers: Source | None = None,
    preset: str | None = None,
    config: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Which model for which task: five questions, or their answers as options. Nothing is sent.

    Without answers the questions are asked: arrow keys, Enter, and the left arrow to go back.
    The choice is the router's own, with every provider counted as callable. Examples:

        hybridllm select --task classification --input-tokens 500 --wait

        hybridllm select --answers answers.json --json

    Parameters
    ----------
    task
        The kind of task, by its name in the configuration.
    input_tokens
        Tokens of one call's input [default: 500].
    bar
        How good is good enough, as a share of good answers [default: the task's own].
    shared
        Most of the input is the same from call to call.
    wait
        An answer within a day is soon enough.
    cloud
        The cloud whose models to prefer, such as google.
    answers
        A JSON object of these, with underscores; `-` reads standard input.
    preset
        The tasks, models and prices: default (today's) or guide (April 2026).
    config
        The configuration file [default: $HYBRIDLLM_CONFIG, else ./hybridllm.toml if it is there].
    json
        Print one JSON document.
    """
    settings = load_config(str(config) if config else None, preset)
    named = {
        "task": task,
        "input_tokens": input_tokens,
        "bar": bar,
        "shared": shared,
        "wait": wait,
        "cloud": cloud,
    }
    said = {name: value for name, value in named.items() if value is not None}
    if answers is not None:
        said = {**_read(answers), **said}
    given = _asked(settings) if answers is None and not said else _answers(said)
    chosen = choose(given, settings, time.strftime("%Y-%m-%d", time.gmtime()))
    if json:
        print_json(_document(given, chosen))
    else:
        _show(chosen)


def _read(path: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(read_source(path), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise RequestError(f"The answers are not a JSON object: {e}.", field="answers") from None


def _answers(said: dict[str, Any]) -> Answers:
    try:
        return msgspec.convert(said, Answers)
    except msgspec.ValidationError as e:
        raise RequestError(
            f"The answers cannot be understood: {e}.",
            remedy=f"They are: {', '.join(Answers.__struct_fields__)}; task is needed.",
        ) from None


def _asked(settings: Config) -> Answers:
    """The answers of a person at the terminal. Raises RequestError where there is none."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise RequestError(
            "There is no terminal to ask in.",
            remedy="Answer by options (--task classification --wait) or with --answers.",
        )
    from hybridllm.cli.asking import ask

    return answers_of(ask(questions(settings)))


def _document(given: Answers, chosen: Selection) -> dict[str, Any]:
    return {
        "answers": msgspec.structs.asdict(given),
        "task": chosen.task,
        "model": chosen.model,
        "usd_per_1000_calls": None if chosen.cost is None else cents(chosen.cost),
        "runner_up": chosen.runner_up,
        "runner_up_usd_per_1000_calls": (
            None if chosen.runner_up_cost is None else cents(chosen.runner_up_cost)
        ),
        "reason": chosen.reason,
        "because": list(chosen.because),
        "passed_over": [{"model": model, "why": why} for model, why in chosen.passed_over],
        "toml": chosen.toml,
    }


def _show(chosen: Selection) -> None:
    out = console()
    out.print(
        f"[bold]{escape(chosen.model)}[/bold]  {_costs(chosen.cost, chosen.calls)}", soft_wrap=True
    )
    if chosen.runner_up is not None:
        said = f"{escape(chosen.runner_up)}  {_costs(chosen.runner_up_cost, chosen.calls)}"
        out.print(f"[dim]runner-up[/dim] {said}", soft_wrap=True)
    out.print()
    for point in chosen.because:
        out.print(f"- {escape(point)}")
    out.print(f"\n[dim]The router: {escape(chosen.reason)}.[/dim]")
    out.print("\nIn hybridllm.toml:\n")
    print(chosen.toml, end="")


def _costs(cost: int | None, calls: int) -> str:
    """Small bills with four places, else the models of a simple task would cost all the same."""
    if cost is None:
        return "its price is not known"
    return f"{money(cost, 2 if cost >= _LARGE else 4)} for {calls:,} calls"
