"""Reports are exact to the picodollar, and read nothing but the hourly sums."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from hybridllm.errors import RequestError
from hybridllm.ledger.record import Attempt
from hybridllm.reports import savings, spend
from hybridllm.reports.period import iso_day, iso_hour
from hybridllm.reports.totals import DIMENSIONS
from hybridllm.store import writing
from tests.ledger.samples import AT, attempt, intent
from tests.reports.conftest import Record

HOUR = 3_600_000_000
SINCE = datetime.fromtimestamp(AT / 1e6, UTC)
UNTIL = SINCE + timedelta(days=3)
SONNET = {"model": "anthropic/claude-sonnet-4-6", "provider": "anthropic", "task": "code_review"}


def test_spend_is_grouped_shared_out_and_ordered_by_cost(engine: Engine, record: Record) -> None:
    record(
        attempt("a", cost=1_000_000_000_001),
        attempt("b", cost=1_000_000_000_001),
        attempt("c", cost=6_000_000_000_006, **SONNET),
    )
    report = spend(engine, ["task", "provider"], SINCE, UNTIL)
    assert report.by == ("task", "provider")
    assert [(row.group, row.totals.cost, row.share) for row in report.rows] == [
        (("code_review", "anthropic"), 6_000_000_000_006, 0.75),
        (("classification", "openai"), 2_000_000_000_002, 0.25),
    ]
    assert report.total.cost == 8_000_000_000_008
    assert report.total.attempts == report.total.answered == 3
    assert report.total.total_input_tokens == 3000


def test_groups_of_time_are_in_the_order_of_time(engine: Engine, record: Record) -> None:
    record(
        attempt("a", at=AT + 40 * HOUR, cost=9),
        attempt("b", at=AT, cost=1),
        attempt("c", at=AT, cost=2, **SONNET),
        attempt("d", at=AT + HOUR, cost=3),
    )
    by_day = spend(engine, ["day", "provider"], SINCE, UNTIL)
    assert [(row.group, row.totals.cost) for row in by_day.rows] == [
        (("2026-11-24", "openai"), 4),
        (("2026-11-24", "anthropic"), 2),
        (("2026-11-25", "openai"), 9),
    ]
    by_hour = spend(engine, ["hour"], SINCE, UNTIL)
    assert [(row.group, row.totals.cost) for row in by_hour.rows] == [
        (("2026-11-24T07:00Z",), 3),
        (("2026-11-24T08:00Z",), 3),
        (("2026-11-25T23:00Z",), 9),
    ]


def test_only_the_hours_of_the_period_count(engine: Engine, record: Record) -> None:
    record(*(attempt(f"{i}", at=AT + i * HOUR, cost=10**i) for i in range(5)))
    one, three = SINCE + timedelta(hours=1), SINCE + timedelta(hours=3)
    assert spend(engine, ["task"], one, three).total.cost == 10 + 100
    assert spend(engine, ["task"], SINCE, one - timedelta(minutes=1)).total.cost == 1


def test_sums_go_past_what_sixty_three_bits_hold(engine: Engine, record: Record) -> None:
    dear = 2**63 - 1
    record(*(attempt(f"{i}", at=AT + i * HOUR, cost=dear, baseline=dear) for i in range(30)))
    assert spend(engine, ["task"], SINCE, UNTIL).total.cost == 30 * dear
    assert savings(engine, SINCE, UNTIL).total.baseline == 30 * dear


def test_no_report_reads_the_attempts(engine: Engine, record: Record) -> None:
    record(attempt("a"), attempt("b", **SONNET))
    with writing(engine) as connection:
        connection.execute(text("DROP TABLE attempts"))
    for name in DIMENSIONS:
        assert spend(engine, [name], SINCE, UNTIL).total.attempts == 2
    assert savings(engine, SINCE, UNTIL).total.attempts == 2


@pytest.mark.parametrize("by", [[], ["colour"], ["task", "task"], ["task", ""], ["at"]])
def test_an_unknown_grouping_is_refused_with_the_choices(engine: Engine, by: list[str]) -> None:
    with pytest.raises(RequestError) as caught:
        spend(engine, by, SINCE, UNTIL)
    assert caught.value.remedy is not None
    assert all(name in caught.value.remedy for name in DIMENSIONS)


def test_a_report_of_nothing_is_empty(engine: Engine) -> None:
    report = spend(engine, ["task"], SINCE, UNTIL)
    assert (report.rows, report.total.cost) == ([], 0)
    nothing = savings(engine, SINCE, UNTIL)
    assert (nothing.tasks, nothing.total.saving, nothing.total.percent) == ([], 0, None)


def test_free_calls_have_no_share(engine: Engine, record: Record) -> None:
    record(attempt(cost=0, unpriced=True))
    report = spend(engine, ["task"], SINCE, UNTIL)
    assert [row.share for row in report.rows] == [0.0]
    assert report.total.unpriced == 1


def test_savings_are_net_of_what_failed(engine: Engine, record: Record) -> None:
    failed = {"answered": False, "outcome": "error", "baseline": 0}
    record(
        attempt("a", cost=2_000, baseline=10_000),
        attempt("b", 1, cost=300, **failed),
        attempt("b", 2, cost=5_000, baseline=10_000, model="x/other"),
        attempt("c", cost=15_000, baseline=10_000, **SONNET),
        attempt("d", cost=1, baseline=10, usage_estimated=True, outcome="cut", **SONNET),
        intent("e", upper_cost=700),
    )
    report = savings(engine, SINCE, UNTIL)
    total = report.total
    assert total.cost == 2_000 + 300 + 5_000 + 15_000 + 1 + 700
    assert total.baseline == 30_010
    assert total.saving == 30_010 - total.cost
    assert total.percent == pytest.approx(100 * total.saving / 30_010)
    assert total.unanswered_cost == 300 + 700
    assert (total.answered, total.attempts, total.fallbacks) == (4, 6, 1)
    assert (total.unknown, total.estimated, total.unpriced) == (1, 2, 0)
    assert [(one.task, one.saving.saving) for one in report.tasks] == [
        ("classification", 20_000 - 8_000),
        ("code_review", 10_010 - 15_001),
    ]


def monday(seconds: int) -> str:
    day = datetime.fromtimestamp(seconds, UTC).date()
    return (day - timedelta(days=day.weekday())).isoformat()


SHOW = {
    "week": lambda a: monday(a.at // 1_000_000),
    "day": lambda a: iso_day(a.at // 1_000_000),
    "hour": lambda a: iso_hour(a.at // HOUR * 3600),
}

some_attempts = st.lists(
    st.builds(
        attempt,
        request_id=st.uuids().map(str),
        at=st.integers(AT - 50 * HOUR, AT + 50 * HOUR),
        task=st.sampled_from(["t", "u"]),
        provider=st.sampled_from(["p", "q"]),
        model=st.sampled_from(["p/m", "q/n"]),
        key=st.sampled_from(["k", "l"]),
        cost=st.integers(0, 2**63 - 1),
    ),
    max_size=15,
    unique_by=lambda a: a.request_id,
)


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(some_attempts, st.lists(st.sampled_from(sorted(DIMENSIONS)), min_size=1, unique=True))
def test_every_grouping_adds_up_to_the_rows(
    engine: Engine, record: Record, recorded: list[Attempt], by: list[str]
) -> None:
    with writing(engine) as connection:
        for name in ("attempts", "hourly"):
            connection.execute(text(f"DELETE FROM {name}"))
    record(*recorded)
    expected: dict[tuple[str, ...], int] = defaultdict(int)
    for one in recorded:
        if SINCE.timestamp() * 1e6 <= one.at < UNTIL.timestamp() * 1e6:
            expected[tuple(SHOW[n](one) if n in SHOW else getattr(one, n) for n in by)] += one.cost
    report = spend(engine, by, SINCE, UNTIL)
    assert {row.group: row.totals.cost for row in report.rows} == expected
    assert report.total.cost == sum(expected.values())
