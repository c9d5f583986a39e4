"""Answers that are there already: recorded elsewhere, graded here, for nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from hybridllm.errors import RequestError
from hybridllm.evals.grading import Grade, Judge
from hybridllm.evals.results import Result, figures_of, interval
from hybridllm.evals.sets import EvalSet, Sample
from hybridllm.quality.verdict import verdict


class RecordedAnswer(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A line of the file: whose answer (any name) to which sample (its id in the set)."""

    sample: str
    model: str
    answer: str


Grades = dict[str, dict[str, Grade]]
"""By model and sample."""


def read_answers(path: Path, samples: EvalSet) -> Iterator[RecordedAnswer]:
    """The answers of a file in JSONL. Raises RequestError naming file, line and field; also for a
    sample that is not in the set, or whose grader needs a judge."""
    known = {sample.id: sample for sample in samples.samples}
    decoder = msgspec.json.Decoder(RecordedAnswer)
    try:
        file = path.open("rb")
    except OSError as e:
        raise RequestError(f"Cannot read {path}: {e.strerror}.", remedy="Name a file.") from None
    with file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                found = decoder.decode(line)
                sample = known.get(found.sample)
                if sample is None:
                    raise ValueError(f"sample: '{found.sample[:64]}' is not in {samples.name}")
                if isinstance(sample.grader, Judge):
                    raise ValueError(f"sample: {sample.grader.kind} does not grade by rule")
            except ValueError as e:
                raise RequestError(
                    f"{path}, line {number}: {e}.",
                    remedy='Write {"sample": "line-2", "model": "mine", "answer": "..."}.',
                ) from None
            yield found


def grade_answers(samples: EvalSet, answers: Iterable[RecordedAnswer]) -> Grades:
    """Grade each; of two answers of a model to a sample the later counts."""
    known = {sample.id: sample for sample in samples.samples}
    grades: Grades = {}
    for found in answers:
        sample = known[found.sample]
        grade = sample.grader.grade(found.answer, sample.expected)
        grades.setdefault(found.model, {})[found.sample] = grade
    return grades


def results_of(samples: EvalSet, grades: Grades, bar: float) -> list[Result]:
    """A result a model, the best first. Nothing was spent."""
    known = {sample.id: sample for sample in samples.samples}
    found = [_result(model, known, of_model, bar) for model, of_model in grades.items()]
    return sorted(found, key=lambda result: -(result.score or 0.0))


def _result(
    model: str, samples: Mapping[str, Sample], grades: Mapping[str, Grade], bar: float
) -> Result:
    scores = [grade.score for grade in grades.values()]
    mean, lower, upper = interval(scores, [samples[id].weight for id in grades], looked=False)
    return Result(
        model=model,
        n=len(scores),
        score=mean,
        lower=lower,
        upper=upper,
        verdict=verdict(lower, upper, bar),
        cost=0,
        figures=figures_of(samples, grades),
    )
