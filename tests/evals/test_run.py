"""A run: all models on the same samples, within the budget, on from where it was, and in the
ledger."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from hybridllm.engine.measured import measured_in
from hybridllm.errors import HybridError, RequestError
from hybridllm.evals.run import Run
from hybridllm.evals.runlog import Graded, Held, Paid, read_log
from hybridllm.ledger.paths import store_url
from hybridllm.quality.verdict import Verdict
from hybridllm.simulators import Fault, Simulators
from tests.evals.conftest import DOLLAR, FLASH, MINI, Lab, spoken

JUDGE = {"kind": "rubric", "model": "gpt-4o", "rubric": "It says yes."}


def test_every_model_answers_every_sample_and_is_scored(lab: Lab, simulators: Simulators) -> None:
    results, run = lab.run(lab.job(spoken(["yes"] * 7 + ["no"] * 3), MINI, FLASH))
    assert [(r.n, r.score, r.failed) for r in results] == [(10, 0.7, 0)] * 2
    assert all(r.lower is not None and r.upper is not None for r in results)
    assert all(r.lower < 0.7 < r.upper for r in results if r.lower and r.upper)
    assert simulators.counts().calls == 20
    assert run.complete
    rows = lab.rows()
    assert len(rows) == 20
    assert {(row.task, row.key) for row in rows} == {("classification", "eval")}
    assert {row.tags for row in rows} == {json.dumps(run.tags).replace(" ", "")}
    for result in results:
        assert result.cost == sum(row.cost for row in rows if row.model == result.model) > 0


@pytest.mark.parametrize("share", [0.0, 0.3, 0.75])
def test_a_budget_is_never_overdrawn_by_many_calls_at_once(
    lab: Lab, simulators: Simulators, share: float
) -> None:
    samples = spoken(["yes"] * 40)
    job = lab.job(samples, MINI, FLASH)
    budget = int(job.upper * share) or 1
    simulators.faults(Fault(kind="cut", probability=0.2), Fault(kind="error", probability=0.2))
    try:
        results, run = lab.run(job, budget, concurrency=16, watch=watched)
    finally:
        simulators.clear_faults()
    till = run.stack.till
    assert till.held == 0 and till.spent <= budget
    assert sum(row.cost for row in lab.rows()) <= till.spent
    if share == 0:
        assert simulators.counts().calls == 0
        assert all(r.stopped == "the budget does not cover its next call" for r in results)
        assert not run.complete


def watched(run: Run) -> None:
    """At every moment, what is spent and set aside together is within the budget."""
    till = run.stack.till
    hold = till.hold

    def held(name: str, upper: int) -> None:
        hold(name, upper)
        assert till.spent + till.held <= till.budget

    till.hold = held  # type: ignore[method-assign]


def test_a_run_that_ran_out_goes_on_with_more_and_pays_nothing_twice(
    lab: Lab, simulators: Simulators
) -> None:
    job = lab.job(spoken(["yes"] * 10))
    first, run = lab.run(job, max(job.cells[0].uppers) + 9_000_000, concurrency=1)
    assert 4 <= first[0].n < 10 and not run.complete
    second, run = lab.run(job)
    assert second[0].n == 10 and run.complete
    assert simulators.counts().calls == 10
    assert second[0].cost == sum(row.cost for row in lab.rows())


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_run_that_was_killed_asks_nothing_again(
    lab: Lab, simulators: Simulators, after: int
) -> None:
    """Killed between a paid answer and its grade."""
    job = lab.job(spoken(["yes"] * 6))

    def kill(run: Run) -> None:
        add = run.log.add

        def dying(event: Any) -> None:
            if isinstance(event, Graded) and len(run.grades[MINI]) == after:
                raise Killed
            add(event)

        run.log.add = dying  # type: ignore[method-assign]

    with pytest.raises(Killed):
        lab.run(job, concurrency=1, watch=kill)
    asked = simulators.counts().calls
    assert asked == after + 1
    results, _ = lab.run(job)
    assert results[0].n == 6
    assert simulators.counts().calls == 6


def test_what_a_killed_call_may_have_cost_is_booked(lab: Lab) -> None:
    job = lab.job(spoken(["yes"] * 2))
    lab.run(job, 1)  # nothing fits: the log is there
    (path,) = lab.directory.glob("*.jsonl")
    with path.open("a") as file:
        file.write(msgspec.json.encode(Held(name="hl-x#1", upper=12345, purpose=MINI)).decode())
        file.write('\n{"type":"answered","mod')  # cut off in the middle of a line
    results, _ = lab.run(job)
    assert results[0].n == 2
    assert results[0].cost == 12345 + sum(row.cost for row in lab.rows())
    booked = [e for e in read_log(path) if isinstance(e, Paid) and e.name == "hl-x#1"]
    assert [e.cost for e in booked] == [12345]
    holds = {e.name for e in read_log(path) if isinstance(e, Held)}
    assert holds == {e.name for e in read_log(path) if isinstance(e, Paid)}


def test_two_processes_are_not_at_one_run(lab: Lab) -> None:
    job = lab.job(spoken(["yes"]))

    def again(_run: Run) -> None:
        lab_log = next(lab.directory.glob("*.jsonl"))
        assert lab_log.stat().st_mode & 0o077 == 0  # the answers are nobody else's
        from hybridllm.evals.runlog import Began, open_log

        began = Began(run="x", at=0, spec=job.spec, task="", models=[], set="", samples=0)
        with pytest.raises(HybridError, match="Another process is at this very run"):
            open_log(lab.directory, began)

    lab.run(job, watch=again)


def test_a_model_that_cannot_be_called_ends_without_the_others(
    lab: Lab, simulators: Simulators
) -> None:
    simulators.faults(Fault(kind="error", provider="google", status=400))
    try:
        results, run = lab.run(lab.job(spoken(["yes"] * 8), MINI, FLASH), concurrency=1)
    finally:
        simulators.clear_faults()
    good, bad = results
    assert (good.model, good.n, bad.model, bad.n) == (MINI, 8, FLASH, 0)
    assert bad.failed == 5 and "cannot be called: bad request" in bad.stopped
    assert not run.complete
    assert all(row.model == FLASH for row in lab.rows() if row.outcome != "ok")
    results, run = lab.run(lab.job(spoken(["yes"] * 8), MINI, FLASH))
    assert [r.n for r in results] == [8, 8] and run.complete


def test_what_fails_in_passing_is_tried_again(lab: Lab, simulators: Simulators) -> None:
    simulators.faults(Fault(kind="error", status=500, calls=4))
    results, _ = lab.run(lab.job(spoken(["yes"] * 4)), concurrency=1)
    assert (results[0].n, results[0].failed) == (4, 0)


def test_an_answer_cut_short_is_counted_as_such(lab: Lab) -> None:
    results, _ = lab.run(lab.job(spoken(["no and so on and on"]), most=1))
    assert (results[0].cut, results[0].score) == (1, 0.0)


def test_a_cell_ends_as_soon_as_its_verdict_is_certain(lab: Lab, simulators: Simulators) -> None:
    job = lab.job(spoken(["no"] * 60))
    results, run = lab.run(job, concurrency=4, sequential=True)
    (found,) = results
    assert found.n < 20 and found.n <= simulators.counts().calls < 24
    assert (found.verdict, found.stopped) == (Verdict.BELOW, "its verdict is certain")
    assert found.upper is not None and found.upper < 0.9
    assert run.complete
    again, _ = lab.run(lab.job(spoken(["yes"] * 60)), concurrency=4, sequential=True)
    assert again[0].verdict == Verdict.MEETS


def test_what_a_run_has_found_is_what_routing_goes_by(lab: Lab) -> None:
    results, _ = lab.run(lab.job(spoken(["no"] * 60)), sequential=True)
    (cell,) = measured_in(store_url(lab.config.ledger), lab.config, "classification").cells
    assert (cell.model, cell.n, cell.verdict(0.9)) == (MINI, results[0].n, Verdict.BELOW)
    assert (cell.lower, cell.upper) == (results[0].lower, results[0].upper)


def test_a_verdict_that_late_answers_make_doubtful_is_no_verdict(lab: Lab) -> None:
    """The first dozen would prove it, were the rest not under way already."""
    job = lab.job(spoken(["no"] * 12 + ["yes"] * 48))
    results, run = lab.run(job, concurrency=60, sequential=True)
    assert (results[0].n, results[0].verdict) == (60, Verdict.UNDECIDED)
    assert results[0].stopped == "" and run.complete


def test_a_handful_of_samples_is_asked_whole(lab: Lab) -> None:
    results, _ = lab.run(lab.job(spoken(["yes"] * 5)), sequential=True)
    assert (results[0].n, results[0].verdict) == (5, Verdict.UNDECIDED)


def test_scores_are_in_the_store_each_once(lab: Lab) -> None:
    job = lab.job(spoken(["yes"] * 3 + ["no"]))
    results, run = lab.run(job, max(job.cells[0].uppers) + 5_000_000, concurrency=1)
    first = lab.scores(MINI)
    assert len(first) == results[0].n < 4
    results, run = lab.run(job)
    rows = lab.scores(MINI)
    assert len(rows) == 4 and set(first) < set(rows) and lab.kept == 4 - len(first)
    assert {row.sample: row.score for row in rows} == {"s0": 1, "s1": 1, "s2": 1, "s3": 0}
    assert {row.run for row in rows} == {run.log.began.run}
    assert {row.grader for row in rows} == {"exact"}
    assert sum(row.cost for row in rows) == results[0].cost
    assert {row.request_id for row in rows} == {row.request_id for row in lab.rows()}


def test_a_judge_is_paid_from_the_budget_and_not_twice(lab: Lab, simulators: Simulators) -> None:
    said = '{\\"score\\": 4}'
    samples = spoken([said] * 3, "", JUDGE)
    job = lab.job(samples)
    assert job.judges["gpt-4o"].id == "openai/gpt-4o"
    results, run = lab.run(job)
    assert (results[0].n, results[0].score) == (3, 0.75)
    rows = lab.rows()
    assert {row.model for row in rows} == {MINI, "openai/gpt-4o"} and len(rows) == 6
    assert results[0].cost == run.stack.till.spent == sum(row.cost for row in rows)
    assert run.stack.till.spent < job.upper
    judge = next(row for row in rows if row.model != MINI)
    assert json.loads(judge.tags)["judges"] == MINI


def test_a_judge_whom_nobody_understands_leaves_no_grade(lab: Lab, simulators: Simulators) -> None:
    results, run = lab.run(lab.job(spoken(["hm"] * 2, "", JUDGE)))
    assert (results[0].n, results[0].ungraded, results[0].score) == (0, 2, None)
    assert simulators.counts().calls == 2 + 4
    assert run.complete


REFUSED = [
    ({"models": ["nope"]}, "There is no chat model 'nope'"),
    ({"models": ["text-embedding-3-small"]}, "There is no chat model"),
    ({"task": "nope"}, "There is no task 'nope'"),
    ({"models": ["gpt-4o"], "grader": JUDGE}, "would judge its own answers"),
    ({"grader": {**JUDGE, "model": "nobody"}}, "There is no chat model 'nobody'"),
]


@pytest.mark.parametrize(("said", "words"), REFUSED)
def test_what_cannot_be_run_is_said_before_it_costs(
    lab: Lab, said: dict[str, Any], words: str
) -> None:
    from hybridllm.evals.job import job_of

    samples = spoken(["yes"], "", said.get("grader", {"kind": "exact"}))
    with pytest.raises(RequestError) as raised:
        job_of(lab.config, said.get("task", "classification"), said.get("models", []), samples)
    assert words in raised.value.message


def test_batches_answer_at_half_the_price(lab: Lab, simulators: Simulators) -> None:
    samples = spoken(["yes"] * 6 + ["no"] * 2)
    live, _ = lab.run(lab.job(samples))
    results, run = lab.run(lab.job(samples, batch=True))
    assert [(r.n, r.score) for r in results] == [(8, 0.75)]
    assert Decimal(results[0].cost) == Decimal(live[0].cost) / 2
    assert run.complete and run.stack.till.held == 0
    assert simulators.counts().lines == 8
    assert sum(row.batch for row in lab.rows()) == 8
    assert {row.key for row in lab.rows()} == {"eval"}
    of_batch = [row for row in lab.scores(MINI) if row.run == run.log.began.run]
    assert sum(row.cost for row in of_batch) == results[0].cost


def test_a_batch_keeps_the_budget_in_rounds(lab: Lab, simulators: Simulators) -> None:
    job = lab.job(spoken(["yes"] * 8), batch=True)
    results, run = lab.run(job, 6 * job.cells[0].uppers[0] + 5)
    assert 3 <= results[0].n <= 8
    assert run.stack.till.spent <= run.stack.till.budget
    assert simulators.counts().lines == results[0].n


def test_lines_that_no_batch_answers_in_time_are_asked_live_from_the_same_money(
    lab: Lab, simulators: Simulators
) -> None:
    job = lab.job(spoken(["yes"] * 4), batch=True)
    budget = 8 * job.cells[0].uppers[0]
    results, run = lab.run(job, budget, deadline=600.0)
    assert results[0].n == 4 and simulators.counts().lines == 0
    assert (run.stack.till.held, run.stack.till.spent) == (0, results[0].cost)


def test_a_batch_of_a_killed_run_is_found_again(lab: Lab, simulators: Simulators) -> None:
    job = lab.job(spoken(["yes"] * 4), batch=True)

    def kill(run: Run) -> None:
        def told(_model: str) -> None:
            raise Killed

        run.told = told

    simulators.faults(Fault(kind="batch_slow", seconds=5))
    with pytest.raises(Killed):
        lab.run(job, watch=kill)
    simulators.clear_faults()
    simulators.advance(6)
    results, run = lab.run(job)
    assert results[0].n == 4 and simulators.counts().lines == 4
    assert run.stack.till.held == 0
    assert results[0].cost == sum(row.cost for row in lab.rows()) < job.upper < DOLLAR
