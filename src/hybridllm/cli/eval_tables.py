"""How the evaluation commands show what they plan and what they found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from hybridllm.cli.output import cents, money
from hybridllm.cli.tables import counted, table
from hybridllm.evals.job import Job
from hybridllm.evals.results import Result
from hybridllm.quality.verdict import Verdict


def plan_lines(job: Job, budget: int) -> list[str]:
    """What is about to be done, and what it can cost."""
    count = len(job.set.samples)
    way = "in batches" if job.batch else "live"
    lines = [
        f"{counted(count, 'sample')} of {escape(job.set.name)} for "
        f"{counted(len(job.cells), 'model')} at {escape(job.task.name)}, {way}.",
        f"Expected to cost {money(job.likely)}; at most {money(job.upper)} if every answer were as "
        f"long as it may be. The budget of {money(budget)} is never overdrawn.",
    ]
    if job.variant is not None:
        lines.append(f"Every model is asked with the variant {escape(job.variant.label)}.")
    if job.judges:
        judges = ", ".join(model.id for model in job.judges.values())
        lines.append(f"Judged by {escape(judges)}.")
    if job.upper > budget:
        lines.append("If the budget runs out, what is left can be done by starting it again.")
    return lines


MEETS = {Verdict.MEETS: "yes", Verdict.BELOW: "no", Verdict.UNDECIDED: "unsure"}


def results_table(run: str, job: Job, results: Sequence[Result]) -> Table:
    """A row a model of a run."""
    return models_table(f"{job.task.name}, bar {job.task.bar:.3f}  (run {run})", results)


def models_table(heading: str, results: Sequence[Result]) -> Table:
    """A row a model."""
    shown = table(escape(heading))
    shown.add_column("model", "together", no_wrap=True)
    for name in ("score", "95% interval", "n"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("cost", money(sum(r.cost for r in results), 4), justify="right", no_wrap=True)
    shown.add_column("meets the bar")
    for found in results:
        score = "–" if found.score is None else f"{found.score:.3f}"
        bounds = "–" if found.lower is None else f"{found.lower:.3f} – {found.upper:.3f}"
        cost = money(found.cost, 4)
        shown.add_row(escape(found.model), score, bounds, f"{found.n:,}", cost, _said(found))
    return shown


def _said(found: Result) -> str:
    said = [MEETS[found.verdict] if found.n else ""]
    said += [f"{name.replace('_', '-')} {value:.3f}" for name, value in found.figures.items()]
    counts = ((found.cut, "cut short"), (found.failed, "failed"), (found.ungraded, "ungraded"))
    said += [f"{number:,} {what}" for number, what in counts if number]
    said.append(found.stopped)
    return escape("; ".join(filter(None, said)))


def document(run: str, job: Job, results: Sequence[Result]) -> dict[str, Any]:
    """A run as JSON: exact dollars."""
    return {
        "run": run,
        "task": job.task.name,
        "bar": job.task.bar,
        "variant": "" if job.variant is None else job.variant.label,
        "set": {"name": job.set.name, "digest": job.set.digest, "samples": len(job.set.samples)},
        "cost_usd": cents(sum(found.cost for found in results)),
        "models": models_document(results),
    }


def models_document(results: Sequence[Result]) -> list[dict[str, Any]]:
    """An object a model."""
    return [
        {
            "model": found.model,
            "score": found.score,
            "lower": found.lower,
            "upper": found.upper,
            "n": found.n,
            "verdict": found.verdict,
            "cost_usd": cents(found.cost),
            "failed": found.failed,
            "ungraded": found.ungraded,
            "cut": found.cut,
            "stopped": found.stopped,
            **found.figures,
        }
        for found in results
    ]
