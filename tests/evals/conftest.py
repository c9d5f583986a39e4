"""Runs against simulated providers, on a ledger of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hybridllm.config import Config
from hybridllm.config_file import load_config
from hybridllm.evals.batches import answer_by_batch
from hybridllm.evals.graders.registry import grader_of
from hybridllm.evals.job import Job, job_of
from hybridllm.evals.results import Result
from hybridllm.evals.run import Run
from hybridllm.evals.runlog import Began, Ended, open_log
from hybridllm.evals.scores import keep_scores
from hybridllm.evals.sets import EvalSet, Sample
from hybridllm.evals.stack import EvalStack
from hybridllm.ledger.paths import ledger_directory, store_url
from hybridllm.simulators import Simulators
from hybridllm.store import open_store
from hybridllm.store.schema import attempts
from hybridllm.store.scores import Score, read_scores

MINI, FLASH = "openai/gpt-4o-mini", "google/gemini-2.5-flash"
DOLLAR = 10**12


def spoken(said: Sequence[str], expected: str = "yes", grader: Any = "exact") -> EvalSet:
    """A set whose answers are known: what a simulated model is told to say."""
    made = grader_of(grader)
    samples = tuple(
        Sample(
            id=f"s{n}",
            messages=[{"role": "user", "content": f'Question {n}? [[sim say "{text}"]]'}],
            grader=made,
            expected=made.expect(expected),
        )
        for n, text in enumerate(said)
    )
    return EvalSet(name="spoken", digest=f"{hash(tuple(said))}", samples=samples)


class Lab:
    """Where runs are made."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.directory = ledger_directory(config.ledger) / "evals"

    def job(self, samples: EvalSet, *models: str, batch: bool = False, most: int = 50) -> Job:
        return job_of(
            self.config, "classification", models or (MINI,), samples, most_output=most, batch=batch
        )

    def run(
        self,
        job: Job,
        budget: int = DOLLAR,
        concurrency: int = 4,
        watch: Callable[[Run], None] = lambda _: None,
        deadline: float = 86_400.0,
        **options: Any,
    ) -> tuple[list[Result], Run]:
        """One start of a run, as the command makes it."""
        return asyncio.run(self._run(job, budget, concurrency, watch, deadline, options))

    async def _run(
        self,
        job: Job,
        budget: int,
        concurrency: int,
        watch: Callable[[Run], None],
        deadline: float,
        options: dict[str, Any],
    ) -> tuple[list[Result], Run]:
        began = Began(
            run=f"run-{job.spec}", at=0, spec=job.spec, task=job.task.name, models=[], set="",
            samples=0,
        )  # fmt: skip
        with open_log(self.directory, began) as log:
            options.setdefault("sequential", False)
            run = Run(job, log, budget, rest=0.0, **options)
            async with EvalStack(self.config, run.till) as stack:
                run.begin(stack)
                watch(run)
                if job.batch:
                    await answer_by_batch(run, deadline)
                results = await run.go(concurrency)
            self.kept = keep_scores(store_url(self.config.ledger), run)
            if run.complete:
                log.add(Ended())
            return results, run

    def scores(self, model: str) -> list[Score]:
        """What the store has of a model."""
        engine = open_store(store_url(self.config.ledger))
        with engine.connect() as connection:
            found = read_scores(connection, "classification", model)
        engine.dispose()
        return found

    def rows(self) -> list[Any]:
        """The ledger's attempts."""
        url = f"sqlite:///{ledger_directory(self.config.ledger) / 'ledger.db'}"
        engine = open_store(url)
        with engine.connect() as connection:
            found = list(connection.execute(attempts.select()))
        engine.dispose()
        return found


@pytest.fixture
def lab(simulators: Simulators, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lab:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYBRIDLLM_CONFIG", raising=False)
    for name, value in {**simulators.env(), "HYBRIDLLM_HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    simulators.reset()
    config = load_config(preset="guide")
    quick = msgspec.structs.replace(
        config.batch, min_lines=1, max_age_seconds=0.05, poll_seconds=0.05
    )
    return Lab(msgspec.structs.replace(config, batch=quick))
