"""What a month of work costs: all on one model, routed, and routed with batches.

There is no second table of who gets what. The routed month asks the router itself, told that every
provider can be called and how large each call is.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from hybridllm.catalog.structs import Model, Task, Usage
from hybridllm.config import Config
from hybridllm.config_file.document import did_you_mean
from hybridllm.errors import ConfigError, RequestError
from hybridllm.planning.workload import STRATEGIES, Line, Workload
from hybridllm.pricing import cost, price_at, rates_for
from hybridllm.quality import Table, meets
from hybridllm.routing import Need, Router, World

Mode = Literal["sync", "batch"]

_BYTES_PER_KBYTE = 1000


class CostLine(Struct, frozen=True, kw_only=True):
    """A line of the workload on one model. Tokens are those of one call; `cost` is picodollars for
    all calls of the month."""

    task: str
    model: str
    mode: Mode
    calls: int
    input_tokens: int
    output_tokens: int
    cost: int


class Strategy(Struct, frozen=True, kw_only=True):
    """A way of doing the month; `name` is one of `STRATEGIES`."""

    name: str
    lines: tuple[CostLine, ...]

    @property
    def monthly(self) -> int:
        """Picodollars."""
        return sum(line.cost for line in self.lines)


def strategies(
    workload: Workload, config: Config, day: str, baseline: str | None = None
) -> list[Strategy]:
    """The month priced as on `day` (UTC, ISO), in the order of `STRATEGIES`.

    `single` is all of it on `baseline` (any of a chat model's names; None: the configuration's
    own), whether or not that model could take each call: it is what one compares with.

    Raises ConfigError where the workload names an unknown task, no model can take a call of that
    size, a model has no price on that day, or `baseline` is no chat model.
    """
    single = _baseline(config, baseline)
    routed = _Routed(config, day)
    tasks = [_task(config, line) for line in workload.tasks]
    chosen = [
        (line, task, routed.model(line, task))
        for line, task in zip(workload.tasks, tasks, strict=True)
    ]
    ways = (
        [_priced(line, single, day, batch=False) for line, _, _ in chosen],
        [_priced(line, model, day, batch=False) for line, _, model in chosen],
        [_priced(line, model, day, batch=task.can_wait) for line, task, model in chosen],
    )
    return [
        Strategy(name=name, lines=tuple(lines))
        for name, lines in zip(STRATEGIES, ways, strict=True)
    ]


def below_bar(workload: Workload, config: Config, model: str) -> list[str]:
    """The tasks of the month whose quality bar `model` (an id) is not known to meet: there a
    comparison with it is one of different goods."""
    known = Table(config.quality)
    below = []
    for name in dict.fromkeys(line.task for line in workload.tasks):
        task = config.tasks[name]
        quality = known.find(model, task)
        if task.bar > 0 and (quality is None or not meets(quality, task.bar)):
            below.append(name)
    return below


class _Routed:
    """The router, asked in tokens.

    It estimates a request's tokens from its bytes, for each model by that model's tokenizer. A
    workload counts tokens already, the same for all models. So its models are told to make one
    token of each byte, and limits, price tiers and costs are exactly those of the workload.
    """

    def __init__(self, config: Config, day: str) -> None:
        catalog = config.catalog
        models = {
            id: msgspec.structs.replace(model, tokens_per_kbyte=_BYTES_PER_KBYTE)
            for id, model in catalog.models.items()
        }
        counted = msgspec.structs.replace(catalog, models=models)
        self._router = Router(msgspec.structs.replace(config, catalog=counted))
        self._everyone = frozenset(model.provider for model in models.values())
        self._day = day

    def model(self, line: Line, task: Task) -> Model:
        """The first of the chain. Raises ConfigError where the router refuses the call."""
        need = Need(task=task, text_bytes=line.input_tokens, max_output_tokens=line.output_tokens)
        world = World(
            providers=self._everyone,
            day=self._day,
            output_tokens={task.name: line.output_tokens},
        )
        try:
            return self._router.plan(need, world).chain[0]
        except RequestError as e:
            raise ConfigError(
                f"No model of {task.name} can take such a call. {e.message}",
                where=line.where,
                field="task",
                remedy=e.remedy,
            ) from None


def _task(config: Config, line: Line) -> Task:
    found = config.tasks.get(line.task)
    if found is None:
        raise ConfigError(
            f'There is no task "{line.task}" in the preset {config.preset}.',
            where=line.where,
            field="task",
            remedy=did_you_mean(line.task, config.tasks),
        )
    return found


def _baseline(config: Config, name: str | None) -> Model:
    catalog = config.catalog
    wanted = name or config.routing.baseline
    found = catalog.models.get(catalog.names.get(wanted, wanted))
    if found is None or found.kind != "chat":
        raise ConfigError(
            f'The baseline "{wanted}" is no chat model of the catalogue as of {catalog.as_of}.',
            field="baseline",
            remedy="See hybridllm models.",
        )
    return found


def _priced(line: Line, model: Model, day: str, *, batch: bool) -> CostLine:
    """`batch` says that a batch is welcome; where the model has no batch rates the line is sync."""
    price = price_at(model, day)
    if price is None:
        raise ConfigError(
            f"{model.id} has no known price on {day}.",
            where=line.where,
            field="task",
            remedy=f'Give it one: [models."{model.id}"] price = {{ input = 1.0, output = 2.0 }}.',
        )
    live = rates_for(price, line.input_tokens)
    rates = rates_for(price, line.input_tokens, batch=batch)
    usage = Usage(input_tokens=line.input_tokens, output_tokens=line.output_tokens)
    return CostLine(
        task=line.task,
        model=model.id,
        mode="sync" if rates == live else "batch",
        calls=line.calls,
        input_tokens=line.input_tokens,
        output_tokens=line.output_tokens,
        cost=line.calls * cost(usage, rates),
    )
