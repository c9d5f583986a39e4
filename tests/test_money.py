"""Money as text is exact, in both directions of a zero."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridllm.cli.output import cents, money
from hybridllm.money import PICODOLLARS, dollars

WRITTEN = [
    (0, "0", "0.00"),
    (7_125 * PICODOLLARS, "7125", "7125.00"),
    (7_125_000_000_000, "7.125", "7.125"),
    (500_000_000_000, "0.5", "0.50"),
    (12_600_000, "0.0000126", "0.0000126"),
    (1, "0.000000000001", "0.000000000001"),
    (-1_500_000_000_000, "-1.5", "-1.50"),
    (-1, "-0.000000000001", "-0.000000000001"),
]


@pytest.mark.parametrize(("picodollars", "short", "at_least_cents"), WRITTEN)
def test_by_hand(picodollars, short, at_least_cents):
    assert dollars(picodollars) == short
    assert cents(picodollars) == at_least_cents


@given(st.integers(-(10**24), 10**24))
def test_nothing_is_lost(picodollars):
    for text in (dollars(picodollars), cents(picodollars)):
        whole, _, rest = text.lstrip("-").partition(".")
        assert int(whole) * PICODOLLARS + int(f"{rest:0<12}") == abs(picodollars)
        assert text.startswith("-") == (picodollars < 0)
    assert len(cents(picodollars).partition(".")[2]) >= 2


FOR_PEOPLE = [
    (5_377_500_000_000_000, "$5,377.50"),
    (-1_000_000_000_000, "-$1.00"),
    (12_600_000, "$0.000013"),
    (375_000, "$0.00000038"),
    (1, "$0.0000000000010"),
    (0, "$0.00"),
]


@pytest.mark.parametrize(("picodollars", "text"), FOR_PEOPLE)
def test_for_people(picodollars, text):
    assert money(picodollars) == text


@given(st.integers(-(10**18), 10**18))
def test_for_people_it_is_right_to_the_places_shown(picodollars):
    shown = Decimal(money(picodollars).replace("$", "").replace(",", ""))
    assert abs(shown - Decimal(picodollars) / PICODOLLARS) <= Decimal("0.005")
    assert bool(shown) == bool(picodollars)
