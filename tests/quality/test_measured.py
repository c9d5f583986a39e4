"""What sums of scores say of models, and when that takes the place of an assumption."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridllm.catalog.structs import Quality, Task, Tier
from hybridllm.quality import Table, Verdict, anytime
from hybridllm.quality.measured import cells, closest, qualities
from hybridllm.store.scores import Sums

TASKS = {"t": Task(name="t", tier=Tier.SIMPLE, bar=0.9)}
JUNE = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp()) * 10**6


def sums(n: int, good: int, **other: object) -> Sums:
    said = {
        "task": "t",
        "model": "x/m",
        "variant": "",
        "metric": "score",
        "source": "benchmark",
        "run": "r",
        "week": 0,
        "n": n,
        "weight": n * 1000,
        "weight_squares": n * 10**6,
        "total": good * 10**9,
        "squares": good * 10**9,
        "cost": 5,
        "last_at": JUNE,
    }
    return Sums(**{**said, **other})  # type: ignore[arg-type]


def test_weeks_and_sources_are_added_up() -> None:
    weeks = [sums(100, 95), sums(60, 50, week=7, source="production", run="p", last_at=JUNE + 1)]
    (cell,) = cells(weeks)
    assert (cell.n, cell.value, cell.cost, cell.at) == (160, 145 / 160, 10, JUNE + 1)
    assert cell.sources == {"benchmark": 100, "production": 60}
    assert (cell.lower, cell.upper) == anytime(160, 145, 145)


def test_feedback_is_told_and_does_not_decide() -> None:
    assert cells([sums(500, 500, source="feedback")]) == []
    (cell,) = cells([sums(100, 95), sums(500, 0, source="feedback")])
    assert (cell.n, cell.value, cell.feedback) == (100, 0.95, 500)


def test_the_same_samples_in_another_run_do_not_count_twice() -> None:
    (cell,) = cells([sums(200, 190), sums(20, 20, run="later", last_at=JUNE + 9)])
    assert (cell.n, cell.value) == (200, 0.95)
    (cell,) = cells([sums(200, 190), sums(200, 180, run="later", last_at=JUNE + 9)])
    assert (cell.n, cell.value) == (200, 0.9)


def test_weighted_answers_prove_as_much_as_the_equal_ones_that_they_are_worth() -> None:
    """100 of weight 3 that are good and 100 of weight 1 that are not: 75%, worth 160."""
    row = sums(200, 0, weight=400_000, weight_squares=1_000 * 10**6)
    (cell,) = cells([row._replace(total=300 * 10**9, squares=300 * 10**9)])
    assert (cell.n, cell.value) == (200, 0.75)
    assert (cell.lower, cell.upper) == anytime(160, 120, 120)


@pytest.mark.parametrize(
    ("n", "good", "counts"),
    [(10, 9, False), (60, 57, False), (20, 5, True), (100, 100, True), (200, 180, True)],
    ids=["few", "close", "clearly below", "clearly above", "as many as one wants"],
)
def test_a_measurement_counts_once_it_says_something(n: int, good: int, counts: bool) -> None:
    found = qualities(cells([sums(n, good)]), TASKS)
    assert bool(found) is counts
    assumed = Quality(model="x/m", task="t", value=0.95, lower=0.95)
    known = Table([assumed, *found]).find("x/m", TASKS["t"])
    assert known is not None and (known.samples == n) is counts
    if counts:
        assert known.lower == anytime(n, good, good)[0] and known.at == "2026-06-01"


def test_a_variants_figures_are_not_the_plain_prompts() -> None:
    found = cells([sums(200, 190), sums(200, 100, variant="short")])
    assert [(cell.variant, cell.n) for cell in found] == [("", 200), ("short", 200)]
    assert [quality.value for quality in qualities(found, TASKS)] == [0.95]
    applied = qualities(found, TASKS, lambda task, model: "short")
    assert [quality.value for quality in applied] == [0.5], "of the prompt that the model gets"


def test_a_task_that_is_gone_says_nothing() -> None:
    assert qualities(cells([sums(200, 190, task="gone")]), TASKS) == ()


def test_the_next_samples_go_where_a_verdict_is_near() -> None:
    found = cells(
        [
            sums(150, 144, model="x/nearly"),
            sums(150, 136, model="x/even"),
            sums(150, 60, model="x/below"),
            sums(300, 299, model="x/meets"),
        ]
    )
    assert [cell.model for cell in closest(found, TASKS)] == ["x/nearly", "x/even"]
    verdicts = {cell.model: cell.verdict(0.9) for cell in found}
    assert verdicts["x/below"] is Verdict.BELOW and verdicts["x/meets"] is Verdict.MEETS


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(1, 50), st.floats(0, 1)), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
def test_cells_are_the_same_whatever_order_weeks_come_in(weeks, random) -> None:
    rows = [
        sums(n, round(share * n), week=week, source="production")
        for week, (n, share) in enumerate(weeks)
    ]
    (cell,) = cells(rows)
    random.shuffle(rows)
    assert cells(rows) == [cell]
    good = sum(row.total for row in rows) // 10**9
    assert cell.value == float(Fraction(good, sum(row.n for row in rows)))
    assert cell.lower <= cell.value + 1e-9 and cell.value <= cell.upper + 1e-9
