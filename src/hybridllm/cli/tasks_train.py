"""`hybridllm tasks train`: the task classifier, taught by your own labelled requests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from zlib import crc32

import msgspec
from cyclopts import Parameter
from msgspec import structs

from hybridllm.cli.inputs import Source, read_source
from hybridllm.cli.output import print_json
from hybridllm.errors import RequestError
from hybridllm.tasks.features import marks
from hybridllm.tasks.learned import shipped
from hybridllm.tasks.training import Example, calibrated
from hybridllm.tasks.training import train as fit
from hybridllm.tasks.weights import Scorer, Weights
from hybridllm.wire.dialect import Facts, RequestShape, Turn
from hybridllm.wire.registry import get_dialect
from hybridllm.wire.telling import dialect_of

Flag = Annotated[bool, Parameter(negative="")]

_FLOOR = 0.5
_APART = 5
"""One family in so many is kept apart, to measure with."""
_LEAST = 20


def train(
    data: Source,
    *,
    out: Path = Path("classifier.json.gz"),
    scratch: Flag = False,
    json: Flag = False,
) -> None:
    """Teach the classifier of `auto` your own tasks, from requests that you have labelled.

    Example:

        hybridllm tasks train labelled.jsonl --out classifier.json.gz

    Each line of the data is a JSON object: `task`, and either `text` or a request's body in any
    dialect (`messages`, `system`, `tools` and so on, as they were sent). `family`, if given, says
    which lines were made from one template: they are kept on one side when what was learned is
    measured. A fifth of the families is kept apart for that; what is written learned from all.
    Training goes on from the weights of the package. Name the file that is written in
    `[routing] classifier_weights`.

    Parameters
    ----------
    data
        The labelled requests, JSONL; `-`: standard input.
    out
        Where the weights are written.
    scratch
        Forget what the package's weights know.
    json
        Print one JSON document.
    """
    examples = _examples(read_source(data), str(data))
    apart = [e for e in examples if crc32(e.family.encode()) % _APART == 0]
    known = [e for e in examples if crc32(e.family.encode()) % _APART]
    start = None if scratch else shipped()
    learned = _trained(known, start)
    figures: dict[str, Any] = {
        "examples": len(examples),
        "tasks": sorted({example.label for example in examples}),
        "apart": len(apart),
        "right": _right(learned, apart),
        "right_before": _right(shipped(), apart),
        "temperature": calibrated(learned, apart),
        "weights": str(out),
    }
    final = structs.replace(
        _trained(examples, start), temperature=figures["temperature"], floor=_FLOOR
    )
    out.write_bytes(final.encode())
    if json:
        print_json(figures)
        return
    print(
        f"{len(examples):,} requests of {len(figures['tasks'])} tasks. Of {len(apart):,} kept "
        f"apart {figures['right']:.1%} are named right; by the package's weights "
        f"{figures['right_before']:.1%}.\n{out}: {out.stat().st_size:,} bytes. To use it:\n\n"
        f'[routing]\nclassifier_weights = "{out}"'
    )


def _trained(examples: list[Example], start: Weights | None) -> Weights:
    try:
        return fit(examples, start=start, note="hybridllm tasks train")
    except ImportError:
        raise RequestError(
            "Training needs numpy.", remedy="Run: pip install 'hybridllm[train]'"
        ) from None


def _right(weights: Weights, examples: list[Example]) -> float:
    scorer, right = Scorer(weights), 0
    for example in examples:
        scores = scorer.scores(example.marks)
        right += scorer.labels[scores.index(max(scores))] == example.label
    return right / len(examples) if examples else 0.0


def _examples(data: bytes, where: str) -> list[Example]:
    """The lines' examples. Raises RequestError, naming the line and what it lacks."""
    found = []
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip():
            found.append(_example(line, f"{where} line {number}"))
    tasks = {example.label for example in found}
    if len(found) < _LEAST or len(tasks) < 2:
        raise RequestError(
            f"{where} has {len(found)} labelled requests of {len(tasks)} tasks.",
            remedy=f"Give at least {_LEAST} requests, of two tasks or more.",
        )
    return found


def _example(line: bytes, where: str) -> Example:
    try:
        row = msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError as e:
        raise RequestError(f"{where} is no JSON object: {e}.", remedy="Write JSONL.") from None
    task, text, family = row.pop("task", None), row.pop("text", None), row.pop("family", None)
    if not isinstance(task, str) or not task:
        raise RequestError(f"{where} names no task.", field="task", remedy='Add "task": "...".')
    if isinstance(text, str):
        facts = Facts(model="auto", turns=[Turn("user", text)], text_bytes=len(text.encode()))
    else:
        body = msgspec.json.encode({"model": "auto", **row})
        facts = get_dialect(dialect_of(body)).facts(body, RequestShape())
    return Example(marks(facts), task, str(family) if family is not None else where)
