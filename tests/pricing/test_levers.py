"""What batches and caches did to a bill is the difference of two bills of the same usage."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hybridllm.catalog.structs import Model, Price, PriceTier, Rates, Usage
from hybridllm.config_file import load_preset
from hybridllm.pricing import NO_LEVERS, cost_of, levers

DAY = "2026-04-15"
GUIDE = load_preset("guide").catalog
SONNET = GUIDE.models["anthropic/claude-sonnet-4-6"]
MINI = GUIDE.models["openai/gpt-4o-mini"]

tokens = st.integers(0, 10**7)
usages = st.builds(
    Usage,
    input_tokens=tokens,
    cache_read_tokens=tokens,
    cache_write_tokens=tokens,
    cache_write_long_tokens=tokens,
    output_tokens=tokens,
)


def test_classification_of_the_guides_month_would_have_cost_half_in_a_batch() -> None:
    usage = Usage(input_tokens=500, output_tokens=100)
    assert levers(MINI, usage, DAY).batch_gap == 67_500_000
    assert levers(MINI, usage, DAY, batch=True).batch_gap == 67_500_000
    assert cost_of(MINI, usage, DAY) == 135_000_000


def test_reads_save_what_full_price_is_above_theirs_and_writes_cost_what_theirs_is() -> None:
    usage = Usage(
        cache_read_tokens=1000, cache_write_tokens=100, cache_write_long_tokens=10, output_tokens=5
    )
    found = levers(SONNET, usage, DAY)
    assert found.read_saved == 1000 * (3_000_000 - 300_000)
    assert found.write_extra == 100 * (3_750_000 - 3_000_000) + 10 * (6_000_000 - 3_000_000)


def test_what_was_repeated_and_read_is_not_left_on_the_table() -> None:
    usage = Usage(input_tokens=600, cache_read_tokens=400)
    assert levers(SONNET, usage, DAY, repeated=1000).prefix_left == 600 * 2_700_000
    assert levers(SONNET, usage, DAY, repeated=500).prefix_left == 100 * 2_700_000
    assert levers(SONNET, usage, DAY, repeated=300).prefix_left == 0
    assert levers(SONNET, usage, DAY).prefix_left == 0


def test_without_a_price_or_a_batch_price_there_is_nothing_to_tell() -> None:
    rates = Rates(input=10, output=20)
    plain = _model(Price(since="2026-01-01", rates=rates))
    usage = Usage(input_tokens=5, cache_read_tokens=5, cache_write_tokens=5, output_tokens=5)
    assert levers(plain, usage, DAY, repeated=10) == NO_LEVERS
    assert levers(plain, usage, "2025-12-31") == NO_LEVERS


@given(usages, st.booleans(), st.integers(0, 10**8))
def test_the_gap_is_the_difference_of_the_two_bills(
    usage: Usage, batch: bool, repeated: int
) -> None:
    tiered = _model(
        Price(
            since="2026-01-01",
            rates=Rates(input=1_250_000, output=10_000_000, cache_read=125_000),
            batch=Rates(input=625_000, output=5_000_000),
            tiers=(
                PriceTier(
                    above_input_tokens=200_000,
                    rates=Rates(input=2_500_000, output=15_000_000, cache_read=250_000),
                    batch=Rates(input=1_250_000, output=7_500_000),
                ),
            ),
        )
    )
    for model in (SONNET, MINI, tiered):
        found = levers(model, usage, DAY, batch=batch, repeated=repeated)
        live, batched = cost_of(model, usage, DAY), cost_of(model, usage, DAY, batch=True)
        assert live is not None and batched is not None
        assert found.batch_gap == max(0, live - batched)
        assert min(found) >= 0


def _model(price: Price) -> Model:
    return Model(
        provider="p", name="m", context_window=10**6, max_output_tokens=1000, prices=(price,)
    )
