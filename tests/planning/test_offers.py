"""What so many calls cost one way or another: the short sums here against the one bill that
`pricing` makes of each call."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridllm.catalog.structs import Price, PriceTier, Rates, Tier, Usage
from hybridllm.catalog.structs import Task as CatalogTask
from hybridllm.config_file import load_config
from hybridllm.planning.cells import cells_of, thresholds_of, writes_of
from hybridllm.planning.offers import Cell, applies, cost_of_cell, shelf_of, unmarked
from hybridllm.planning.sizes import Bucket, LogNormal
from hybridllm.planning.workload import Line, Reuse
from hybridllm.pricing import cost, price_at, rates_for
from tests.routing.build import m

DAY = "2026-11-24"
MODELS = [x for x in load_config(preset="default", env={}).catalog.models.values() if x.prices]
CHAT = [x for x in MODELS if x.kind == "chat" and price_at(x, DAY) is not None]
TASK = CatalogTask(name="work", tier=Tier.MID)


def billed(cell, model, offer):
    """Call by call: who writes, who reads."""
    price = price_at(model, DAY)
    rates = rates_for(price, cell.input_tokens, offer.mode == "batch")
    writes = cell.writes[offer.lifetime]
    cached = offer.cache != "none" and writes is not None and cell.prefix >= model.min_cache_tokens
    total = 0
    for call in range(cell.calls):
        usage = Usage(input_tokens=cell.input_tokens, output_tokens=cell.output_tokens)
        if cached:
            usage.input_tokens -= cell.prefix
            if call >= writes:
                usage.cache_read_tokens = cell.prefix
            elif offer.cache == "long":
                usage.cache_write_long_tokens = cell.prefix
            else:
                usage.cache_write_tokens = cell.prefix
        total += cost(usage, rates)
    return total


@given(
    model=st.sampled_from(CHAT),
    calls=st.integers(0, 12),
    tokens=st.integers(0, 400_000),
    out=st.integers(0, 5_000),
    shared=st.floats(0, 1),
    reuse=st.tuples(*[st.none() | st.integers(0, 9)] * 3),
    waits=st.booleans(),
)
def test_a_cells_cost_is_the_sum_of_its_calls_bills(
    model, calls, tokens, out, shared, reuse, waits
):
    known = Reuse(
        **{
            name: None if number is None else Decimal(number)
            for name, number in zip(("short", "long", "batch"), reuse, strict=True)
        }
    )
    cell = Cell(calls, tokens, out, int(tokens * shared), writes_of(calls, known), waits)
    shelf = shelf_of(model, DAY)
    for offer in shelf.offers(tokens):
        assert cost_of_cell(cell, shelf, offer) == billed(cell, model, offer), offer


def rates(input, **more):
    return Rates(input=input, output=7, **more)


def shelf(live, batch=None, tiers=()):
    price = Price(since="2020-01-01", rates=live, batch=batch, tiers=tiers)
    return shelf_of(m("m", prices=(price,), min_cache_tokens=100), DAY)


WAYS = [
    ("no cache", rates(8), None, ["sync none"]),
    ("caches by itself", rates(8, cache_read=1), None, ["sync auto"]),
    ("one lifetime", rates(8, cache_read=1, cache_write=9), None, ["sync none", "sync short"]),
    (
        "two lifetimes and a batch",
        rates(8, cache_read=1, cache_write=9, cache_write_long=16),
        rates(4, cache_read=1, cache_write=5, cache_write_long=8),
        ["sync none", "sync short", "sync long", "batch none", "batch batch"],
    ),
    ("a batch at live prices", rates(8), rates(8), ["sync none"]),
    (
        "a batch at live prices that may read more",
        rates(8, cache_read=1),
        rates(8, cache_read=1),
        ["sync auto", "batch auto"],
    ),
]


@pytest.mark.parametrize(("why", "live", "batch", "ways"), WAYS)
def test_the_ways_there_are_to_buy(why, live, batch, ways):
    assert [f"{x.mode} {x.cache}" for x in shelf(live, batch).offers(1)] == ways, why


def test_a_tier_has_its_own_ways():
    tier = PriceTier(above_input_tokens=200, rates=rates(16, cache_read=2, cache_write=20))
    found = shelf(rates(8, cache_read=1, cache_write=9), tiers=(tier,))
    assert [x.input for x in found.offers(200)] == [8, 8]
    assert [x.input for x in found.offers(201)] == [16, 16]


def test_a_prefix_shorter_than_the_least_is_not_cached():
    one = shelf(rates(10, cache_read=1, cache_write=12))
    mark = one.offers(1)[1]
    for prefix, cached in ((99, False), (100, True)):
        cell = Cell(10, 200, 0, prefix, (1, None, None), False)
        assert applies(cell, one, mark) is cached
        assert (cost_of_cell(cell, one, mark) < 10 * 200 * 10) is cached


def test_who_marks_nothing_takes_a_batch_where_there_is_one():
    both = shelf(rates(8, cache_read=1, cache_write=9), rates(4)).offers(1)
    assert [unmarked(both, mode).input for mode in ("sync", "batch")] == [8, 4]
    assert unmarked(shelf(rates(8)).offers(1), "batch").mode == "sync"


WRITES = [("0", 10), ("1", 5), ("2", 4), ("9", 1), ("0.5", 7), ("1000", 1)]


@pytest.mark.parametrize(("reads", "writes"), WRITES)
def test_one_call_in_reads_plus_one_writes(reads, writes):
    assert writes_of(10, Reuse(short=Decimal(reads))) == (writes, None, None)


SIZES = st.one_of(
    st.integers(0, 500_000),
    st.builds(
        lambda n, w: LogNormal(mean=n, p95=n + n * w // 100),
        st.integers(1, 10**5),
        st.integers(0, 280),
    ),
    st.lists(st.integers(0, 500_000), min_size=2, max_size=2).map(
        lambda pair: (
            Bucket(tokens=pair[0], share=Decimal("0.9")),
            Bucket(tokens=pair[1], share=Decimal("0.1")),
        )
    ),
)
SHARES = st.decimals(0, 1, places=2)
THRESHOLDS = thresholds_of(shelf_of(x, DAY) for x in CHAT)


@given(taken=SIZES, given_=SIZES, calls=st.integers(0, 10**6), share=SHARES, waits=SHARES)
def test_any_lines_cells_hold_all_of_its_calls(taken, given_, calls, share, waits):
    line = Line(
        task="work",
        calls=calls,
        input_tokens=0,
        output_tokens=0,
        input_size=taken,
        output_size=given_,
        cacheable_share=share,
        async_share=waits,
    )
    cells = cells_of(line, TASK, THRESHOLDS)
    assert cells and sum(cell.calls for cell in cells) == calls
    for cell in cells:
        assert 0 <= cell.prefix <= cell.input_tokens
    waiting = sum(cell.calls for cell in cells if cell.can_wait)
    assert abs(waiting - calls * waits) <= len(cells) + 1


def test_a_spread_line_is_priced_in_the_tier_of_each_call():
    """9 in 10 calls at 2,000 tokens, one at 300,000; gpt-6-luna is $0.10, above 272K $0.20."""
    luna = next(x for x in CHAT if x.name == "gpt-6-luna")
    line = Line(
        task="work",
        calls=1_000,
        input_tokens=0,
        output_tokens=0,
        input_size=(
            Bucket(tokens=2_000, share=Decimal("0.9")),
            Bucket(tokens=300_000, share=Decimal("0.1")),
        ),
    )
    on = shelf_of(luna, DAY)
    cells = cells_of(line, TASK, THRESHOLDS)
    total = sum(cost_of_cell(x, on, unmarked(on.offers(x.input_tokens), "sync")) for x in cells)
    assert total == 900 * 2_000 * 100_000 + 100 * 300_000 * 200_000


def test_no_cell_lies_across_a_threshold():
    line = Line(
        task="work",
        calls=10**6,
        input_tokens=0,
        output_tokens=100,
        input_size=LogNormal(mean=100_000, p95=350_000),
        cacheable_share=Decimal("0.01"),
    )
    tokens = [cell.input_tokens for cell in cells_of(line, TASK, THRESHOLDS)]
    for threshold in (128_000 - 100, 200_000, 272_000, 102_400 - 1):
        assert any(low <= threshold < high for low, high in pairwise(tokens)), threshold
