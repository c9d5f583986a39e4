"""Every score counts once, and the sums are exact whatever the order and the writers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete

from hybridllm.store import open_store, writing
from hybridllm.store.schema import score_sums, scores
from hybridllm.store.scores import (
    Score,
    Sums,
    add_scores,
    read_live,
    read_scores,
    read_sums,
    read_totals,
    stamp,
    week_of,
)

MONDAY = 1_780_272_000  # 2026-06-01
WEEK = 7 * 86_400


@pytest.fixture
def engine(store_url: str) -> Iterator[Engine]:
    engine = open_store(store_url)
    yield engine
    engine.dispose()


def score(sample: str, value: float = 1.0, **other: object) -> Score:
    fields = {"task": "t", "model": "x/m", "run": "r", "grader": "exact", "at": MONDAY * 10**6}
    return Score(**{**fields, "sample": sample, "score": value, **other})  # type: ignore[arg-type]


def test_a_sample_counts_once_in_a_run_and_cell(engine: Engine) -> None:
    with writing(engine) as connection:
        assert add_scores(connection, [score("1"), score("2", 0.5), score("1", 0.0)]) == 2
        assert add_scores(connection, [score("2", 0.9), score("3", 0.0)]) == 1
        (sums,) = read_sums(connection)
        assert (sums.n, sums.total) == (3, 1_500_000_000)
        assert [row.score for row in read_scores(connection, "t", "x/m")] == [1.0, 0.5, 0.0]


def test_another_run_metric_variant_or_model_is_another_cell(engine: Engine) -> None:
    others = [{"run": "s"}, {"variant": "v"}, {"model": "x/n"}, {"task": "u"}, {"metric": "f1"}]
    with writing(engine) as connection:
        assert add_scores(connection, [score("1"), *(score("1", **one) for one in others)]) == 6
        assert [row.n for row in read_sums(connection)] == [1] * 5
        assert [row.n for row in read_sums(connection, metric="f1")] == [1]
        assert [row.run for row in read_sums(connection, task="t")] == ["r", "s", "r", "r"]


def test_what_is_written_is_read_again(engine: Engine) -> None:
    said = score("1", 0.25, weight=2.5, source="shadow", request_id="q", cost=7, variant="short")
    with writing(engine) as connection:
        add_scores(connection, [said])
        assert read_scores(connection, "t", "x/m", variant="short") == [said]
        assert read_sums(connection) == [
            Sums(
                *("t", "x/m", "short", "score", "shadow", "r", MONDAY),
                n=1,
                weight=2500,
                weight_squares=6_250_000,
                total=625_000_000,
                squares=156_250_000,
                cost=7,
                last_at=MONDAY * 10**6,
            )
        ]


def test_weeks_begin_on_monday_and_are_read_from_any_moment_in_them(engine: Engine) -> None:
    last_second = (MONDAY + WEEK) * 10**6 - 1
    assert week_of(MONDAY * 10**6) == week_of(last_second) == MONDAY
    assert week_of(last_second + 1) == MONDAY + WEEK
    with writing(engine) as connection:
        add_scores(connection, [score("1"), score("2", at=last_second + 1)])
        assert [row.week for row in read_sums(connection)] == [MONDAY, MONDAY + WEEK]
        assert [row.n for row in read_sums(connection, since=MONDAY + WEEK + 5)] == [1]


def test_weeks_are_added_up_by_the_database(engine: Engine) -> None:
    then = (MONDAY + WEEK) * 10**6
    with writing(engine) as connection:
        add_scores(connection, [score("1", 0.5), score("2", 0.25, at=then), score("3", run="s")])
        first, second = read_totals(connection, task="t")
        assert read_totals(connection, task="u") == []
    assert (first.run, first.n, first.total, first.squares) == ("r", 2, 750_000_000, 312_500_000)
    assert (first.week, first.last_at, second.n) == (MONDAY + WEEK, then, 1)
    assert all(type(value) is int for value in first[6:])


def test_what_is_no_score_is_refused_by_name(engine: Engine) -> None:
    bad: list[tuple[dict[str, object], str]] = [
        ({"score": 1.1}, "score"),
        ({"score": float("nan")}, "score"),
        ({"weight": 0.0}, "weight"),
        ({"weight": 1001.0}, "weight"),
        ({"source": "hearsay"}, "benchmark"),
    ]
    with writing(engine) as connection:
        for fields, named in bad:
            with pytest.raises(ValueError, match=named):
                add_scores(connection, [score("1")._replace(**fields)])
        assert read_sums(connection) == []


def test_writers_at_once_count_nothing_twice(engine: Engine) -> None:
    rows = [score(f"{n:03}", n % 2) for n in range(200)]

    def write(part: int) -> int:
        with writing(engine) as connection:
            return add_scores(connection, rows[part * 25 : part * 25 + 100][:: 1 - 2 * (part % 2)])

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(write, [0, 1, 2, 3, 4, 0, 1])) == 200
    with writing(engine) as connection:
        (sums,) = read_sums(connection)
        assert (sums.n, sums.total) == (200, 100 * 10**9)


def test_whoever_looks_again_sees_that_something_came(engine: Engine) -> None:
    with writing(engine) as connection:
        seen = [stamp(connection)]
        for sample in ("1", "2", "2"):
            add_scores(connection, [score(sample)])
            seen.append(stamp(connection))
        assert len(set(seen)) == 3 and seen[2] == seen[3]


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from([1.0, 2.5])),
        max_size=20,
    ),
    st.randoms(),
)
def test_sums_are_those_of_the_rows_in_any_grouping(
    engine: Engine, drawn: list[tuple[int, float, float]], random: object
) -> None:
    with writing(engine) as connection:
        connection.execute(delete(scores))
        connection.execute(delete(score_sums))
        rows = [score(str(n), value, weight=weight) for n, value, weight in drawn]
        while rows:
            size = random.randint(1, len(rows))  # type: ignore[attr-defined]
            add_scores(connection, rows[:size])
            rows = rows[size:]
        kept = read_scores(connection, "t", "x/m")
        total = sum(Fraction(str(row.score)) * Fraction(str(row.weight)) for row in kept)
        assert sum(row.n for row in read_sums(connection)) == len(kept)
        assert sum(row.total for row in read_sums(connection)) == total * 10**9


def test_live_scores_are_read_from_both_ends_and_in_order(engine: Engine) -> None:
    def at(second: int, source: str, **other: str) -> Score:
        return score(f"{second:03}", at=second, source=source, run=source, **other)

    rows = [at(n, "shadow" if n % 3 == 0 else "production") for n in range(60)]
    rows += [at(n, "feedback") for n in range(30, 50)]
    others = [at(n, "benchmark") for n in range(9)]
    others += [at(n, "production", variant="v") for n in range(9)]
    others += [at(n, "production", model="x/other") for n in range(9)]
    streams = (("production", "shadow"), ("feedback",))
    with writing(engine) as connection:
        add_scores(connection, [*reversed(rows), *others])
        found = read_live(connection, "t", "x/m", streams, first=5, newest=8)
    assert [(row.at, row.source) for row in found] == [
        *((n, "shadow" if n % 3 == 0 else "production") for n in range(5)),
        *((n, "feedback") for n in range(30, 35)),
        *((n, "shadow" if n % 3 == 0 else "production") for n in range(52, 60)),
    ]
    assert {row.score for row in found} == {1.0}
