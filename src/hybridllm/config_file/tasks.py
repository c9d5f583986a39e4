"""Tasks, qualities and rules, each name in them checked against what there is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from hybridllm.catalog.structs import Catalog, Quality, Task, Tier
from hybridllm.config import ProviderConfig, RoutingConfig, Rule
from hybridllm.config_file.cascades import cascade, check_monitor
from hybridllm.config_file.convert import SHARE, check_number, convert
from hybridllm.config_file.document import Document, Documents, did_you_mean
from hybridllm.config_file.lines import Path
from hybridllm.durations import MAX_DEADLINE_SECONDS, seconds_of

_TASK_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


class SaidQuality(Struct, frozen=True, kw_only=True):
    """An entry of `quality`. With `samples` it was measured, and `lower` is its lower bound."""

    model: str
    task: str
    value: float
    lower: float | None = None
    samples: int = 0
    source: str = "config"
    at: str = ""


class Names:
    """What other parts of the configuration may refer to."""

    def __init__(
        self,
        catalog: Catalog,
        tasks: Mapping[str, Task],
        providers: Mapping[str, ProviderConfig] | None = None,
    ) -> None:
        self.catalog = catalog
        self.tasks = tasks
        self.providers = providers or {}

    def model(self, name: str, path: Path, documents: Documents) -> str:
        """The id of the chat model that `name` means. Raises ConfigError at `path`."""
        return chat_model(self.catalog, name, path, documents)

    def task(self, name: str, path: Path, documents: Documents) -> str:
        """`name`, which must be a task."""
        if name not in self.tasks:
            raise documents.error(
                path, f'There is no task "{name}".', did_you_mean(name, self.tasks)
            )
        return name

    def check_routing(
        self,
        routing: RoutingConfig,
        providers: Mapping[str, ProviderConfig],
        documents: Documents,
    ) -> None:
        """Raises ConfigError for a baseline, default task or ecosystem that is not there."""
        self.model(routing.baseline, ("routing", "baseline"), documents)
        self.task(routing.default_task, ("routing", "default_task"), documents)
        check_ecosystem(
            routing.ecosystem, self.catalog, providers, ("routing", "ecosystem"), documents
        )


def chat_model(catalog: Catalog, name: str, path: Path, documents: Documents) -> str:
    """The id of the chat model that `name` means. Raises ConfigError at `path`."""
    found = catalog.names.get(name)
    if found is None:
        described = name if "/" in name else f"provider/{name}"
        raise documents.error(
            path,
            f'There is no model "{name}" in the catalogue as of {catalog.as_of}.',
            did_you_mean(name, catalog.names) + f' Or describe it under [models."{described}"].',
        )
    if catalog.models[found].kind != "chat":
        raise documents.error(path, f'"{name}" is no chat model.', "Tasks need chat models.")
    return found


def check_ecosystem(
    name: str | None,
    catalog: Catalog,
    providers: Mapping[str, ProviderConfig],
    path: Path,
    documents: Documents,
) -> None:
    """Raises ConfigError unless some provider belongs to ecosystem `name` (or it is None)."""
    known = {spec.ecosystem for spec in catalog.providers.values()}
    known |= {provider.ecosystem for provider in providers.values()}
    if name is not None and name not in known:
        raise documents.error(
            path,
            f'No provider belongs to the ecosystem "{name}".',
            did_you_mean(name, [each for each in known if each]),
        )


def tasks(
    section: Mapping[str, Any],
    catalog: Catalog,
    providers: Mapping[str, ProviderConfig],
    documents: Documents,
) -> dict[str, Task]:
    """The tasks by name, their models as ids."""
    made = {}
    for name, data in section.items():
        path: Path = ("tasks", name)
        if not _TASK_NAME.fullmatch(name):
            raise documents.error(
                path,
                "This cannot be a task's name.",
                "Use lower-case letters, digits, and _ . - (at most 64).",
            )
        if isinstance(data, dict) and "name" in data:
            raise documents.error(
                (*path, "name"), "There is no such key.", "A task is named by its table."
            )
        said = convert(Task, {"name": name, **data}, path, documents)
        if not said.candidates:
            raise documents.error(
                path, "The task has no candidates.", 'Add candidates = ["openai/gpt-4o-mini"].'
            )
        check_ecosystem(said.ecosystem, catalog, providers, (*path, "ecosystem"), documents)
        _check_span(said.deadline, (*path, "deadline"), documents)
        _check_span(said.response_cache, (*path, "response_cache"), documents)
        if said.capture is not None:
            for at, pattern in enumerate(said.capture.redact):
                _check_pattern(pattern, (*path, "capture", "redact", at), documents)
        if said.monitor is not None:
            check_monitor(said.monitor, documents, (*path, "monitor"))
        lists = {
            key: tuple(
                chat_model(catalog, model, (*path, key, index), documents)
                for index, model in enumerate(getattr(said, key))
            )
            for key in ("candidates", "fallbacks")
        }
        checked = None
        if said.cascade is not None:
            checked = cascade(
                said.cascade,
                lambda model, at: chat_model(catalog, model, at, documents),
                documents,
                (*path, "cascade"),
            )
        made[name] = msgspec.structs.replace(said, **lists, cascade=checked)
    return made


def _check_span(span: str | None, path: Path, documents: Documents) -> None:
    if span is None:
        return
    remedy = 'Write a span of up to 30 days, as "90s", "30m", "6h" or "2d".'
    try:
        seconds = seconds_of(span)
    except ValueError as e:
        raise documents.error(path, str(e), remedy) from None
    if not 0 < seconds <= MAX_DEADLINE_SECONDS:
        raise documents.error(path, f'"{span}" is out of range.', remedy)


def _check_pattern(pattern: str, path: Path, documents: Documents) -> None:
    try:
        re.compile(pattern)
    except re.error as e:
        raise documents.error(
            path,
            f"This is no regular expression: {e.msg}.",
            "Quote it with ' so that backslashes stay as they are.",
        ) from None


def tier_tasks(section: Mapping[str, Any], names: Names, documents: Documents) -> dict[Tier, str]:
    """Which task stands for each tier."""
    made = {}
    for tier, task in section.items():
        path = ("tier_tasks", tier)
        if tier not in list(Tier):
            raise documents.error(path, "There is no such tier.", did_you_mean(tier, list(Tier)))
        made[Tier(tier)] = names.task(str(task), path, documents)
    return made


def qualities(documents: Iterable[Document], names: Names) -> tuple[Quality, ...]:
    """All qualities; of two for the same model and task, that of the later document."""
    made: dict[tuple[str, str], Quality] = {}
    for document in documents:
        for index, data in enumerate(_entries(document, "quality")):
            quality = _quality(data, ("quality", index), names, Documents([document]))
            made[quality.model, quality.task] = quality
    return tuple(made.values())


def _quality(data: Any, path: Path, names: Names, documents: Documents) -> Quality:
    said = convert(SaidQuality, data, path, documents)
    tier = said.task.removeprefix("tier:")
    if tier == said.task or tier not in list(Tier):
        names.task(said.task, (*path, "task"), documents)
    check_number(said.value, *SHARE, (*path, "value"), documents)
    check_number(said.samples, 0, 10**9, (*path, "samples"), documents)
    lower = said.value if said.lower is None else said.lower
    check_number(lower, *SHARE, (*path, "lower"), documents)
    if said.samples and said.lower is None:
        raise documents.error(
            path,
            "A measured quality needs its lower bound.",
            "Add lower, or leave out samples if it is an assumption.",
        )
    return Quality(
        model=names.model(said.model, (*path, "model"), documents),
        task=said.task,
        value=said.value,
        lower=lower,
        samples=said.samples,
        source=said.source,
        at=said.at,
    )


def rules(documents: Iterable[Document], names: Names) -> tuple[Rule, ...]:
    """All rules in the order in which they are tried."""
    return tuple(
        _rule(data, ("rules", index), names, Documents([document]))
        for document in documents
        for index, data in enumerate(_entries(document, "rules"))
    )


def _rule(data: Any, path: Path, names: Names, documents: Documents) -> Rule:
    rule = convert(Rule, data, path, documents)
    names.task(rule.task, (*path, "task"), documents)
    if rule.system is not None:
        _check_pattern(rule.system, (*path, "system"), documents)
    if all(getattr(rule, name) is None for name in rule.__struct_fields__ if name != "task"):
        raise documents.error(
            path, "The rule has no condition.", "Add system, tools or a size; or default_task."
        )
    return rule


def _entries(document: Document, key: str) -> list[Any]:
    entries = document.data.get(key, [])
    if not isinstance(entries, list):
        raise Documents([document]).error(
            (key,), "This must be a list of tables.", f"Write each entry under [[{key}]]."
        )
    return entries
