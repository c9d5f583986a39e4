"""A task's models with all that is known before a request comes, and a request's look at one."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from hybridllm.catalog.prompts import variant_for
from hybridllm.catalog.structs import Model, Quality, Task
from hybridllm.config import Config
from hybridllm.quality import Table, meets

UNPRICED = 1 << 80


class Candidate(Struct, frozen=True, kw_only=True):
    """A model for a task, with the prompt that it gets: `variant` is the label of the prompt's
    variant, "" for the caller's own, and `extra` the bytes that it adds. `position` is its place in
    the task's lists and breaks ties of cost; `lower` the quality bound that counts, -1.0 where
    nothing is known; `favoured` that it belongs to the ecosystem that the task prefers."""

    model: Model
    id: str
    position: int
    quality: Quality | None
    lower: float
    meets_bar: bool
    favoured: bool
    variant: str = ""
    extra: int = 0


class TaskTable(Struct, frozen=True, kw_only=True):
    """A task with all of its models in `listed`, each once: the first `candidates` of them are its
    candidates, and `fallbacks` are the places in `listed` of its fallbacks (a candidate may be a
    fallback too, and then serves although it is below the bar). `degraded` names in words those
    candidates that have become worse and do not meet the bar."""

    task: Task
    ecosystem: str | None
    listed: tuple[Candidate, ...]
    candidates: int
    fallbacks: tuple[int, ...]
    degraded: str = ""


class Look(Struct, gc=False):
    """One request's look at one candidate. `block` names the limit (`filters.Limit.name`) that it
    breaks, "" if none, and `why` says so in words. Tokens are estimates in this model's own
    tokens; `expected` is in picodollars, None where no price is known. Candidates are compared by
    `lasting`: the mean over the requests that are expected to follow, where writing to a cache now
    saves later, else the same as `expected`, and more than any price where none is known. `cached`
    are the tokens expected to be read from the model's prompt cache, `nominal` is what the request
    would cost with nothing cached and nothing written."""

    candidate: Candidate
    input_tokens: int
    output_tokens: int
    expected: int | None = None
    lasting: int = UNPRICED
    cached: int = 0
    nominal: int = 0
    block: str = ""
    why: str = ""


class Tables:
    """Every task's table, and candidates made for models outside of it (a conversation's former
    model, one asked for by name)."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._quality = Table(config.quality)
        self._guests: dict[tuple[str, str, bool], Candidate] = {}
        self._tables = {task.name: self._table(task) for task in config.tasks.values()}

    def __getitem__(self, task: str) -> TaskTable:
        return self._tables[task]

    def guest(self, table: TaskTable, model: Model, *, named: bool) -> Candidate:
        """`model` as a candidate of a task that does not list it; where the caller has `named` it,
        with the caller's own prompt."""
        key = (table.task.name, model.id, named)
        found = self._guests.get(key)
        if found is None:
            found = self._candidate(table.task, table.ecosystem, model, len(table.listed))
            if named:
                found = msgspec.structs.replace(found, variant="", extra=0)
            self._guests[key] = found
        return found

    def _table(self, task: Task) -> TaskTable:
        ecosystem = task.ecosystem or self._config.routing.ecosystem
        candidates = self._models(task.candidates)
        fallbacks = self._models(task.fallbacks)
        models = [*candidates, *(model for model in fallbacks if model not in candidates)]
        listed = tuple(
            self._candidate(task, ecosystem, model, position)
            for position, model in enumerate(models)
        )
        return TaskTable(
            task=task,
            ecosystem=ecosystem,
            listed=listed,
            candidates=len(candidates),
            fallbacks=tuple(models.index(model) for model in fallbacks),
            degraded="".join(map(_degraded, listed[: len(candidates)])),
        )

    def _models(self, ids: Iterable[str]) -> list[Model]:
        """The models, each once. Ids may be any of a model's names."""
        catalog = self._config.catalog
        return [
            catalog.models[id]
            for id in dict.fromkeys(catalog.names.get(name, name) for name in ids)
        ]

    def _candidate(
        self, task: Task, ecosystem: str | None, model: Model, position: int
    ) -> Candidate:
        quality = self._quality.find(model.id, task)
        variant = variant_for(self._config.variants, task.name, model.id)
        return Candidate(
            model=model,
            id=model.id,
            position=position,
            quality=quality,
            lower=-1.0 if quality is None else quality.lower,
            meets_bar=task.bar <= 0 or (quality is not None and meets(quality, task.bar)),
            favoured=ecosystem is not None and self._ecosystem_of(model) == ecosystem,
            variant="" if variant is None else variant.label,
            extra=0 if variant is None else variant.size,
        )

    def _ecosystem_of(self, model: Model) -> str | None:
        configured = self._config.providers.get(model.provider)
        if configured is not None and configured.ecosystem is not None:
            return configured.ecosystem
        spec = self._config.catalog.providers.get(model.provider)
        return spec.ecosystem if spec is not None else None


def _degraded(candidate: Candidate) -> str:
    quality = candidate.quality
    if candidate.meets_bar or quality is None or not quality.decline:
        return ""
    return f"; {candidate.model.name} is {quality.decline}"
