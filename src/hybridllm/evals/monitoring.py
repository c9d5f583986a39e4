"""Answers of production are scored, by checks that need no expected answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from hybridllm.catalog.structs import Monitor, Task
from hybridllm.checks.said import said_of
from hybridllm.checks.sandbox import Limits, run_python
from hybridllm.checks.schema import misfit, validator_of
from hybridllm.checks.text import code_of
from hybridllm.engine.sampling import Seen
from hybridllm.errors import HybridError
from hybridllm.evals.observed import whole_reply
from hybridllm.store.scores import Score

SOURCE = "production"
_CODE = ("python", "py", "python3")


def scores_of(seen: Iterable[Seen], tasks: Mapping[str, Task]) -> list[Score]:
    """The live scores of these answers, without those that cannot be checked. May run code in the
    sandbox: blocks."""
    found = []
    for one in seen:
        task = tasks.get(one.task)
        if task is None or task.monitor is None:  # a reload came in between
            continue
        score = score_of(one, task.monitor)
        if score is not None:
            found.append(
                Score(
                    task=one.task,
                    model=one.model,
                    run=SOURCE,
                    sample=one.request_id,
                    score=score,
                    at=one.at,
                    grader=task.monitor.check,
                    source=SOURCE,
                    variant=one.variant,
                    request_id=one.request_id,
                )
            )
    return found


def score_of(seen: Seen, monitor: Monitor) -> float | None:
    """1.0 for an answer that passes, 0.0 for one that fails, refuses or says nothing; None where
    that cannot be told: an error, a stream that its caller left, or no sandbox."""
    try:
        reply = whole_reply(seen)
        if reply is None:
            return None
        said = said_of(reply)
        if said.unfit:
            return 0.0
        match monitor.check:
            case "schema":
                passed = not misfit(said.content, validator_of(monitor.schema or "{}"))
            case "regex":
                passed = re.search(monitor.expression or "", said.content) is not None
            case "tests":
                code = f"{monitor.before}\n{code_of(said.text, *_CODE)}"
                limits = Limits(seconds=monitor.seconds)
                passed = run_python(code, monitor.tests or "", limits).ok
    except HybridError:
        return None
    return float(passed)
