"""What stands beside a month's bills: why the optimal one is lower, where marks pay, when the
engineering is earned back, and what if. Figures are worked out by hand."""

from decimal import Decimal as D
from fractions import Fraction as F

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hybridllm.catalog.structs import Price, Rates
from hybridllm.config import OverheadConfig, RoutingConfig
from hybridllm.config_file import load_config
from hybridllm.planning.caching import marks
from hybridllm.planning.comparison import compare, plan
from hybridllm.planning.cost import CostLine, Strategy, three_ways
from hybridllm.planning.month import prepare
from hybridllm.planning.overhead import Overhead, break_even, net_at, overhead_of
from hybridllm.planning.whatif import repriced
from hybridllm.planning.workload import Line, Reuse, Workload, load_workload
from tests.routing.build import config as small
from tests.routing.build import m

DAY = "2026-04-20"
DOLLAR = 10**12
GUIDE = load_config(preset="guide", env={"HYBRIDLLM_CONFIG": ""})
SONNET, MINI = "anthropic/claude-sonnet-4-6", "openai/gpt-4o-mini"


@pytest.fixture(scope="module")
def guide():
    return compare(load_workload("guide"), GUIDE, DAY)


def test_the_four_strategies_of_the_guides_month(guide):
    assert [(x.name, x.monthly / DOLLAR) for x in guide.strategies] == [
        ("single", 7125),
        ("hybrid", 5377.5),
        ("hybrid+batch", 4376.25),
        ("optimal", 4287.9375),
    ]


def test_why_the_optimal_month_is_lower_line_by_line(guide):
    found = {x.task: ((x.before - x.after) / DOLLAR, x.by_buying / DOLLAR) for x in guide.reasons}
    assert found == {
        "classification": (0, 0),
        "analysis": (0, 0),
        "code_generation": (88.3125, 88.3125),
        "complex_reasoning": (0, 0),
    }
    assert [
        (x.judged[0].lower, x.judged[0].measured, x.judged[0].source) for x in guide.reasons
    ] == [
        (0.92, False, "guide"),
        (0.92, False, "guide"),
        (0.93, False, "guide"),
        (0.96, False, "guide"),
    ]


def test_what_moving_saves_is_told_apart():
    dear, cheap = m("x", 5, 5), m("y", 1, 1, provider="b")
    config = small(dear, cheap, candidates=["x"], routing=RoutingConfig(baseline="a/x"))
    line = Line(task="work", calls=10, input_tokens=10, output_tokens=10)
    (reason,) = compare(Workload(name="t", tasks=(line,)), config, DAY).reasons
    assert (reason.by_buying, reason.by_moving) == (0, 10 * 20 * 4 * 10**6)


def shared(model_of="code_generation", tokens=3_000, share="0.5", calls=100, **reads):
    line = Line(
        task=model_of,
        calls=calls,
        input_tokens=tokens,
        output_tokens=10,
        cacheable_share=D(share),
        reuse=Reuse(**{name: D(number) for name, number in reads.items()}),
        async_share=D(0),
    )
    month = prepare(Workload(name="t", tasks=(line,)), GUIDE, DAY)
    return {mark.cache: mark for mark in marks(three_ways(month)[1])}


def test_from_how_many_reads_a_mark_pays():
    """Sonnet 4.6: (3.75 - 3) / (3 - 0.3) = 0.278, and (6 - 3) / (3 - 0.3) = 1.111."""
    found = shared(short=1, long=1)
    assert found["short"].break_even == F(75, 270)
    assert found["long"].break_even == F(300, 270)
    # 100 calls, 1,500 tokens: 50 writes and 50 reads.
    assert found["short"].gain == 1_500 * (50 * (300 - 375) + 50 * (300 - 30)) * 10**4
    assert (found["short"].verdict, found["long"].verdict) == ("pays", "costs")
    assert found["long"].gain == 1_500 * (50 * (300 - 600) + 50 * (300 - 30)) * 10**4


@given(reads=st.integers(0, 40).map(lambda n: D(n) / 10))
def test_a_mark_pays_just_above_its_break_even(reads):
    mark = shared(calls=41 * 10**6, short=reads)["short"]
    assert (mark.verdict == "pays") == (F(reads) > mark.break_even)


CASES = [
    ("a prefix under the least", {"share": "0.3", "short": 9}, "short", "too short"),
    ("reuse that is not said", {}, "short", "reuse unknown"),
    (
        "a model that caches by itself",
        {"model_of": "classification", "short": 9},
        "auto",
        "by itself",
    ),
]


@pytest.mark.parametrize(("why", "said", "cache", "verdict"), CASES)
def test_where_a_mark_does_nothing(why, said, cache, verdict):
    assert shared(**said)[cache].verdict == verdict, why


def test_a_model_without_cache_prices_is_told():
    price = Price(since="2024-01-01", rates=Rates(input=1, output=1))
    config = small(m("x", prices=(price,)), routing=RoutingConfig(baseline="a/x"))
    line = Line(task="work", calls=9, input_tokens=9, output_tokens=9, cacheable_share=D("0.5"))
    month = prepare(Workload(name="t", tasks=(line,)), config, DAY)
    assert [x.verdict for x in marks(three_ways(month)[1])] == ["no cache"]


def test_where_nothing_is_shared_there_is_no_mark(guide):
    assert {mark.task for mark in guide.marks} == {"code_generation"}


def test_what_caches_by_itself_is_in_every_strategy():
    """GPT-4o mini reads at half price: 10 calls of 2,000 tokens, 1,500 shared; one writes."""
    line = Line(
        task="classification",
        calls=10,
        input_tokens=2_000,
        output_tokens=0,
        cacheable_share=D("0.75"),
        reuse=Reuse(short=D(9)),
    )
    found = plan(Workload(name="t", tasks=(line,)), GUIDE, DAY)
    assert found[1].lines[0].cache == "auto"
    assert found[1].monthly == 10 * 500 * 150_000 + 1_500 * (150_000 + 9 * 75_000)
    assert found[0].monthly == 10 * 2_000 * 3_000_000  # Sonnet marks nothing by itself


OVERHEADS = [("low", 500, 2_400, 200), ("middle", 700, 3_200, 300), ("high", 900, 4_000, 400)]


@pytest.mark.parametrize(("ease", "monthly", "setup", "adaptation"), OVERHEADS)
def test_the_guides_engineering_at_a_hundred_dollars_an_hour(ease, monthly, setup, adaptation):
    """Low: 2 h x $100 + $300; 3 days x 8 h x $100; 2 h x $100."""
    assert overhead_of(OverheadConfig(), ease) == Overhead(
        monthly=monthly * DOLLAR, setup=setup * DOLLAR, adaptation=adaptation * DOLLAR, months=12
    )


def test_when_the_guides_month_has_paid_for_its_engineering(guide):
    """Two prompts move (to OpenAI, to Google); 3,800 once is 316.67 a month over a year."""
    hybrid, batched, _ = guide.break_even["middle"]
    assert hybrid.adaptations == batched.adaptations == 2
    assert batched.gross == 2_748_75 * DOLLAR // 100
    assert (batched.monthly, batched.one_off) == (700 * DOLLAR, 3_800 * DOLLAR)
    assert batched.net == batched.gross - 700 * DOLLAR - (3_800 * DOLLAR + 11) // 12
    assert round(batched.share, 4) == D("0.2431")
    assert round(batched.payback_months, 2) == D("1.85")  # 3,800 / 2,048.75
    assert (hybrid.calls, batched.calls) == (383_978, 244_111)


def test_at_the_break_even_volume_nothing_is_lost_and_just_below_something_is(guide):
    month = load_workload("guide")
    for row in guide.break_even["middle"]:
        needed = row.monthly + row.written_off
        assert row.gross * row.calls >= needed * month.calls > row.gross * (row.calls - 1)


def strategy(name, cost):
    line = CostLine(
        task="t", model="a/m", mode="sync", calls=10, input_tokens=1, output_tokens=1, cost=cost
    )
    return Strategy(name=name, lines=(line,))


@pytest.mark.parametrize("dearer", [0, 5])
def test_what_saves_nothing_is_never_earned_back(dearer):
    row = break_even(
        strategy("single", 100), strategy("hybrid", 100 + dearer), overhead_of(OverheadConfig())
    )
    assert row.calls is None and row.payback_months is None and row.net < 0


def test_a_month_of_nothing_has_no_share():
    row = break_even(strategy("single", 0), strategy("hybrid", 0), overhead_of(OverheadConfig()))
    assert row.share is None


def test_the_curve_meets_the_table(guide):
    row = guide.break_even["middle"][1]
    needed = row.monthly + row.written_off
    single = guide.strategies[0].monthly
    assert net_at(single, row.gross, needed, 1) == pytest.approx(float(row.share))
    assert net_at(single, row.gross, needed, row.calls / 660_000) == pytest.approx(0, abs=1e-5)


def test_what_if_volume_changes_bills_in_proportion(guide):
    by = {(x.kind, x.of, x.factor): x.monthly for x in guide.what_if}
    now = by["as it is", "", F(1)]
    for factor in (F(1, 10), F(1, 2), F(2), F(10)):
        assert by["volume", "", factor] == {name: cost * factor for name, cost in now.items()}


def test_what_if_a_price_changes_the_month_is_planned_anew(guide):
    by = {(x.of, x.factor): x.monthly for x in guide.what_if if x.kind == "price"}
    assert set(by) == {(p, f) for p in ("anthropic", "google", "openai") for f in (F(1, 2), F(2))}
    # At half of OpenAI's prices analysis moves to GPT-4o: 500M x 1.25 + 100M x 5 = 1,125, and
    # classification is 26.25.
    assert (
        by["openai", F(1, 2)]["hybrid"] == (26_25 + 1_125_00 + 1_950_00 + 1_750_00) * DOLLAR // 100
    )
    # At twice them classification goes to Gemini 2.5 Flash, which costs what mini did.
    assert by["openai", F(2)]["hybrid"] == 5_377_50 * DOLLAR // 100


def test_repriced_changes_that_provider_alone_and_all_of_its_rates():
    before, after = GUIDE.catalog.models, repriced(GUIDE, "anthropic", F(2)).catalog.models
    assert after[MINI] == before[MINI]
    old, new = before[SONNET].prices[0], after[SONNET].prices[0]
    for rates, twice in ((old.rates, new.rates), (old.batch, new.batch)):
        assert [x * 2 for x in (rates.input, rates.cache_write_long)] == [
            twice.input,
            twice.cache_write_long,
        ]


def test_overhead_is_the_configurations():
    dear = replace(GUIDE, overhead=OverheadConfig(hourly_rate_usd=200.0, setup_days=(1.0, 1.0)))
    row = compare(load_workload("guide"), dear, DAY).break_even["middle"][0]
    assert row.monthly == 1_000 * DOLLAR  # 3 h x $200 + $400
    assert row.one_off == (1_600 + 2 * 600) * DOLLAR
