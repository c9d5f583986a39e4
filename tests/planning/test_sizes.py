"""Sizes that differ from call to call, cut where thresholds lie: nothing is lost by cutting."""

from decimal import Decimal
from math import exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridllm.planning.sizes import WHOLE, WIDEST, Bucket, LogNormal, apportion, cut, mean_of

LONG = LogNormal(mean=50_000, p95=150_000)
CUTS = [128_000, 200_000, 272_000]


def buckets(*pairs):
    return tuple(Bucket(tokens=tokens, share=Decimal(share)) for tokens, share in pairs)


def test_a_number_is_one_bucket_wherever_one_cuts():
    assert cut(700, [500, 600]) == ((700, WHOLE),)
    assert mean_of(700) == 700


def test_buckets_are_sorted_and_alike_ones_are_one():
    size = buckets((150_000, "0.1"), (2_000, "0.85"), (150_000, "0.05"))
    assert cut(size, CUTS) == ((2_000, WHOLE * 85 // 100), (150_000, WHOLE * 15 // 100))
    assert mean_of(size) == 24_200


def test_a_log_normals_parameters_give_its_mean_and_percentile_back():
    mu, sigma = LONG.parameters
    assert exp(mu + sigma**2 / 2) == pytest.approx(50_000)
    assert exp(mu + 1.6448536269514722 * sigma) == pytest.approx(150_000)


def test_the_shares_beyond_a_threshold_are_the_distributions_own():
    """By hand: sigma = 1.64485 - sqrt(2.70554 - 2 ln 3) = 0.93188, mu = ln 50,000 - 0.43420 =
    10.38558, and P(X > 200,000) = 1 - Phi((12.20607 - mu) / sigma) = 1 - Phi(1.95357)."""
    mu, sigma = LONG.parameters
    assert (round(mu, 3), round(sigma, 3)) == (10.386, 0.932)
    beyond = sum(share for tokens, share in cut(LONG, CUTS) if tokens > 200_000) / WHOLE
    assert beyond == pytest.approx(0.0254, abs=0.0001)
    assert beyond == pytest.approx(sum(s for t, s in cut(LONG, [200_000]) if t > 200_000) / WHOLE)


def test_a_distribution_of_no_width_is_its_mean():
    assert cut(LogNormal(mean=9, p95=9), [5, 20]) == ((9, WHOLE),)


def test_nothing_is_larger_than_the_most():
    found = cut(LogNormal(mean=50_000, p95=150_000, most=200_000), CUTS)
    assert found[-1][0] == 200_000
    assert found[-1][1] / WHOLE == pytest.approx(0.0254, abs=0.0001)
    assert cut(LONG, CUTS, 200_000) == found


@given(
    mean=st.integers(2, 10**6),
    width=st.floats(1.0, WIDEST * 0.999),
    cuts=st.lists(st.integers(1, 2 * 10**6), max_size=8),
)
def test_any_cut_keeps_every_call_and_every_token(mean, width, cuts):
    size = LogNormal(mean=mean, p95=min(int(mean * width), int(mean * WIDEST * 0.999)))
    found = cut(size, cuts)
    assert abs(sum(share for _, share in found) - WHOLE) <= len(found)
    # A bucket's mean is rounded to a whole token.
    assert sum(tokens * share for tokens, share in found) / WHOLE == pytest.approx(
        mean, abs=1.01, rel=1e-6
    )
    for tokens, _ in found:
        inside = [n for n in cuts if n > 0]
        low = max((n for n in inside if n < tokens), default=0)
        assert low < tokens or tokens == 0
    assert [tokens for tokens, _ in found] == sorted(tokens for tokens, _ in found)


@given(calls=st.integers(0, 10**12), shares=st.lists(st.integers(0, WHOLE), min_size=1, max_size=9))
def test_apportioned_calls_sum_to_all_and_none_is_off_by_one(calls, shares):
    if not sum(shares):
        shares[0] = 1
    found = apportion(calls, shares)
    assert sum(found) == calls
    for whole, share in zip(found, shares, strict=True):
        assert abs(whole * sum(shares) - calls * share) < sum(shares)


def test_the_widest_log_normal_is_where_the_formula_ends():
    assert pytest.approx(exp(1.6448536269514722**2 / 2)) == WIDEST
    assert log(WIDEST) == pytest.approx(1.3528, abs=1e-4)
