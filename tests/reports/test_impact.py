"""The impact of routing, reckoned by hand: to the picodollar, on both databases, every figure with
the query that yields it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from operator import mul

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from hybridllm.config import OverheadConfig
from hybridllm.config_file import load_preset
from hybridllm.reports.impact import Impact, explain, impact
from hybridllm.reports.incidents import _shared, incidents
from hybridllm.reports.overhead import MONTH_HOURS, Span, Start, overhead
from hybridllm.reports.period import Period
from hybridllm.store import writing
from tests.ledger.samples import AT, attempt, intent
from tests.reports.conftest import Record

HOUR_US = 3_600_000_000
USD = 10**12
BEGIN = datetime.fromtimestamp(AT / 1e6, UTC)  # Tuesday 2026-11-24T07:00Z
GUIDE = load_preset("guide")
SONNET = {"model": "anthropic/claude-sonnet-4-6", "provider": "anthropic", "task": "code_review"}
FAILED = {"answered": False, "outcome": "error", "baseline": 0, "cost": 0}


def of(engine: Engine, hours: int = 1, **settings: object) -> Impact:
    """The impact of the first `hours` with these settings of [overhead]."""
    taken = msgspec.structs.replace(GUIDE.overhead, **settings)
    config = msgspec.structs.replace(GUIDE, overhead=taken)
    return impact(engine, config, BEGIN, BEGIN + timedelta(hours=hours))


def test_the_saving_is_what_the_ledger_says_less_the_overhead(
    engine: Engine, record: Record
) -> None:
    record(
        attempt("a", cost=1 * USD + 1, baseline=10 * USD + 3),
        attempt("b", cost=4 * USD, baseline=4 * USD, **SONNET),
        attempt("c", 1, **FAILED | {"cost": 7}),
        attempt("c", 2, cost=2 * USD, baseline=10 * USD, **SONNET),
    )
    # An hour of 720. Set-up: 3 and 5 days of 8 hours at $72, over 12 months: $144 and $240 a month.
    # Adaptation: 2 and 4 hours for classification by OpenAI alone: $12 and $24 a month.
    # Maintenance: $144 and $288. Evaluation: $300 and $500.
    found = of(engine, hourly_rate_usd=72.0)
    assert found.total.baseline == 24 * USD + 3
    assert found.saving == 24 * USD + 3 - (7 * USD + 8)
    assert {item.name: item.amount for item in found.overhead.items} == {
        name: Span(low * USD // 720, high * USD // 720)
        for name, low, high in (
            ("set-up", 144, 240),
            ("prompt adaptation", 12, 24),
            ("maintenance", 144, 288),
            ("evaluation", 300, 500),
        )
    }
    assert [(one.task, one.provider) for one in found.overhead.adapted] == [
        ("classification", "openai")
    ]
    assert found.net.low == found.saving - found.overhead.total.high
    assert found.net.high == found.saving - found.overhead.total.low
    middle = found.saving - found.overhead.total.middle
    assert found.net_percent == pytest.approx(100 * middle / found.total.baseline)


@pytest.mark.parametrize(
    ("cost", "verdict"), [(100, "above"), (65, "within"), (74, "within"), (80, "below")]
)
def test_the_net_saving_is_set_against_the_target(
    engine: Engine, record: Record, cost: int, verdict: str
) -> None:
    paid = 0 if verdict == "above" else cost * USD
    record(attempt("a", cost=paid, baseline=100 * USD))
    free = dict.fromkeys(("setup_days", "adaptation_hours", "maintenance_hours"), (0.0, 0.0))
    found = of(engine, **free, evaluation_usd=(0.0, 0.0))
    assert (found.verdict, found.overhead.total.high) == (verdict, 0)
    assert found.net_percent == pytest.approx(100 - paid / USD)


def test_below_the_target_it_says_what_volume_would_carry_the_overhead(
    engine: Engine, record: Record
) -> None:
    record(attempt("a", cost=50 * USD, baseline=100 * USD))
    free = dict.fromkeys(("setup_days", "adaptation_hours", "maintenance_hours"), (0.0, 0.0))
    found = of(engine, **free, evaluation_usd=(500.0, 500.0), hours=1)
    # Half is saved and 25% must be left: $500 a month is a quarter of $2,000.
    assert found.needed == pytest.approx(2_000 * USD, rel=1e-9)
    assert of(engine, target_percent=(50.0, 60.0)).needed is None


def test_nothing_is_charged_for_the_time_before_the_ledger_began(
    engine: Engine, record: Record
) -> None:
    record(attempt("a"))
    ever = impact(engine, GUIDE, datetime(1970, 1, 1, tzinfo=UTC), BEGIN + timedelta(hours=3))
    assert ever.overhead.hours == 3
    assert ever.overhead.total == of(engine, hours=3).overhead.total
    assert ever.began == "2026-11-24T07:00Z"


def test_an_empty_ledger_has_no_impact(engine: Engine) -> None:
    found = of(engine)
    assert (found.weeks, found.incidents, found.overhead.hours) == ([], [], 0)
    assert (found.overhead.total.high, found.net_percent, found.verdict) == (0, None, "nothing")


@given(
    st.integers(0, 3000),
    st.integers(0, 3000),
    st.integers(0, 3000),
    st.floats(0.5, 36, allow_nan=False),
)
def test_what_is_spent_once_is_charged_once(start: int, length: int, first: int, months: float):
    """Over periods that follow each other, all of the set-up is charged and no more of it."""
    config = OverheadConfig(amortise_months=months, setup_days=(1.0, 1.0), hourly_rate_usd=1.0)
    hour = 3600
    cuts = [0, min(start, length), max(start, length), 100_000]
    parts = [
        overhead(config, Period(a * hour, b * hour), first * hour, [], "x").items[0].amount.low
        for a, b in pairwise(cuts)
    ]
    assert 0 <= 8 * USD - sum(parts) <= len(parts)
    assert Fraction(repr(months)) * MONTH_HOURS <= 100_000 - first


def test_a_prompt_is_adapted_from_its_first_answer_on_and_never_for_the_baselines_provider() -> (
    None
):
    hours = Period(0, 720 * 3600)
    pairs = [Start("t", "openai", 360 * 3600), Start("t", "anthropic", 0)]
    config = OverheadConfig(hourly_rate_usd=12.0, adaptation_hours=(1.0, 1.0))
    taken = overhead(config, hours, 0, pairs, "anthropic")
    assert taken.items[1].amount.low == USD // 2  # $12 over 12 months, half a month
    assert [pair.provider for pair in taken.adapted] == ["openai"]


# -- weeks


def test_costs_are_by_week_task_and_provider_from_monday_on(engine: Engine, record: Record) -> None:
    sunday = AT + (5 * 24 + 16) * HOUR_US  # 2026-11-29T23:00Z
    record(
        attempt("a", at=sunday, cost=5),
        attempt("b", at=sunday + HOUR_US, cost=7),
        attempt("c", at=sunday + HOUR_US, cost=9, **SONNET),
    )
    weeks = of(engine, hours=300).weeks
    assert [(w.week, w.task, w.provider, w.totals.cost) for w in weeks] == [
        ("2026-11-23", "classification", "openai", 5),
        ("2026-11-30", "code_review", "anthropic", 9),
        ("2026-11-30", "classification", "openai", 7),
    ]


# -- outages


def outage(name: str, hour: int, number: int, provider: str = "openai") -> list[object]:
    """`number` requests whose first model failed and which Anthropic answered."""
    at = AT + hour * HOUR_US
    rescue = {"model": "anthropic/claude-sonnet-4-6", "provider": "anthropic"}
    entries: list[object] = []
    for i in range(number):
        id = f"{name}-{hour}-{i}"
        entries.append(attempt(id, 1, at=at, provider=provider, model=f"{provider}/m", **FAILED))
        entries.append(attempt(id, 2, at=at, **rescue))
    return entries


def test_adjacent_hours_are_one_incident_and_a_gap_makes_two(
    engine: Engine, record: Record
) -> None:
    record(*outage("x", 0, 6), *outage("x", 1, 5), *outage("x", 3, 2), attempt("fine"))
    found = of(engine, hours=24)
    assert [(i.provider, i.since[11:16], i.until[11:16], i.failed, i.saved, i.counts)
            for i in found.incidents] == [
        ("openai", "07:00", "09:00", 11, 11, True),
        ("openai", "10:00", "11:00", 2, 2, False),
    ]  # fmt: skip
    assert found.saved_requests == 13
    assert (found.worth.low, found.worth.high) == (500 * USD, 2000 * USD)
    assert found.saving == found.total.baseline - found.total.cost, "the worth is not in it"


def test_failures_that_nobody_answered_are_no_survived_incident(
    engine: Engine, record: Record
) -> None:
    record(attempt("a", **FAILED), intent("b"), attempt("c"))
    assert of(engine, hours=24).incidents == []


def test_a_retry_by_the_same_model_is_no_fallback(engine: Engine, record: Record) -> None:
    record(attempt("a", 1, **FAILED), attempt("a", 2))
    assert of(engine, hours=24).incidents == []


def test_a_fallback_in_the_next_hour_still_belongs_to_the_failure(
    engine: Engine, record: Record
) -> None:
    record(
        attempt("a", 1, at=AT + HOUR_US - 1, **FAILED),
        attempt("a", 2, at=AT + HOUR_US, model="anthropic/x", provider="anthropic"),
    )
    (one,) = of(engine, hours=24).incidents
    assert (one.provider, one.saved) == ("openai", 1)


def test_two_providers_that_fail_together_share_what_was_saved(
    engine: Engine, record: Record
) -> None:
    record(*outage("x", 0, 20), *outage("y", 0, 10, "google"))
    found = incidents(engine, Period(AT // 10**6, AT // 10**6 + 3600), 10)
    assert [(one.provider, one.failed, one.saved) for one in found] == [
        ("google", 10, 10),
        ("openai", 20, 20),
    ]


@given(
    st.integers(0, 10**6),
    st.dictionaries(st.sampled_from("abcd"), st.integers(1, 10**6), max_size=4),
)
def test_shares_are_whole_and_sum_up(saved: int, failures: dict[str, int]) -> None:
    shares = _shared(saved, failures)
    assert sum(shares.values()) == (saved if failures else 0)
    for provider, share in shares.items():
        assert abs(share - saved * failures[provider] / sum(failures.values())) < 1


# -- where figures come from


def test_every_figure_has_a_query_that_yields_it(engine: Engine, record: Record) -> None:
    record(
        *outage("x", 0, 3),
        attempt("a", cost=3 * 10**18, baseline=9 * 10**18),
        attempt("b", cost=3 * 10**18, baseline=9 * 10**18 + 1),
        attempt("c", task="it's: 100%", cost=12),
    )
    report = of(engine, hours=24)
    traces = {trace.figure: trace for trace in explain(engine, GUIDE, report).traces}
    assert traces["baseline"].amount == report.total.baseline > 2**63
    assert traces["cost"].amount == report.total.cost
    assert traces["saving"].amount == report.saving
    assert traces["ledger began"].amount == AT // 10**6
    for week in report.weeks:
        trace = traces[f"{week.week} {week.task} {week.provider}"]
        assert (trace.amount, trace.hours) == (week.totals.cost, 1)
    (saved,) = [t for figure, t in traces.items() if figure.startswith("requests saved")]
    assert saved.amount == report.saved_requests == 3
    with engine.connect() as connection:
        for trace in traces.values():
            row = connection.execute(text(trace.query.replace(":", "\\:"))).one()
            as_printed = [int(value) for value in row]
            assert trace.amount == sum(map(mul, as_printed, (10**6, 1) if row[1:] else (1,)))


def test_the_prices_behind_it_reckon_the_cost_again(engine: Engine, record: Record) -> None:
    record(
        attempt("a", input_tokens=1000, output_tokens=100, cost=210_000_000),
        attempt("b", input_tokens=1000, cache_read_tokens=50, output_tokens=0, cost=153_750_000),
        attempt("c", input_tokens=10, output_tokens=1, cost=1, **SONNET),
    )
    behind = explain(engine, GUIDE, of(engine, hours=24))
    mini, sonnet = sorted(behind.prices, key=lambda use: -use.reckoned)
    assert (mini.model, mini.attempts) == ("openai/gpt-4o-mini", 2)
    assert mini.reckoned == mini.cost == 363_750_000
    assert (sonnet.reckoned, sonnet.cost) == (45_000_000, 1)
    (baseline,) = behind.baseline_prices
    assert (baseline.rates.input, baseline.rates.output) == (3_000_000, 15_000_000)


def test_no_impact_reads_the_attempts(engine: Engine, record: Record) -> None:
    record(*outage("x", 0, 3))
    with writing(engine) as connection:
        connection.execute(text("DROP TABLE attempts"))
    report = of(engine, hours=24)
    assert explain(engine, GUIDE, report).traces
    assert report.saved_requests == 3
