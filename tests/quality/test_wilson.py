"""The Wilson interval, against published values and its own invariants."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridllm.quality import wilson


@pytest.mark.parametrize(
    ("successes", "n", "lower", "upper"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I, method 3 (score, no correction).
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_agrees_with_newcombes_table(successes, n, lower, upper):
    assert wilson(successes, n) == pytest.approx((lower, upper), abs=5e-5)


def test_200_samples_do_not_prove_a_90_percent_bar_at_91():
    assert wilson(182, 200)[0] < 0.90 < wilson(190, 200)[0]


def test_nothing_is_known_without_samples():
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("bad", [(-1, 5, 0.95), (6, 5, 0.95), (1, -1, 0.95), (1, 2, 0), (1, 2, 1)])
def test_refuses_what_is_no_proportion(bad):
    with pytest.raises(ValueError):
        wilson(*bad)


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_the_interval_holds_the_share_and_narrows_with_samples(data):
    n = data.draw(st.integers(1, 5000))
    k = data.draw(st.integers(0, n))
    lower, upper = wilson(k, n)
    assert 0 <= lower <= k / n <= upper <= 1
    more_lower, more_upper = wilson(10 * k, 10 * n)
    assert more_upper - more_lower < upper - lower
    sure_lower, sure_upper = wilson(k, n, 0.99)
    assert sure_lower <= lower and upper <= sure_upper
