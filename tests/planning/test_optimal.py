"""The optimal month against every assignment there is, on small months and random catalogues."""

from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hybridllm.catalog.structs import Price, PriceTier, Rates, Usage
from hybridllm.config import RoutingConfig
from hybridllm.config_file import load_config
from hybridllm.errors import ConfigError
from hybridllm.planning.cost import summed, three_ways
from hybridllm.planning.month import prepare
from hybridllm.planning.optimal import assign, restricted
from hybridllm.planning.sizes import Bucket
from hybridllm.planning.workload import Line, Reuse, Workload, load_workload
from hybridllm.pricing import cost, price_at, rates_for
from hybridllm.quality import Table, meets
from tests.routing.build import config as small
from tests.routing.build import m

DAY = "2026-04-20"
CENT = 10**10
GUIDE = load_config(preset="guide", env={"HYBRIDLLM_CONFIG": ""})

RATE = st.integers(1, 20)
MAYBE = st.none() | st.integers(0, 30)
RATES = st.builds(
    Rates, input=RATE, output=RATE, cache_read=MAYBE, cache_write=MAYBE, cache_write_long=MAYBE
)
PRICE = st.builds(
    lambda live, batch, tier, above: Price(
        since="2024-01-01",
        rates=live,
        batch=batch,
        tiers=() if tier is None else (PriceTier(above_input_tokens=above, rates=tier),),
    ),
    RATES,
    st.none() | RATES,
    st.none() | RATES,
    st.integers(0, 60),
)
MODEL = st.tuples(
    PRICE,
    st.sampled_from([30, 60, 500]),
    st.sampled_from([5, 500]),
    st.sampled_from([0, 10, 40]),
    st.sampled_from([None, 0.3, 0.6, 0.9]),
)
REUSE = st.builds(
    Reuse,
    **dict.fromkeys(("short", "long", "batch"), st.none() | st.integers(0, 4).map(Decimal)),
)
SIZE = st.integers(0, 70) | st.lists(st.integers(0, 70), min_size=2, max_size=2).map(
    lambda pair: tuple(Bucket(tokens=n, share=Decimal("0.5")) for n in pair)
)
LINE = st.builds(
    lambda calls, taken, given, share, reuse, waits, bar: Line(
        task="work",
        calls=calls,
        input_tokens=0,
        output_tokens=0,
        input_size=taken,
        output_size=given,
        cacheable_share=share,
        reuse=reuse,
        async_share=waits,
        bar=bar,
    ),
    st.integers(0, 9),
    SIZE,
    st.integers(0, 10),
    st.decimals(0, 1, places=1),
    REUSE,
    st.sampled_from([Decimal(0), Decimal("0.5"), Decimal(1)]),
    st.sampled_from([0.0, 0.5, 0.8]),
)


def made(drawn):
    """A configuration of one task over such models."""
    models = [
        m(
            f"m{n}",
            prices=(price,),
            context_window=window,
            max_output_tokens=most,
            min_cache_tokens=least,
            provider="abc"[n % 3],
        )
        for n, (price, window, most, least, _) in enumerate(drawn)
    ]
    known = {f"m{n}": quality for n, (*_, quality) in enumerate(drawn) if quality is not None}
    return small(*models, quality=known, routing=RoutingConfig(baseline="a/m0"))


def every_bill(config, load, cell):
    """What the cell costs in each way that is open to it, each call billed by `pricing`."""
    known = Table(config.quality)
    for model in config.catalog.models.values():
        quality = known.find(model.id, load.task)
        if load.task.bar > 0 and (quality is None or not meets(quality, load.task.bar)):
            continue
        if cell.output_tokens > model.max_output_tokens:
            continue
        if cell.input_tokens + cell.output_tokens > model.context_window:
            continue
        price = price_at(model, DAY)
        # Only a model whose provider prices batches has them.
        priced = [price.batch]
        priced += [t.batch for t in price.tiers if cell.input_tokens > t.above_input_tokens]
        batches = cell.can_wait and priced[-1] is not None
        for batch, mark in product((False, True) if batches else (False,), range(3)):
            yield one_bill(cell, model, rates_for(price, cell.input_tokens, batch), batch, mark)


def one_bill(cell, model, rates, batch, mark):
    """`mark` 0: none; 1: short, or a batch's; 2: long, live alone."""
    itself = rates.cache_write is None and rates.cache_read is not None
    cacheable = rates.cache_read is not None and (itself or rates.cache_write is not None)
    marked = itself or (mark > 0 and not (mark == 2 and (batch or rates.cache_write_long is None)))
    place = 2 if batch else 1 if mark == 2 and not itself else 0
    writes = cell.writes[place]
    total = 0
    for call in range(cell.calls):
        usage = Usage(input_tokens=cell.input_tokens, output_tokens=cell.output_tokens)
        if cacheable and marked and writes is not None and cell.prefix >= model.min_cache_tokens:
            usage.input_tokens -= cell.prefix
            if call >= writes:
                usage.cache_read_tokens = cell.prefix
            elif place == 1:
                usage.cache_write_long_tokens = cell.prefix
            else:
                usage.cache_write_tokens = cell.prefix
        total += cost(usage, rates)
    return total


@given(drawn=st.lists(MODEL, min_size=1, max_size=6), lines=st.lists(LINE, max_size=4))
def test_no_assignment_is_cheaper(drawn, lines):
    """Nor is there one that cheap which the search could have missed: the least of all bills of
    each cell, and so of the month, is what it found."""
    config = made(drawn)
    month = prepare(Workload(name="test", tasks=tuple(lines)), config, DAY)
    try:
        policy = three_ways(month)[2]
    except ConfigError:
        return  # no model of the task has room: told, and tested elsewhere
    found, below = assign(month, policy)
    unmet = {one.place for one in below}
    total = expected = 0
    for one in found:
        bills = list(every_bill(config, one.load, one.cell))
        if not bills:
            assert one.load.place in unmet
            continue
        assert one.cost == min(bills)
        total, expected = total + one.cost, expected + min(bills)
    assert total == expected
    if not unmet:
        assert sum(line.cost for line in summed(found)) == total


def test_a_whole_months_product_of_assignments_has_nothing_cheaper():
    """Not cell by cell but all lines at once, over every combination."""
    config = made(
        [
            (Price(since="2024-01-01", rates=Rates(input=5, output=3)), 500, 500, 0, 0.9),
            (
                Price(
                    since="2024-01-01",
                    rates=Rates(input=4, output=6, cache_read=1, cache_write=5),
                    batch=Rates(input=2, output=3),
                ),
                500,
                500,
                0,
                0.9,
            ),
            (Price(since="2024-01-01", rates=Rates(input=1, output=1)), 500, 500, 0, 0.3),
        ]
    )
    lines = [
        Line(task="work", calls=7, input_tokens=10, output_tokens=20, bar=0.8),
        Line(
            task="work", calls=5, input_tokens=40, output_tokens=2, bar=0.8, async_share=Decimal(1)
        ),
        Line(
            task="work",
            calls=9,
            input_tokens=40,
            output_tokens=2,
            bar=0.8,
            cacheable_share=Decimal("0.9"),
            reuse=Reuse(short=Decimal(8)),
        ),
    ]
    month = prepare(Workload(name="test", tasks=tuple(lines)), config, DAY)
    found, _ = assign(month, three_ways(month)[2])
    choices = [list(every_bill(config, one.load, one.cell)) for one in found]
    assert sum(one.cost for one in found) == min(map(sum, product(*choices)))
    assert [(one.shelf.id, one.offer.mode, one.offer.cache) for one in found] == [
        ("a/m0", "sync", "none"),  # 7 x (10 x 5 + 20 x 3) = 770 against 7 x (40 + 120) = 1,120
        ("b/m1", "batch", "none"),  # 5 x (40 x 2 + 2 x 3) = 430
        ("b/m1", "sync", "short"),  # 9 x (16 + 12) + 36 x (5 + 8 x 1) = 720
    ]
    assert [one.cost for one in found] == [770, 430, 720]


def test_the_guides_optimal_month():
    month = prepare(load_workload("guide"), GUIDE, DAY)
    policy = three_ways(month)[2]
    found, below = assign(month, policy)
    assert below == []
    # Coding: 50,000 x 1,500 x $1.50 + 50,000 x 2,000 x $7.50 = 862.50 unshared, and of 1,500 shared
    # tokens 5,000 writes at $1.875 and 45,000 reads at $0.15: 14.0625 + 10.125.
    assert [(line.model, line.mode, line.cache, line.cost) for line in summed(found)] == [
        ("openai/gpt-4o-mini", "batch", "none", 26_25 * CENT),
        ("google/gemini-2.5-pro", "sync", "none", 1625_00 * CENT),
        ("anthropic/claude-sonnet-4-6", "batch", "batch", 886_6875 * CENT // 100),
        ("anthropic/claude-opus-4-7", "sync", "none", 1750_00 * CENT),
    ]
    assert sum(one.cost for one in found) == 4287_9375 * CENT // 100


def test_without_that_assumption_the_guides_routing_is_already_optimal():
    guide = load_workload("guide")
    bare = replace(guide, tasks=tuple(replace(x, reuse=Reuse()) for x in guide.tasks))
    month = prepare(bare, GUIDE, DAY)
    policy = three_ways(month)[2]
    found, _ = assign(month, policy)
    assert summed(found) == summed(policy)


def one_line(config, **more):
    line = Line(**{"task": "work", "calls": 10, "input_tokens": 10, "output_tokens": 10, **more})
    month = prepare(Workload(name="test", tasks=(line,)), config, DAY)
    policy = three_ways(month)[2]
    return assign(month, policy), policy


BASE = RoutingConfig(baseline="a/x")


def test_models_that_the_task_does_not_list_are_considered():
    config = small(m("x", 5, 5), m("y", 1, 1, provider="b"), candidates=["x"], routing=BASE)
    (found, _), policy = one_line(config)
    assert (policy[0].shelf.id, found[0].shelf.id) == ("a/x", "b/y")


def test_a_withdrawn_model_is_not():
    gone = m("y", 1, 1, provider="b", deprecated_on=DAY)
    config = small(m("x", 5, 5), gone, candidates=["x"], routing=BASE)
    assert one_line(config)[0][0][0].shelf.id == "a/x"


def test_where_two_cost_the_same_the_policys_own_stays():
    config = small(m("b", 1, 1), m("a", 1, 1), m("x", 9, 9), candidates=["b", "x"], routing=BASE)
    assert one_line(config)[0][0][0].shelf.id == "a/b"


def test_a_bar_that_none_meets_is_told_and_the_policys_model_kept():
    config = small(m("x", 5, 5), m("y", 1, 1), quality={"x": 0.8, "y": 0.5}, routing=BASE)
    (found, below), _ = one_line(config, bar=0.9)
    assert found[0].shelf.id == "a/x"
    assert [(one.place, one.task, one.bar) for one in below] == [(0, "work", 0.9)]


@pytest.mark.parametrize(("bar", "model"), [(0.5, "a/y"), (0.6, "a/x")])
def test_a_lines_own_bar_counts_for_the_router_too(bar, model):
    config = small(m("x", 5, 5), m("y", 1, 1), quality={"x": 0.8, "y": 0.5}, routing=BASE)
    (found, _), policy = one_line(config, bar=bar)
    assert policy[0].shelf.id == found[0].shelf.id == model


def test_restricted_moves_nothing():
    month = prepare(load_workload("guide"), GUIDE, DAY)
    policy = three_ways(month)[2]
    kept = restricted(policy)
    assert [one.shelf.id for one in kept] == [one.shelf.id for one in policy]
    assert sum(x.cost for x in kept) <= sum(x.cost for x in policy)
