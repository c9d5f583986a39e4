"""`hybridllm eval grade`: answers that are there already, graded offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from hybridllm.cli.eval_tables import models_document, models_table
from hybridllm.cli.output import print_json
from hybridllm.cli.tables import console
from hybridllm.errors import RequestError
from hybridllm.evals.recorded import grade_answers, read_answers, results_of
from hybridllm.evals.sets import load_set


def grade(
    answers: Path,
    *,
    set: Path,
    bar: float = 0.0,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Grade recorded answers by a set's graders. Asks nobody and costs nothing.

    A line of the answers is {"sample": "line-2", "model": "mine", "answer": "spam"}.
    Example:

        hybridllm eval grade answers.jsonl --set evals/classification.jsonl --bar 0.9

    Parameters
    ----------
    answers
        The file of answers, JSONL.
    set
        The samples, JSONL or CSV; none of them may need a judge.
    bar
        The share of good answers to be reached, 0 to 1.
    json
        Print one JSON document.
    """
    if not 0 <= bar <= 1:
        raise RequestError("The bar lies in 0..1.", field="bar")
    samples = load_set(set)
    results = results_of(samples, grade_answers(samples, read_answers(answers, samples)), bar)
    if not results:
        raise RequestError(f"There is no answer in {answers}.", remedy="Write one a line.")
    if json:
        print_json({"bar": bar, "models": models_document(results)})
    else:
        console().print(models_table(f"{samples.name}, bar {bar:.3f}", results))
