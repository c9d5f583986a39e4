"""Which task is a group of calls? By its label, its prompts, else by its size: the rules.

Where the size leaves it open the rules take the more demanding task, whose bar is higher: a saving
is rather told too small than too large.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

from hybridllm.catalog.structs import Model, Tier
from hybridllm.config import Config
from hybridllm.planning.audit.groups import Group
from hybridllm.planning.audit.prompts import facts_of
from hybridllm.tasks import RuleClassifier, TaskNamer
from hybridllm.wire.dialect import Facts, Turn

How = Literal["mapped", "label", "label read", "prompt", "size", "unknown"]
"""By what a group's task is known: a mapping that was given, a label that is a task's name, a label
whose words the classifier knows, prompts, the mean call's size, or nothing."""

GUESSED: tuple[How, ...] = ("label read", "prompt", "size", "unknown")

PREMIUM_OUTPUT = 20_000_000
"""Picodollars a token of output, $20 a million, from which today's model counts as premium."""


class Rule(Struct, frozen=True, kw_only=True):
    """A mean call of these sizes (tokens, None: any) is taken for `task`. `longer` says that the
    input is at least that many times the output, `cached` the least share of it that was cached."""

    task: str
    why: str
    min_input: int | None = None
    max_input: int | None = None
    min_output: int | None = None
    max_output: int | None = None
    longer: int = 0
    cached: float = 0.0
    premium: bool | None = None
    coding: bool | None = None


RULES = (
    Rule(task="classification", why="short in, a few words out", max_input=4_000, max_output=100),
    Rule(task="code_generation", why="a model for code", coding=True),
    Rule(task="complex_reasoning", why="a premium model, and no short call", premium=True),
    Rule(
        task="agentic",
        why="a long conversation: a third of it cached",
        min_input=16_000,
        cached=0.33,
    ),
    Rule(task="general", why="a conversation: a third of it cached", cached=0.33),
    Rule(
        task="extraction",
        why="a page in, a little of it out",
        max_input=16_000,
        max_output=500,
        longer=4,
    ),
    Rule(task="analysis", why="a long document in, less out", min_input=16_000, longer=4),
    Rule(task="complex_reasoning", why="a very long answer", min_output=4_000),
    Rule(task="code_generation", why="a long answer", min_output=1_500),
)
"""The first that holds. None: the default task. Edges are `sizes.RULE_INPUTS`, `RULE_OUTPUTS`."""


class Naming(Struct, frozen=True, kw_only=True):
    """`name` is what the report calls the calls: their label, else the task."""

    name: str
    task: str
    how: How
    why: str = ""


class Namer:
    """Names groups by one configuration. `mapping` gives labels' tasks by hand."""

    def __init__(self, config: Config, mapping: Mapping[str, str] | None = None) -> None:
        self._config = config
        self._mapping = mapping or {}
        self._classifier = RuleClassifier(config)
        self._namer = TaskNamer(config)
        self._default = config.routing.default_task

    def prompt(self, text: str) -> str:
        """The task of a prompt, as the gateway would name it: rules first, then the classifier."""
        return self._namer.name(facts_of(text), None).task.name

    def label(self, label: str, groups: list[Group], model: Model | None) -> Naming:
        """The task of all calls with a label."""
        if label in self._mapping:
            return Naming(name=label, task=self._mapping[label], how="mapped")
        plain = re.sub(r"[\s-]+", "_", label.strip().lower()).removeprefix("task/")
        for name in (label, plain):
            if name in self._config.tasks:
                return Naming(name=name, task=name, how="label")
        words = re.sub(r"[\W_]+", " ", label)
        facts = Facts(model="auto", turns=[Turn("user", words)])
        found, _ = self._classifier.classify(facts)
        if found != self._default:
            return Naming(name=label, task=found, how="label read")
        by_size = self.size(groups, model)
        return Naming(name=label, task=by_size.task, how=by_size.how, why=by_size.why)

    def size(self, groups: list[Group], model: Model | None) -> Naming:
        """By the rules, from the mean call of `groups`."""
        calls = sum(group.calls for group in groups)
        if not calls:
            return Naming(name=self._default, task=self._default, how="unknown")
        total = sum(group.total_input for group in groups)
        cached = sum(group.cached for group in groups) / total if total else 0.0
        output = sum(group.output for group in groups) // calls
        for rule in RULES:
            if rule.task in self._config.tasks and _holds(
                rule, total // calls, output, cached, model
            ):
                return Naming(name=rule.task, task=rule.task, how="size", why=rule.why)
        return Naming(name=self._default, task=self._default, how="size", why="nothing plainer")


def _holds(rule: Rule, given: int, output: int, cached: float, model: Model | None) -> bool:
    bounds = (
        (rule.min_input, rule.max_input, given),
        (rule.min_output, rule.max_output, output),
    )
    for least, most, tokens in bounds:
        if (least is not None and tokens <= least) or (most is not None and tokens > most):
            return False
    if rule.longer and given < rule.longer * output:
        return False
    if rule.premium is not None and rule.premium is not is_premium(model):
        return False
    if rule.coding is not None and (model is None or ("code" in model.name) is not rule.coding):
        return False
    return cached >= rule.cached


def is_premium(model: Model | None) -> bool:
    """Whether its newest price is that of a premium model."""
    return bool(model and model.prices and model.prices[-1].rates.output >= PREMIUM_OUTPUT)


def majority(groups: Iterable[Group]) -> dict[tuple[str, int, int], str]:
    """What the classifier said most often of prompts of a model and size, by (model, input bucket,
    output bucket): for the calls like them whose prompts were not sampled."""
    votes: dict[tuple[str, int, int], Counter[str]] = {}
    for group in groups:
        if group.said and not group.label:
            key = (group.model, group.size_in, group.size_out)
            votes.setdefault(key, Counter())[group.said] += group.rows
    return {key: count.most_common(1)[0][0] for key, count in votes.items()}


def harder(task: str, config: Config) -> str:
    """A task of the next tier up, for what-ifs: the tier's own task, itself at the top."""
    up = {Tier.SIMPLE: Tier.MID, Tier.MID: Tier.PREMIUM}.get(config.tasks[task].tier)
    return task if up is None else config.tier_tasks.get(up, task)
