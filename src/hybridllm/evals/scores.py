"""A run's grades in the store, from which routing learns."""

from __future__ import annotations

from collections.abc import Iterable

from hybridllm.evals.run import Run
from hybridllm.evals.till import cell_purpose
from hybridllm.store import open_store
from hybridllm.store.engine import writing
from hybridllm.store.scores import Score, add_scores


def keep_scores(store_url: str, run: Run) -> int:
    """Write all grades of a run that are not there yet; how many those were. Blocks. Writing again
    what a killed process has written does no harm."""
    rows = list(rows_of(run))
    if not rows:
        return 0
    engine = open_store(store_url)
    try:
        with writing(engine) as connection:
            return add_scores(connection, rows)
    finally:
        engine.dispose()


def rows_of(run: Run) -> Iterable[Score]:
    """A row a grade."""
    till = run.stack.till
    for model, grades in run.grades.items():
        for id, grade in grades.items():
            sample, answer = run.samples[id], run.answers[model, id]
            cost = till.by_purpose.get(cell_purpose(model, id), 0)
            if run.job.batch:
                cost += till.by_request.get(answer.request_id, 0)
            yield Score(
                task=run.job.task.name,
                model=model,
                run=run.log.began.run,
                sample=id,
                score=grade.score,
                at=run.graded_at[model, id],
                grader=sample.grader.kind,
                weight=sample.weight,
                request_id=answer.request_id,
                cost=cost,
                variant="" if run.job.variant is None else run.job.variant.label,
            )
