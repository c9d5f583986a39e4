"""Which of the models that fit is chosen, what stands behind it, and the sentence that says so."""

import pytest

from hybridllm.catalog.structs import Price, Rates
from hybridllm.config import RoutingConfig
from hybridllm.routing import Router
from tests.routing.build import DAY, config, m, names, need, world

A1, A2 = m("a1", 1.0, provider="a"), m("a2", 2.0, provider="a")
B3, C4 = m("b3", 3.0, provider="b"), m("c4", 4.0, provider="c")


def plan(one, around=None, **asked):
    return Router(one).explain(need(one, **asked), around or world())


def test_the_cheapest_that_meets_the_bar_wins_and_the_reason_says_so():
    one = config(A2, A1, B3, quality={"a1": 0.8, "a2": 0.9, "b3": 0.95}, bar=0.9)
    found = plan(one)
    assert found.chain[0].name == "a2"
    assert found.reason == (
        "work: a2 is the cheapest of 2 that meet the 0.90 bar (assumed), $0.0021 expected"
    )
    verdicts = {v.model: v for v in found.verdicts}
    assert verdicts["a/a2"].kept and verdicts["b/b3"].kept and not verdicts["a/a1"].kept
    assert verdicts["a/a1"].why == "below the 0.90 bar with 0.80 (assumed)"
    assert verdicts["a/a2"].expected == 1_000 * 2_000_000 + 100 * 1_000_000
    assert verdicts["a/a1"].expected == 1_000 * 1_000_000 + 100 * 1_000_000


def test_a_measurement_counts_by_its_lower_bound():
    one = config(A1, B3, quality={"a1": (0.89, 200), "b3": (0.93, 200)}, bar=0.9)
    found = plan(one)
    assert found.chain[0].name == "b3"
    assert "(measured)" in found.reason
    assert found.verdicts[0].why == "below the 0.90 bar with 0.890 (measured over 200 samples)"


def test_a_model_of_which_nothing_is_known_does_not_meet_a_bar():
    one = config(A1, B3, quality={"b3": 0.9}, bar=0.9)
    found = plan(one)
    assert names(found.chain) == ["b3"]
    assert "nothing is known of its quality" in found.verdicts[0].why


def test_ties_of_cost_go_by_the_tasks_order():
    twin = m("twin", 1.0, provider="z")
    one = config(twin, A1)
    assert names(plan(one, world("a", "z")).chain) == ["twin", "a1"]
    assert names(plan(config(A1, twin), world("a", "z")).chain) == ["a1", "twin"]


def test_a_model_without_a_price_comes_after_every_one_with():
    free = m("unpriced", prices=())
    found = plan(config(free, C4))
    assert names(found.chain) == ["c4", "unpriced"]
    assert {v.model: v.expected for v in found.verdicts}["a/unpriced"] is None
    alone = plan(config(free))
    assert names(alone.chain) == ["unpriced"] and "expected" not in alone.reason


def test_the_price_is_the_days():
    falling = m(
        "falling",
        prices=(
            Price(since="2024-01-01", rates=Rates(input=9_000_000, output=1)),
            Price(since="2026-05-01", rates=Rates(input=500_000, output=1)),
        ),
    )
    one = config(A1, falling)
    router = Router(one)
    for day, first in (("2026-04-30", "a1"), ("2026-05-01", "falling"), (DAY, "a1")):
        assert router.plan(need(one), world(day=day)).chain[0].name == first


def test_the_price_is_the_tiers():
    tiered = m("tiered", 0.5, above=(2_000, 4.0))
    one = config(A1, tiered)
    assert plan(one, text_bytes=8_000).chain[0].name == "tiered"
    assert plan(one, text_bytes=8_004).chain[0].name == "a1"


def test_each_model_counts_tokens_its_own_way():
    wordy = m("wordy", 0.9, tokens_per_kbyte=400)
    assert plan(config(wordy, A1)).chain[0].name == "a1"


@pytest.mark.parametrize(
    ("asked", "learned", "tokens"),
    [
        ({}, {}, 100),
        ({}, {"work": 700}, 700),
        ({"max_output_tokens": 50}, {"work": 700}, 50),
        ({"max_output_tokens": 9_000}, {}, 100),
        ({"choices": 3}, {}, 300),
        ({}, {"work": 99_999}, 10_000),
    ],
    ids=["the task's", "learned", "the caller's limit", "no floor", "choices", "the model's limit"],
)
def test_the_expected_output(asked, learned, tokens):
    one = config(m("x", 0.0, 2.0, context_window=1_000_000))
    found = plan(one, world(output_tokens=learned), **asked)
    assert found.verdicts[0].expected == tokens * 2_000_000


def test_images_weigh_in_the_estimate():
    one = config(A1)
    assert plan(one, media=2).verdicts[0].expected == 3_000 * 1_000_000 + 100 * 1_000_000


# -- the chain


def test_behind_the_choice_come_the_kept_by_cost_then_the_fallbacks_in_their_order():
    one = config(
        A1,
        A2,
        C4,
        B3,
        candidates=("c4", "a1"),
        fallbacks=("b3", "a2", "a1"),
    )
    assert names(plan(one).chain) == ["a1", "c4", "b3", "a2"]


def test_the_second_place_goes_to_another_provider():
    one = config(A1, A2, B3, C4)
    assert names(plan(one).chain) == ["a1", "b3", "a2", "c4"]


def test_a_fallback_below_the_bar_serves_and_its_verdict_says_that_it_is_below():
    one = config(
        A1,
        B3,
        quality={"a1": 0.7, "b3": 0.9},
        bar=0.9,
        candidates=("b3",),
        fallbacks=("a1",),
    )
    found = plan(one)
    assert names(found.chain) == ["b3", "a1"]
    assert found.verdicts[1].why == "fallback; below the 0.90 bar with 0.70 (assumed)"
    assert not found.verdicts[1].kept


def test_a_candidate_below_the_bar_can_be_a_fallback_too():
    one = config(A1, B3, quality={"a1": 0.7, "b3": 0.9}, bar=0.9, fallbacks=("a1",))
    assert names(plan(one).chain) == ["b3", "a1"]


# -- the ecosystem


def test_the_preferred_ecosystem_comes_first_where_one_of_it_qualifies():
    preferring = RoutingConfig(ecosystem="b-cloud")
    one = config(A1, B3, C4, routing=preferring)
    found = plan(one)
    assert names(found.chain) == ["b3", "a1", "c4"]
    assert "the only one of the preferred ecosystem b-cloud" in found.reason
    assert "not of the preferred ecosystem b-cloud" in found.verdicts[0].why


def test_the_tasks_own_preference_goes_before_the_gateways():
    one = config(A1, B3, C4, routing=RoutingConfig(ecosystem="b-cloud"), ecosystem="c-cloud")
    assert plan(one).chain[0].name == "c4"


def test_a_preferred_ecosystem_that_does_not_qualify_is_no_obstacle():
    quality = {"a1": 0.9, "b3": 0.5}
    one = config(A1, B3, quality=quality, bar=0.9, routing=RoutingConfig(ecosystem="b-cloud"))
    assert plan(one).chain[0].name == "a1"


# -- when nothing qualifies


def test_a_fallback_that_meets_the_bar_stands_in_for_candidates_that_cannot_serve():
    one = config(
        A1, B3, C4, quality={"b3": 0.9, "c4": 0.95}, bar=0.9, candidates=(), fallbacks=("c4", "b3")
    )
    found = plan(one)
    assert names(found.chain) == ["b3", "c4"]
    assert "is a fallback, since no candidate can serve this" in found.reason


def test_slow_and_good_is_better_than_fast_and_bad():
    one = config(A1, B3, quality={"a1": 0.5, "b3": 0.9}, bar=0.9, max_latency_ms=100)
    found = plan(one, world(latency_ms={"b/b3": 500}))
    assert names(found.chain) == ["b3"]
    assert "slower than the task's limit" in found.reason


def test_a_bar_that_nothing_reaches_refuses_nobody():
    one = config(A1, B3, C4, quality={"a1": 0.7, "b3": 0.93, "c4": 0.9}, bar=0.99)
    found = plan(one)
    assert names(found.chain) == ["b3", "c4", "a1"]
    assert "b3 is the best that can serve this, 0.93 (assumed)" in found.reason
    assert "nothing reaches the 0.99 bar" in found.reason
    assert [v.model for v in found.verdicts if v.kept] == ["b/b3"]


def test_a_plan_and_its_explanation_are_one_decision():
    one = config(A2, A1, B3, quality={"a1": 0.8, "a2": 0.9, "b3": 0.95}, bar=0.9)
    router = Router(one)
    short, long = router.plan(need(one), world()), router.explain(need(one), world())
    assert short.verdicts == []
    long.verdicts = []
    assert short == long


@pytest.mark.parametrize(("bar", "said"), [(0.9, "0.90"), (0.9999, "0.9999"), (0.925, "0.925")])
def test_a_bar_is_named_as_it_is(bar, said):
    one = config(m("a"), quality={"a": 0.5}, bar=bar)
    assert f"nothing reaches the {said} bar" in Router(one).plan(need(one), world()).reason
