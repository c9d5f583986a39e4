"""What an attempt costs, worked out by hand for each kind of token, tier, day and batch."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hybridllm.catalog.load import load_catalog
from hybridllm.catalog.structs import Model, Price, PriceTier, Rates, Usage
from hybridllm.money import PICODOLLARS
from hybridllm.pricing import cost, cost_of, upper_bound

TODAY = load_catalog("current").models
DAY = "2026-11-25"
MILLION = 1_000_000
SONNET, OPUS = "anthropic/claude-sonnet-4-6", "anthropic/claude-opus-4-7"
MINI, PRO, O3 = "openai/gpt-4o-mini", "google/gemini-2.5-pro", "openai/o3"


def usd(model: str, day: str = DAY, batch: bool = False, **tokens: int) -> float:
    """Dollars of a usage given in tokens by kind; exact for these round figures."""
    found = cost_of(
        TODAY[model], Usage(**{f"{k}_tokens": n for k, n in tokens.items()}), day, batch
    )
    assert isinstance(found, int)
    return found / PICODOLLARS


M = MILLION
BY_HAND = [
    # Each kind alone, a million tokens of it: the price list's own figure.
    ("input", MINI, {"input": M}, 0.15),
    ("output", MINI, {"output": M}, 0.60),
    ("cached input", MINI, {"cache_read": M}, 0.075),
    ("cached input, a tenth", SONNET, {"cache_read": M}, 0.30),
    ("cache write, 5 minutes", SONNET, {"cache_write": M}, 3.75),
    ("cache write, 1 hour", SONNET, {"cache_write_long": M}, 6.00),
    ("cache write, 1 hour", OPUS, {"cache_write_long": M}, 10.00),
    ("a write that is not billed apart is input", MINI, {"cache_write": M}, 0.15),
    ("a long write that is not billed apart is a write", MINI, {"cache_write_long": M}, 0.15),
    ("reasoning is output", O3, {"output": M, "reasoning": M}, 8.00),
    ("reasoning is part of the output, not beside it", O3, {"output": M, "reasoning": 1}, 8.00),
    # All kinds at once: 1,000 x 3 + 2,000 x 0.30 + 3,000 x 3.75 + 4,000 x 6 + 5,000 x 15
    # = 3,000 + 600 + 11,250 + 24,000 + 75,000 = 113,850 millionths.
    (
        "all kinds",
        SONNET,
        {
            "input": 1000,
            "cache_read": 2000,
            "cache_write": 3000,
            "cache_write_long": 4000,
            "output": 5000,
            "reasoning": 1000,
        },
        0.11385,
    ),
    ("the smallest call", MINI, {"input": 1}, 0.00000015),
    ("nothing", MINI, {}, 0),
]


@pytest.mark.parametrize(("why", "model", "tokens", "dollars"), BY_HAND)
def test_by_hand(why, model, tokens, dollars):
    assert usd(model, **tokens) == dollars, why


BATCHES = [
    ("half", MINI, {"input": M, "output": M}, 0.375),
    ("half", O3, {"input": 100_000, "output": M}, 4.1),
    ("Anthropic's batch halves cached reads", SONNET, {"cache_read": M}, 0.15),
    ("... and cache writes", SONNET, {"cache_write": M, "cache_write_long": M}, 4.875),
    ("OpenAI's does not halve cached reads", MINI, {"cache_read": M}, 0.075),
    ("Google's does not either", PRO, {"cache_read": 100_000}, 0.0125),
]


@pytest.mark.parametrize(("why", "model", "tokens", "dollars"), BATCHES)
def test_in_a_batch(why, model, tokens, dollars):
    assert usd(model, batch=True, **tokens) == dollars, why


TIERS = [
    ("at 200K", PRO, {"input": 200_000}, 0.25),
    ("one above reprices all of it", PRO, {"input": 200_001}, 0.5000025),
    ("cached input counts towards it", PRO, {"input": 1, "cache_read": 200_000}, 0.0500025),
    ("the output is dearer too", PRO, {"input": 200_001, "output": M}, 15.5000025),
    ("the output does not count towards it", PRO, {"input": 1, "output": 300_000}, 3.00000125),
    ("at 272K", "openai/gpt-5.4", {"input": 272_000}, 0.68),
    ("above it", "openai/gpt-5.4", {"input": 272_001}, 1.360005),
]


@pytest.mark.parametrize(("why", "model", "tokens", "dollars"), TIERS)
def test_tiers_reprice_the_whole_request(why, model, tokens, dollars):
    assert usd(model, **tokens) == dollars, why


def test_a_tiers_batch_has_its_own_rates():
    assert usd(PRO, batch=True, input=200_001) == 0.25000125
    assert usd(PRO, batch=True, input=200_000) == 0.125


DAYS = [
    ("o3 before 2025-06-10", O3, "2025-06-09", {"input": M}, 10.0),
    ("o3 from that day on", O3, "2025-06-10", {"input": M}, 2.0),
    ("years later, the last price", O3, "2031-01-01", {"input": M}, 2.0),
]


@pytest.mark.parametrize(("why", "model", "day", "tokens", "dollars"), DAYS)
def test_the_price_is_that_of_the_day(why, model, day, tokens, dollars):
    assert usd(model, day, **tokens) == dollars, why


# A model made up, for what no catalogue shows at once.


def price(since: str, input: int, **more: object) -> Price:
    return Price(since=since, rates=Rates(input=input, output=0), **more)  # type: ignore[arg-type]


def model(*prices: Price) -> Model:
    return Model(provider="a", name="m", context_window=10, max_output_tokens=10, prices=prices)


ONE = Usage(input_tokens=1)


def test_a_future_price_waits_for_its_day():
    dated = model(price("2026-01-01", 5), price("2027-03-01", 7))
    days = ("2026-01-01", "2027-02-28", "2027-03-01", "2027-03-02")
    assert [cost_of(dated, ONE, day) for day in days] == [5, 5, 7, 7]


def test_before_the_first_price_and_without_any_nothing_is_known():
    assert cost_of(model(price("2026-01-01", 5)), ONE, "2025-12-31") is None
    assert cost_of(model(), ONE, DAY) is None


def test_a_batch_without_rates_of_its_own_is_billed_live():
    assert cost_of(model(price("2026-01-01", 5)), ONE, DAY, batch=True) == 5


def test_a_tier_without_batch_rates_does_not_take_those_below_it():
    tier = PriceTier(above_input_tokens=10, rates=Rates(input=9, output=0))
    dated = model(price("2026-01-01", 5, batch=Rates(input=2, output=0), tiers=(tier,)))
    assert cost_of(dated, Usage(input_tokens=10), DAY, batch=True) == 20
    assert cost_of(dated, Usage(input_tokens=11), DAY, batch=True) == 99


def test_the_highest_tier_that_is_exceeded_holds():
    tiers = tuple(
        PriceTier(above_input_tokens=above, rates=Rates(input=rate, output=0))
        for above, rate in ((10, 2), (20, 3))
    )
    dated = model(price("2026-01-01", 1, tiers=tiers))
    found = [cost_of(dated, Usage(input_tokens=n), DAY) for n in (10, 11, 20, 21)]
    assert found == [10, 22, 40, 63]


# What always holds

COUNT = st.integers(0, 10**9)
RATE = st.integers(0, 10**9)
MAYBE = st.none() | RATE
RATES = st.builds(
    Rates,
    input=RATE,
    output=RATE,
    cache_read=MAYBE,
    cache_write=MAYBE,
    cache_write_long=MAYBE,
    reasoning=MAYBE,
)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    output = draw(COUNT)
    return Usage(
        input_tokens=draw(COUNT),
        cache_read_tokens=draw(COUNT),
        cache_write_tokens=draw(COUNT),
        cache_write_long_tokens=draw(COUNT),
        output_tokens=output,
        reasoning_tokens=draw(st.integers(0, output)),
    )


def total(*parts: Usage) -> Usage:
    return Usage(
        **{name: sum(getattr(part, name) for part in parts) for name in Usage.__struct_fields__}
    )


@given(usage=usages(), rates=RATES)
def test_a_bill_is_a_whole_number_of_picodollars_and_never_negative(usage, rates):
    found = cost(usage, rates)
    assert type(found) is int and found >= 0


@given(first=usages(), second=usages(), rates=RATES)
def test_at_one_rate_two_bills_add_up_to_the_bill_of_both(first, second, rates):
    assert cost(total(first, second), rates) == cost(first, rates) + cost(second, rates)


@given(usage=usages(), rates=RATES, times=st.integers(0, 1000))
def test_so_many_times_the_tokens_cost_so_many_times_as_much(usage, rates, times):
    more = Usage(**{name: times * getattr(usage, name) for name in Usage.__struct_fields__})
    assert cost(more, rates) == times * cost(usage, rates)


@given(usage=usages(), rates=RATES)
def test_a_cached_read_without_a_price_costs_as_much_as_input_and_no_less(usage, rates):
    """No discount is ever derived: a percentage that nobody published would be a wrong bill."""
    unpriced = replace(rates, cache_read=None)
    as_input = replace(rates, cache_read=rates.input)
    assert cost(usage, unpriced) == cost(usage, as_input)


@given(usage=usages(), rates=RATES)
def test_what_is_not_billed_apart_is_billed_as_rates_says(usage, rates):
    bare = Rates(input=rates.input, output=rates.output)
    assert cost(usage, bare) == (
        usage.total_input * rates.input + usage.output_tokens * rates.output
    )


@given(
    usage=usages(),
    name=st.sampled_from(sorted(TODAY)),
    day=st.dates().map(lambda day: day.isoformat()),
)
def test_no_live_bill_exceeds_its_upper_bound(usage, name, day):
    bound = upper_bound(TODAY[name], day, usage.total_input, usage.output_tokens)
    assert (cost_of(TODAY[name], usage, day) or 0) <= bound


@given(usage=usages(), name=st.sampled_from(sorted(TODAY)))
def test_a_batch_never_costs_more_than_a_live_call(usage, name):
    live, batched = (cost_of(TODAY[name], usage, DAY, batch) for batch in (False, True))
    assert live is not None and batched is not None and batched <= live


def test_the_upper_bound_by_hand():
    # Sonnet: 10 tokens all written to the 1-hour cache at 6, 10 out at 15.
    assert upper_bound(TODAY[SONNET], DAY, 10, 10) == (10 * 6 + 10 * 15) * 10**6
    # Gemini 2.5 Pro: the tier's 2.50 and 15, whatever the size.
    assert upper_bound(TODAY[PRO], DAY, 10, 10) == (10 * 2_500_000 + 10 * 15_000_000)
    assert upper_bound(model(), DAY, 10, 10) == 0
