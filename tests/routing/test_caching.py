"""Writing to a prompt cache where the reads to come pay for it, and nowhere else."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridllm.catalog.structs import Rates
from hybridllm.routing import Router
from hybridllm.routing.caching import (
    LIFETIMES,
    Mark,
    Prospect,
    Stretch,
    Warm,
    input_cost,
    keeping,
    marks_for,
    storing,
    storing_gain,
)
from tests.routing.build import config, m, names, need, world

SONNET = Rates(
    input=3_000_000,
    output=15_000_000,
    cache_read=300_000,
    cache_write=3_750_000,
    cache_write_long=6_000_000,
)
NEVER, ALWAYS = (0, 0), (1_000, 1_000)

chances = st.tuples(st.integers(0, 1_000), st.integers(0, 1_000)).map(
    lambda both: (min(both), max(both))
)


def stretches(*parts):
    """(end, chance) each; block numbers count up from 0."""
    return tuple(
        Stretch(end=end, after=after, chance=chance) for after, (end, chance) in enumerate(parts)
    )


def prospect(*parts, **more):
    made = stretches(*parts)
    return Prospect(size=made[-1].end, stretches=made, **more)


def marks(found, tokens=10_000, minimum=1_024, id="anthropic/s"):
    return marks_for(found, id, SONNET, tokens, minimum)


class TestWhereWritingPays:
    """Reads per write, r, pay from r > (write - input) / (input - read) on."""

    @pytest.mark.parametrize(
        ("chance", "written"), [(0, False), (217, False), (218, True), (1_000, True)]
    )
    def test_five_minutes_from_0_28_reads_per_write(self, chance, written):
        assert keeping(SONNET, (chance, chance), marks=True, long=False).written is written
        if 0 < chance < 1_000:
            reads = Fraction(chance, 1_000 - chance)
            assert (reads > Fraction(75, 270)) is written

    @pytest.mark.parametrize(("later", "long"), [(526, False), (527, True)])
    def test_an_hour_from_1_11_reads_per_write(self, later, long):
        assert keeping(SONNET, (0, later), marks=True).long is long

    def test_the_hour_is_not_bought_where_five_minutes_do(self):
        kept = keeping(SONNET, (950, 960), marks=True)
        assert (kept.written, kept.long) == (True, False)

    def test_the_hour_may_be_forbidden(self):
        assert not keeping(SONNET, (0, 1_000), marks=True, long=False).written

    @given(chances)
    def test_the_mean_is_never_above_not_writing_and_never_below_reading(self, chance):
        kept = keeping(SONNET, chance, marks=True)
        assert SONNET.cache_read <= kept.mean <= SONNET.input
        assert kept.written == (kept.mean < SONNET.input)

    @given(chances)
    def test_no_discount_is_derived_where_none_is_published(self, chance):
        bare = Rates(input=7, output=9)
        for marked in (True, False):
            kept = keeping(bare, chance, marks=marked)
            assert (kept.now, kept.mean, kept.written) == (7, 7, False)

    def test_a_cache_of_the_providers_own_costs_what_it_bills_for_writing(self):
        free = Rates(input=100, output=1, cache_read=10)
        assert keeping(free, (500, 500), marks=False).now == 100
        assert keeping(free, (500, 500), marks=False).mean == 55
        billed = Rates(input=100, output=1, cache_read=10, cache_write=125)
        assert keeping(billed, NEVER, marks=False).now == 125


class TestMarks:
    def test_nothing_is_marked_of_what_does_not_come_again(self):
        assert marks(prospect((8_000, NEVER), (10_000, NEVER))) == ()

    def test_a_root_that_comes_again_is_marked_alone(self):
        assert marks(prospect((8_000, ALWAYS), (10_000, NEVER))) == (Mark(0),)

    def test_a_conversation_that_goes_on_is_marked_to_its_end_and_at_its_root(self):
        assert marks(prospect((8_000, NEVER), (10_000, (900, 900)))) == (Mark(0), Mark(1))

    def test_nothing_below_the_models_minimum_is_marked(self):
        found = prospect((1_000, ALWAYS), (10_000, NEVER))
        assert marks(found, tokens=10_000) == ()
        assert marks(found, tokens=10_240) == (Mark(0),)

    def test_what_is_warm_is_read_whether_or_not_it_is_worth_writing(self):
        warm = {"anthropic/s": Warm(8_000, after=0, end=8_000)}
        assert marks(prospect((8_000, NEVER), (10_000, NEVER), warm=warm)) == (Mark(0),)
        other = {"anthropic/o": Warm(8_000, after=0, end=8_000)}
        assert marks(prospect((8_000, NEVER), (10_000, NEVER), warm=other)) == ()

    def test_a_models_own_history_goes_before_that_of_all(self):
        tail = Stretch(end=10_000, after=0, chance=ALWAYS, on={"anthropic/s": NEVER})
        found = Prospect(size=10_000, stretches=(tail,))
        assert marks(found) == ()
        assert marks(found, id="anthropic/o") == (Mark(0),)

    @given(
        st.lists(st.tuples(st.integers(1, 4_000), chances), min_size=1, max_size=8),
        st.integers(0, 40_000),
        st.integers(-1, 7),
    )
    def test_four_at_most_in_order_and_none_for_an_hour_after_one_for_five_minutes(
        self, parts, tokens, warm_after
    ):
        ends, total = [], 0
        for size, chance in parts:
            total += size
            ends.append((total, chance))
        warm = {}
        if 0 <= warm_after < len(ends):
            warm = {"anthropic/s": Warm(9, after=warm_after, end=ends[warm_after][0])}
        found = marks(prospect(*ends, warm=warm), tokens=tokens)
        assert len(found) <= 4
        afters = [mark.after for mark in found]
        assert afters == sorted(set(afters))
        longs = [mark.long for mark in found]
        assert longs == sorted(longs, reverse=True)
        for mark in found:
            assert tokens * ends[mark.after][0] // total >= 1_024


class TestInputCost:
    def test_warm_tokens_are_read_and_the_rest_is_paid_for_as_it_is_kept(self):
        warm = {"anthropic/s": Warm(8_000, after=0, end=8_000)}
        found = prospect((8_000, ALWAYS), (10_000, (900, 900)), warm=warm)
        cost = input_cost(found, "anthropic/s", SONNET, 10_000, 1_024, marks=True)
        assert (cost.cached, cost.written) == (8_000, 2_000)
        assert cost.now == 8_000 * 300_000 + 2_000 * 3_750_000
        assert cost.mean == 8_000 * 300_000 + 2_000 * (300_000 * 9 + 3_750_000) // 10

    @given(st.lists(chances, min_size=1, max_size=4), st.integers(0, 30_000))
    def test_every_token_is_priced_once(self, parts, tokens):
        found = prospect(*((1_000 * (n + 1), chance) for n, chance in enumerate(parts)))
        same = Rates(input=5, output=1, cache_read=5, cache_write=5, cache_write_long=5)
        for marked in (True, False):
            cost = input_cost(found, "x", same, tokens, 0, marks=marked)
            assert cost.now == cost.mean == 5 * tokens


# -- in the router


CHEAP = m("cheap", 1.0, provider="a", cached=0.9)
DEAR = m("dear", 1.2, provider="b", cached=0.1)


def test_a_prefix_that_all_conversations_share_is_counted_upon_on_each_model():
    """Nominally cheaper loses to what is cheaper over the requests that are to come."""
    one = config(CHEAP, DEAR)
    assert names(Router(one).plan(need(one), world()).chain) == ["cheap", "dear"]
    shared = prospect((3_600, (980, 980)), (4_000, NEVER))
    plan = Router(one).plan(need(one, text_bytes=8_000), world(prospect=shared))
    assert names(plan.chain) == ["dear", "cheap"]


def test_what_another_model_would_save_later_does_not_move_a_conversation():
    one = config(CHEAP, DEAR)
    shared = prospect(
        (3_600, (980, 980)), (4_000, NEVER), warm={"a/cheap": Warm(1_800, after=0, end=3_600)}
    )
    around = world(prospect=shared, previous="a/cheap")
    assert Router(one).plan(need(one, text_bytes=8_000), around).chain[0].name == "cheap"


def test_what_is_sent_in_a_batch_is_not_expected_in_a_cache():
    one = config(CHEAP, DEAR)
    warm = {"b/dear": Warm(1_000, after=0, end=4_000)}
    around = world(prospect=prospect((4_000, ALWAYS), warm=warm))
    assert Router(one).plan(need(one, batch=True), around).chain[0].name == "cheap"


# -- explicit caches

PRO = Rates(input=1_250_000, output=10_000_000, cache_read=125_000)
STORAGE = 4_500_000


@given(
    reads=st.integers(0, 500),
    share=st.integers(0, 1_000),
    seconds=st.sampled_from(LIFETIMES),
    storage=st.integers(0, 10_000_000),
)
def test_a_cache_is_stored_where_its_bill_is_below_that_without_it(reads, share, seconds, storage):
    missed = 1 - Fraction(share, 1_000)
    without = reads * (missed * PRO.input + (1 - missed) * PRO.cache_read)
    kept = PRO.input + Fraction(storage * seconds, 3_600) + reads * PRO.cache_read
    gain = storing_gain(PRO, storage, reads, share, seconds)
    assert Fraction(gain, 3_600_000) == without - kept
    assert (storing(PRO, storage, {seconds: reads}, share) is not None) <= (without > kept)


@pytest.mark.parametrize(
    ("reads", "share", "seconds"),
    [
        ({300: 1, 900: 1, 3_600: 1}, 0, None),  # saves 1.125 of 1.25
        ({300: 2, 900: 2, 3_600: 2}, 0, 300),
        ({300: 0, 900: 3, 3_600: 3}, 0, 900),
        ({300: 0, 900: 0, 3_600: 5}, 0, None),  # an hour is 4.50
        ({300: 0, 900: 0, 3_600: 6}, 0, 3_600),
        ({300: 5, 900: 15, 3_600: 60}, 0, 3_600),  # made once instead of twelve times
        ({300: 2, 900: 2, 3_600: 2}, 500, None),
        ({300: 500, 900: 500, 3_600: 500}, 1_000, None),  # the implicit cache reads it all
        ({}, 0, None),
    ],
)
def test_the_lifetime_that_brings_most_by_google_s_prices(reads, share, seconds):
    assert storing(PRO, STORAGE, reads, share) == seconds


def test_where_reads_cost_as_much_as_input_nothing_is_stored():
    assert storing(Rates(input=1, output=1), 0, {300: 1_000}, 0) is None
