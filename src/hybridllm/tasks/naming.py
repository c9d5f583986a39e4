"""Which task a request is, and how that is known.

In order, the first that says anything: the header `x-hybridllm-task`; the label in the body; the
model name `task/<name>` or `tier/<tier>`; the rules of the configuration; for the model name
`auto` the classifier; the default task. Any other model name asks for that very model: it is
obeyed, and the task named by the same order (without the classifier) is what the request is
metered as and falls back by.
"""

from __future__ import annotations

from msgspec import Struct

from hybridllm.catalog.structs import Task, Tier
from hybridllm.config import Config
from hybridllm.errors import ConfigError, ErrorKind, RequestError
from hybridllm.tasks.classifier import Classifier
from hybridllm.tasks.closest import close_to, shown
from hybridllm.tasks.learned import classifier as configured
from hybridllm.tasks.rules import Rules
from hybridllm.wire.dialect import Facts

HEADER = "x-hybridllm-task"
AUTO = "auto"


def is_symbolic(model: str) -> bool:
    """Whether a model name leaves the choice of the model to us."""
    return model == AUTO or model.startswith(("task/", "tier/"))


class Named(Struct, kw_only=True, frozen=True):
    """A request's task. `source` is header, label, model, rule, classifier or default; `requested`
    the catalogue id of a model asked for by name; `why` says in words how the task is known."""

    task: Task
    source: str
    why: str
    requested: str | None = None


class TaskNamer:
    """Names tasks by one configuration. Without a `classifier` the configured one is used."""

    def __init__(self, config: Config, classifier: Classifier | None = None) -> None:
        self._tasks = config.tasks
        self._tier_tasks = config.tier_tasks
        self._names = config.catalog.names
        self._rules = Rules(config.rules)
        self._classifier = classifier or configured(config)
        if config.routing.default_task not in config.tasks:
            raise ConfigError(
                f"The default task '{config.routing.default_task}' is not defined.",
                field="routing.default_task",
                remedy=f"Name one of: {', '.join(config.tasks)}.",
            )
        self._default = config.tasks[config.routing.default_task]

    def name(self, facts: Facts, header: str | None) -> Named:
        """The task of a request with these facts and this value of the header.

        Raises RequestError(NOT_FOUND), naming the field, for an unknown task, tier or model.
        """
        model = facts.model
        symbolic = is_symbolic(model)
        requested = None if symbolic else self.model(model)
        if header:
            task = self._task(header, HEADER)
            return Named(task=task, source="header", why=f"named by {HEADER}", requested=requested)
        if facts.label:
            task = self._task(facts.label, "metadata.task")
            return Named(
                task=task, source="label", why="named by the body's label", requested=requested
            )
        if symbolic and model != AUTO:
            task = self._task(model, "model")
            return Named(task=task, source="model", why=f"named by the model name '{model}'")
        if found := self._rules.match(facts):
            name, why = found
            return Named(task=self._tasks[name], source="rule", why=why, requested=requested)
        if model == AUTO:
            name, why = self._classifier.classify(facts)
            if name in self._tasks:
                return Named(task=self._tasks[name], source="classifier", why=why)
        return Named(
            task=self._default,
            source="default",
            why="nothing names another task",
            requested=requested,
        )

    def _task(self, name: str, field: str) -> Task:
        """`classification`, `task/classification` or `tier/simple` as a task."""
        kind, slash, rest = name.partition("/")
        if slash and kind == "tier":
            return self._tier(rest, field)
        wanted = rest if slash and kind == "task" else name
        task = self._tasks.get(wanted)
        if task is None:
            near = close_to(wanted, self._tasks)
            raise RequestError(
                f"There is no task '{shown(wanted)}'.",
                kind=ErrorKind.NOT_FOUND,
                field=field,
                remedy=near or f"The tasks are: {', '.join(self._tasks)}.",
            )
        return task

    def _tier(self, name: str, field: str) -> Task:
        tiers = [tier.value for tier in Tier]
        if name not in tiers:
            raise RequestError(
                f"There is no tier '{shown(name)}'.",
                kind=ErrorKind.NOT_FOUND,
                field=field,
                remedy=f"The tiers are: {', '.join(tiers)}.",
            )
        task = self._tasks.get(self._tier_tasks.get(Tier(name), ""))
        if task is None:
            raise RequestError(
                f"No task stands for tier '{name}'.",
                kind=ErrorKind.NOT_FOUND,
                field=field,
                remedy=f"Name one in tier_tasks.{name} of hybridllm.toml, or ask for a task.",
            )
        return task

    def model(self, name: str) -> str:
        """The catalogue id of a model by any of its names. Raises RequestError(NOT_FOUND)."""
        found = self._names.get(name)
        if found is None:
            remedy = "Send 'auto', 'task/<name>', 'tier/<tier>' or a name that /v1/models lists."
            near = close_to(name, self._names)
            raise RequestError(
                f"There is no model '{shown(name)}'." if name else "The request names no model.",
                kind=ErrorKind.NOT_FOUND,
                field="model",
                remedy=f"{near} {remedy}" if near else remedy,
            )
        return found
