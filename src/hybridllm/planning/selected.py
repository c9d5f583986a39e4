"""A selection in words, in the guide's terms, and the TOML that makes it a route."""

from __future__ import annotations

import json

from msgspec import Struct

from hybridllm.catalog.structs import Model, Task
from hybridllm.config import Config
from hybridllm.money import dollars
from hybridllm.pricing import price_at, rates_for
from hybridllm.routing.plan import Plan, Verdict

_TOKENS_PER_MILLION = 1_000_000


class Standing(Struct, frozen=True, kw_only=True):
    """The choice and what it was made for. `own` is the task as configured, `task` as wanted."""

    config: Config
    task: Task
    own: Task
    model: Model
    verdict: Verdict
    input_tokens: int
    shared_tokens: int
    batch: bool
    day: str


class Selection(Struct, frozen=True, kw_only=True):
    """`cost` and `runner_up_cost` are picodollars for `calls` calls, None where no price is known
    (or nobody is behind). `reason` is the router's own sentence, `because` the same point by point;
    `passed_over` says of each other model why it was not chosen."""

    task: str
    model: str
    calls: int
    cost: int | None
    runner_up: str | None
    runner_up_cost: int | None
    reason: str
    because: tuple[str, ...]
    passed_over: tuple[tuple[str, str], ...]
    toml: str


def described(made: Standing, plan: Plan, second: Verdict | None, calls: int) -> Selection:
    """The plan as a selection. `second` is the verdict on the runner-up."""
    return Selection(
        task=made.task.name,
        model=made.model.id,
        calls=calls,
        cost=_times(made.verdict, calls),
        runner_up=None if second is None else second.model,
        runner_up_cost=None if second is None else _times(second, calls),
        reason=plan.reason,
        because=_because(made),
        passed_over=tuple((v.model, v.why) for v in plan.verdicts if v.model != made.model.id),
        toml=toml_of(made),
    )


def _times(verdict: Verdict, calls: int) -> int | None:
    return None if verdict.expected is None else verdict.expected * calls


def _because(made: Standing) -> tuple[str, ...]:
    model, task = made.model, made.task
    what = (task.description or f"{task.name} it is").rstrip(".")
    said = [
        f"The task is {task.tier}: {what[:1].lower()}{what[1:]}.",
        f"An input of {made.input_tokens:,} tokens and an answer of {task.output_tokens:,} fit its "
        f"context of {model.context_window:,}.",
        f"Quality: {made.verdict.why}.",
        _caching(made),
        _waiting(made),
    ]
    if task.ecosystem is not None:
        said.append(_cloud(made))
    return tuple(said)


def _caching(made: Standing) -> str:
    model = made.model
    if not made.shared_tokens:
        return "No context is shared between calls, so there is nothing to cache."
    if made.shared_tokens < model.min_cache_tokens:
        return (
            f"The {made.shared_tokens:,} tokens that calls share are too few for its cache, which "
            f"takes {model.min_cache_tokens:,} or more."
        )
    price = price_at(model, made.day)
    if price is None:
        return "What its cache costs is not known."
    rates = rates_for(price, made.input_tokens, batch=made.batch)
    if rates.cache_read is None:
        return "It gives no discount on cached input."
    off = 1 - rates.cache_read / rates.input if rates.input else 0
    return (
        f"{made.shared_tokens:,} tokens of the input are shared between calls and read from its "
        f"cache at {off:.0%} off; what it costs to write them now and then is not in the figures."
    )


def _waiting(made: Standing) -> str:
    price = price_at(made.model, made.day)
    if price is None:
        return "Its price is not known."
    rates = rates_for(price, made.input_tokens, batch=made.batch)
    per_million = (
        f"${dollars(rates.input * _TOKENS_PER_MILLION)} in and "
        f"${dollars(rates.output * _TOKENS_PER_MILLION)} out per million tokens"
    )
    if not made.batch:
        return f"It answers at once, at {per_million}."
    if rates == rates_for(price, made.input_tokens):
        return f"It has no batch price, so waiting saves nothing: {per_million}."
    return f"It can wait, so it goes as a batch, at {per_million}."


def _cloud(made: Standing) -> str:
    wanted = made.task.ecosystem
    configured = made.config.providers.get(made.model.provider)
    spec = made.config.catalog.providers.get(made.model.provider)
    own = (configured.ecosystem if configured else None) or (spec.ecosystem if spec else None)
    if own == wanted:
        return f"It belongs to {wanted}, which is preferred."
    return f"Nothing of {wanted}, which is preferred, qualifies for this."


def toml_of(made: Standing) -> str:
    """What to put into hybridllm.toml: what the answers change of the task."""
    task, own, config = made.task, made.own, made.config
    lines = [f"# {made.model.id} for {task.name}, chosen on {made.day}."]
    if config.preset != "default":
        lines += [f"preset = {json.dumps(config.preset)}", ""]
    lines += [f"[tasks.{_key(task.name)}]", f"bar = {task.bar}"]
    if task.can_wait != own.can_wait or task.can_wait:
        lines.append(f"can_wait = {str(task.can_wait).lower()}")
    if task.ecosystem is not None:
        lines.append(f"ecosystem = {json.dumps(task.ecosystem)}")
    lines.append("candidates = [")
    lines += [f"    {json.dumps(id)}," for id in task.candidates]
    lines.append("]")
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return json.dumps(name) if "." in name else name
