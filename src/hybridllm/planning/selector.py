"""The model selector: five answers in, a model out, with its runner-up, its cost and its route.

There is no second table. The answers are made a request and a state of the world, and the router
decides; whatever is said of the decision is read off the router's own verdicts.

A request of so many tokens is put to the router as one of so many bytes, of models that make one
token of each byte: so limits, price tiers and costs are exactly those of the answers.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from hybridllm.catalog.structs import Model, Task
from hybridllm.config import Config
from hybridllm.config_file.document import did_you_mean
from hybridllm.errors import RequestError
from hybridllm.planning.selected import Selection, Standing, described
from hybridllm.routing import Need, Router, World
from hybridllm.routing.plan import Plan, Verdict

SHARED_PERCENT = 80
"""How much of the input is taken to be the same from call to call where context is shared: a long
system prompt or document before a short question."""
CALLS = 1_000
_MOST_TOKENS = 10**9


class Answers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`input_tokens` are those of one call. `bar` is the share of good answers that is good enough,
    None: the task's own. `shared`: most of the input is the same from call to call. `wait`: an
    answer within a day is soon enough. `cloud` is the ecosystem to prefer."""

    task: str
    input_tokens: int = 500
    bar: float | None = None
    shared: bool = False
    wait: bool = False
    cloud: str | None = None


def select(answers: Answers, config: Config, day: str) -> Selection:
    """The router's decision on these answers, priced as on `day` (UTC, ISO). Every provider counts
    as having a key. Raises RequestError for an answer that cannot be, or that no model serves."""
    check(answers, config)
    task = task_of(answers, config)
    plan = Router(in_tokens(config, task)).explain(
        need_of(answers, task), world(answers, config, day)
    )
    second = runner_up(plan)
    return described(
        Standing(
            config=config,
            task=task,
            own=config.tasks[task.name],
            model=plan.chain[0],
            verdict=_verdict(plan, plan.chain[0].id),
            input_tokens=answers.input_tokens,
            shared_tokens=shared_tokens(answers),
            batch=answers.wait,
            day=day,
        ),
        plan,
        None if second is None else _verdict(plan, second),
        CALLS,
    )


def check(answers: Answers, config: Config) -> None:
    """Raises RequestError for an answer that cannot be."""
    if answers.task not in config.tasks:
        raise RequestError(
            f'There is no task "{answers.task}".',
            field="task",
            remedy=did_you_mean(answers.task, config.tasks),
        )
    if not 0 < answers.input_tokens <= _MOST_TOKENS:
        raise RequestError("An input has from 1 to 1,000,000,000 tokens.", field="input_tokens")
    if answers.bar is not None and not 0 <= answers.bar <= 1:
        raise RequestError(
            "The bar is a share of good answers.", field="bar", remedy="Say 0.9 for nine in ten."
        )
    known = clouds(config)
    if answers.cloud is not None and answers.cloud not in known:
        raise RequestError(
            f'No provider belongs to the cloud "{answers.cloud}".',
            field="cloud",
            remedy=f"There are: {', '.join(known)}." if known else "Leave it out.",
        )


def clouds(config: Config) -> list[str]:
    """The ecosystems that any provider belongs to."""
    found = {spec.ecosystem for spec in config.catalog.providers.values()}
    found |= {provider.ecosystem for provider in config.providers.values()}
    return sorted(one for one in found if one)


def task_of(answers: Answers, config: Config) -> Task:
    """The configured task as the answers want it."""
    own = config.tasks[answers.task]
    return msgspec.structs.replace(
        own,
        bar=own.bar if answers.bar is None else answers.bar,
        can_wait=answers.wait,
        ecosystem=answers.cloud or own.ecosystem,
    )


def in_tokens(config: Config, task: Task) -> Config:
    """The configuration with this task alone and models that make one token of each byte."""
    catalog = config.catalog
    models = {
        id: msgspec.structs.replace(model, tokens_per_kbyte=1000)
        for id, model in catalog.models.items()
    }
    return msgspec.structs.replace(
        config,
        catalog=msgspec.structs.replace(catalog, models=models),
        tasks={task.name: task},
    )


def need_of(answers: Answers, task: Task) -> Need:
    """The request that the answers describe."""
    return Need(task=task, text_bytes=answers.input_tokens, batch=answers.wait)


def world(answers: Answers, config: Config, day: str) -> World:
    """The world that the answers describe: caches hold what calls share."""
    return World(
        providers=frozenset(model.provider for model in config.catalog.models.values()),
        day=day,
        shared_tokens=shared_tokens(answers),
    )


def shared_tokens(answers: Answers) -> int:
    """How many tokens of the input are the same from call to call."""
    return answers.input_tokens * SHARED_PERCENT // 100 if answers.shared else 0


def runner_up(plan: Plan) -> str | None:
    """The id of the cheapest other model that qualified as the choice did; without one, who would
    serve if the choice failed. None: nobody."""
    first: Model = plan.chain[0]
    kept = [v for v in plan.verdicts if v.kept and v.model != first.id]
    if kept:
        # min keeps the first of equals, and verdicts are in the task's own order.
        return min(kept, key=lambda v: (v.expected is None, v.expected or 0)).model
    return plan.chain[1].id if len(plan.chain) > 1 else None


def _verdict(plan: Plan, id: str) -> Verdict:
    return next(verdict for verdict in plan.verdicts if verdict.model == id)
