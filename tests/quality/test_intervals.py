"""Intervals for a fixed number of samples: published values, invariants, coverage."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridllm.quality import clopper_pearson, empirical_bernstein, wilson
from hybridllm.quality.clopper import beta_cdf


@pytest.mark.parametrize(
    ("successes", "n", "lower", "upper"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I, method 5 (Clopper-Pearson).
        (81, 263, 0.2527, 0.3676),
        (15, 148, 0.0578, 0.1617),
        (0, 20, 0.0, 0.1684),
        (1, 29, 0.0009, 0.1776),
    ],
)
def test_clopper_pearson_agrees_with_newcombes_table(successes, n, lower, upper):
    assert clopper_pearson(successes, n) == pytest.approx((lower, upper), abs=5e-5)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_clopper_pearson_leaves_out_just_what_is_improbable(data):
    """Its ends are where the tails of the binomial are half of the error, by their own sum."""
    n = data.draw(st.integers(1, 60))
    k = data.draw(st.integers(0, n))
    lower, upper = clopper_pearson(k, n, 0.9)
    tails = {0.0: 0.05, 1.0: 0.05}
    if k > 0:
        tails[lower] = 1 - binomial(k - 1, n, lower)
    if k < n:
        tails[upper] = binomial(k, n, upper)
    assert list(tails.values()) == pytest.approx([0.05] * len(tails), abs=1e-9)
    assert clopper_pearson(n - k, n, 0.9) == pytest.approx((1 - upper, 1 - lower), abs=1e-12)


def binomial(k, n, p):
    """The chance of at most k of n."""
    chance, total = (1 - p) ** n, 0.0
    for i in range(k + 1):
        total += chance
        chance *= (n - i) / (i + 1) * p / (1 - p)
    return total


@pytest.mark.parametrize(("a", "b"), [(1, 1), (2, 1), (0.5, 0.5), (150, 50)])
def test_the_beta_distribution_is_symmetric_and_rises(a, b):
    points = [i / 20 for i in range(21)]
    values = [beta_cdf(x, a, b) for x in points]
    assert values == sorted(values) and values[0] == 0 and values[-1] == 1
    assert values == pytest.approx([1 - beta_cdf(1 - x, b, a) for x in points], abs=1e-12)
    if (a, b) == (2, 1):
        assert values == pytest.approx([x * x for x in points])


def test_few_or_varied_scores_prove_little_and_even_ones_much():
    assert empirical_bernstein(0, 0, 0) == (0.0, 1.0) == empirical_bernstein(1, 1, 1)
    even = empirical_bernstein(1000, 900, 810.1)
    varied = empirical_bernstein(1000, 900, 900)
    assert varied[0] < even[0] < 0.9 < even[1] < varied[1]
    assert even[1] - even[0] < wilson(900, 1000)[1] - wilson(900, 1000)[0]


@pytest.mark.parametrize("sums", [(-1, 0, 0), (2, 3, 1), (2, 1, 1.5), (2, -1, 0)])
def test_what_are_no_sums_of_scores_is_refused(sums):
    with pytest.raises(ValueError):
        empirical_bernstein(*sums)


@pytest.mark.parametrize("interval", [clopper_pearson, empirical_bernstein])
@pytest.mark.parametrize("bad", [(-1, 5), (6, 5), (1, -1)])
def test_what_is_no_count_or_confidence_is_refused(interval, bad):
    successes, n = bad
    with pytest.raises(ValueError):
        interval(successes, n) if interval is clopper_pearson else interval(n, successes, 0)
    with pytest.raises(ValueError):
        interval(1, 2, 1.5) if interval is clopper_pearson else interval(2, 1, 1, 1.5)


@pytest.mark.parametrize("share", [0.7, 0.95])
def test_they_cover_the_truth_as_often_as_they_say(share):
    """2,000 times 200 samples; each count's interval is made once."""
    seeded = random.Random(1)
    counts = [sum(seeded.random() < share for _ in range(200)) for _ in range(2000)]
    exact = {k: clopper_pearson(k, 200) for k in set(counts)}
    bernstein = {k: empirical_bernstein(200, k, k) for k in set(counts)}
    for made in (exact, bernstein):
        covered = sum(made[k][0] <= share <= made[k][1] for k in counts)
        assert covered >= 0.95 * 2000
