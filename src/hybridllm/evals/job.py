"""What a run is to do and what it can cost, known before it starts."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from hybridllm.catalog.prompts import Variant
from hybridllm.catalog.structs import Model, Task, Usage
from hybridllm.config import Config
from hybridllm.engine.runtime import usable_providers
from hybridllm.engine.stack import encoded
from hybridllm.errors import ErrorKind, RequestError
from hybridllm.evals.graders.pairwise import Pairwise
from hybridllm.evals.grading import Judge
from hybridllm.evals.sets import EvalSet, Sample
from hybridllm.pricing import cost_of, upper_bound

LEAST_OUTPUT = 4_096
_THINKING = 4
JUDGES_OUTPUT = 2_000
_JUDGES_WORDS = 1_500
"""Bytes of a judge's own prompt at most, without what it judges."""


def today() -> str:
    """The UTC day."""
    return time.strftime("%Y-%m-%d", time.gmtime())


class Cell(Struct, frozen=True, kw_only=True):
    """One model at the task: its samples' calls and what they can cost, in picodollars at live
    prices. `likely` is what they are expected to cost, judges included."""

    model: Model
    most_output: int
    uppers: tuple[int, ...]
    likely: int

    @property
    def upper(self) -> int:
        return sum(self.uppers)


class Job(Struct, frozen=True, kw_only=True):
    """A task, the models, and the samples; `judges` by the name that a grader calls them by.
    `variant` is the prompt's that all models are asked with; None: the samples as they are."""

    task: Task
    cells: tuple[Cell, ...]
    set: EvalSet
    judges: dict[str, Model]
    judging_upper: int
    batch: bool
    spec: str
    variant: Variant | None = None

    @property
    def upper(self) -> int:
        """The most that all of it can cost, if every call is answered at its first attempt."""
        return sum(cell.upper for cell in self.cells) + self.judging_upper

    @property
    def likely(self) -> int:
        return sum(cell.likely for cell in self.cells)


def job_of(
    config: Config,
    task: str,
    models: Sequence[str],
    samples: EvalSet,
    *,
    most_output: int | None = None,
    batch: bool = False,
    variant: Variant | None = None,
) -> Job:
    """Check everything that can be checked before money is spent. `models`: their names; none: the
    task's candidates that can be called. Raises RequestError naming the field."""
    found = config.tasks.get(task)
    if found is None:
        known = ", ".join(sorted(config.tasks))
        raise RequestError(
            f"There is no task '{task[:64]}'.", kind=ErrorKind.NOT_FOUND, field="task",
            remedy=f"There are {known}.",
        )  # fmt: skip
    chosen = _models(config, found, models)
    judges = _judges(config, samples, chosen)
    day = today()
    cap = most_output or max(LEAST_OUTPUT, 4 * found.output_tokens)
    cells = tuple(
        _cell(found, model, samples, cap, judges, day, batch, variant) for model in chosen
    )
    judging = sum(
        _judging(sample, judges, day, cells[0].most_output, most=True) * len(cells)
        for sample in samples.samples
    )
    what = (
        task,
        [m.id for m in chosen],
        samples.digest,
        [s.id for s in samples.samples],
        cap,
        batch,
    )
    said = msgspec.json.encode(what if variant is None else (*what, variant.label))
    return Job(
        task=found,
        cells=cells,
        set=samples,
        judges=judges,
        judging_upper=judging,
        batch=batch,
        spec=hashlib.blake2b(said, digest_size=12).hexdigest(),
        variant=variant,
    )


def options_of(sample: Sample, cell: Cell) -> dict[str, Any]:
    """The options of a sample's call: its own, and a bound on the answer's length."""
    bounded = {"max_tokens", "max_completion_tokens"} & set(sample.options)
    return sample.options if bounded else {
        **sample.options, "max_completion_tokens": cell.most_output
    }  # fmt: skip


def _models(config: Config, task: Task, names: Sequence[str]) -> list[Model]:
    usable = usable_providers(config)
    if not names:
        candidates = [config.catalog.models[id] for id in task.candidates]
        chosen = [model for model in candidates if model.provider in usable]
        if not chosen:
            raise RequestError(
                f"No candidate of '{task.name}' can be called: their providers have no keys.",
                field="models",
                remedy="Set a provider's key, or name models with --models.",
            )
    else:
        chosen = [callable_model(config, name, "models") for name in names]
    for model in chosen:
        _check_priced(model)
    return list(dict.fromkeys(chosen))


def callable_model(config: Config, name: str, field: str) -> Model:
    """The chat model of that name. Raises RequestError where there is none that can be called."""
    id = config.catalog.names.get(name)
    if id is None or config.catalog.models[id].kind != "chat":
        raise RequestError(
            f"There is no chat model '{name[:100]}'.", kind=ErrorKind.NOT_FOUND, field=field,
            remedy="`hybridllm models` lists them.",
        )  # fmt: skip
    model = config.catalog.models[id]
    if model.provider not in usable_providers(config):
        raise RequestError(
            f"'{model.id}' cannot be called: its provider has no key.", field=field,
            remedy=f"Set the key of {model.provider}, or leave the model out.",
        )  # fmt: skip
    return model


def _check_priced(model: Model) -> None:
    day = today()
    if cost_of(model, Usage(input_tokens=1), day) is None:
        raise RequestError(
            f"No price is known for '{model.id}', so that no budget can be kept.", field="models",
            remedy=f'Say its price under [models."{model.id}"].',
        )  # fmt: skip


def _judges(config: Config, samples: EvalSet, chosen: Sequence[Model]) -> dict[str, Model]:
    names = {s.grader.judges() for s in samples.samples if isinstance(s.grader, Judge)}
    judges: dict[str, Model] = {}
    for name in sorted(filter(None, names)):
        judge = callable_model(config, name, "grader.model")
        _check_priced(judge)
        if judge in chosen:
            raise RequestError(
                f"'{judge.id}' would judge its own answers.", field="grader.model",
                remedy="Let another model judge, or leave this one out with --models.",
            )  # fmt: skip
        judges[name] = judge
    return judges


def _cell(
    task: Task,
    model: Model,
    samples: EvalSet,
    cap: int,
    judges: Mapping[str, Model],
    day: str,
    batch: bool,
    variant: Variant | None,
) -> Cell:
    most = min(cap * (_THINKING if model.reasoning else 1), model.max_output_tokens)
    bare = Cell(model=model, most_output=most, uppers=(), likely=0)
    uppers, likely = [], 0
    added = 0 if variant is None else variant.size + 32 * variant.turns
    for sample in samples.samples:
        options = options_of(sample, bare)
        body = encoded({"model": model.id, "messages": sample.messages, **options})
        limit = options.get("max_completion_tokens", options.get("max_tokens"))
        most_output = limit if isinstance(limit, int) else model.max_output_tokens
        size = min(len(body) + added, model.context_window)
        if any(not isinstance(m.get("content"), str | None) for m in sample.messages):
            size = model.context_window  # an image's tokens are not in its bytes
        uppers.append(upper_bound(model, day, size, min(most_output, model.max_output_tokens)))
        usage = Usage(
            input_tokens=(len(body) + added) * model.tokens_per_kbyte // 1000,
            output_tokens=min(task.output_tokens, most_output),
        )
        likely += cost_of(model, usage, day, batch) or 0
        likely += _judging(sample, judges, day, task.output_tokens, most=False)
    return msgspec.structs.replace(bare, uppers=tuple(uppers), likely=likely)


def _judging(
    sample: Sample, judges: Mapping[str, Model], day: str, output: int, *, most: bool
) -> int:
    """What judging one answer of `output` tokens costs, at most or likely."""
    grader = sample.grader
    name = grader.judges() if isinstance(grader, Judge) else None
    if name is None:
        return 0
    judge = judges[name]
    told = len(encoded({"m": sample.messages, "e": str(sample.expected)})) + _JUDGES_WORDS
    calls = 2 if isinstance(grader, Pairwise) else 1
    if most:
        return 2 * calls * upper_bound(judge, day, told + 6 * output, JUDGES_OUTPUT)
    size = told * judge.tokens_per_kbyte // 1000 + output
    return calls * (cost_of(judge, Usage(input_tokens=size, output_tokens=60), day) or 0)
