"""A cascade is gone through where it is expected to cost less, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridllm.catalog.structs import Cascade
from hybridllm.quality.passing import MILLION, Passing, pass_rate
from hybridllm.routing import Plan, Router, World
from tests.routing.build import DAY, config, m, need, world

CHEAP = m("cheap", 1.0, 1.0)
STRONG = m("strong", 10.0, 10.0, provider="b")
OTHER = m("other", 30.0, 30.0)
WEAK = m("weak", 0.5, 0.5, provider="b")
JUDGE = m("judge", 5.0, 5.0, provider="b")
QUALITY = {"cheap": 0.6, "strong": 0.95, "other": 0.97, "weak": 0.3, "judge": 0.9}


def plan(seen: Passing | None = Passing(), requested: str | None = None, **cascade: Any) -> Plan:  # noqa: B008
    said = {"first": CHEAP.id, "check": "regex", "expression": "x", **cascade}
    asked = config(
        *(CHEAP, STRONG, OTHER, WEAK, JUDGE),
        quality=QUALITY,
        candidates=("strong", "other"),
        fallbacks=("weak", "cheap"),
        bar=0.9,
        cascade=Cascade(**said),
    )
    there: World = world(passing=seen)
    return Router(asked).plan(need(asked, 400, requested=requested), there)


def ids(made: Plan) -> list[str]:
    first = made.cascade and made.cascade.pays and made.cascade.first
    return [first.name if first else "", *(model.name for model in made.chain)]


def test_the_cheap_model_is_asked_first_and_the_stronger_ones_stand_behind_it() -> None:
    made = plan()
    assert ids(made) == ["cheap", "strong", "other", "weak"], "who is not stronger comes last"
    assert "cheap is asked first and checked by regex, which at least" in made.reason
    assert "expected against $" in made.reason and "of strong alone" in made.reason


def test_what_it_costs_is_both_as_often_as_the_check_fails() -> None:
    found = plan(Passing(1000, 800)).cascade
    assert found is not None and found.rate is not None and found.plain is not None
    cheap = found.plain // 10
    assert found.expected == cheap + (MILLION - found.rate.lower) * found.plain // MILLION
    assert 0.7 < found.rate.lower / MILLION < found.rate.mean / MILLION < 0.8


def test_a_pass_rate_that_is_too_low_is_not_paid_for() -> None:
    made = plan(Passing(400, 4))
    assert ids(made) == ["", "strong", "other", "weak", "cheap"]
    assert made.cascade is not None and not made.cascade.pays
    assert "; no cascade from cheap, since its check at least" in made.reason
    assert ids(plan(Passing(400, 4), force=True))[0] == "cheap"


def test_what_was_found_not_to_pay_is_tried_again_when_that_is_long_ago() -> None:
    assert ids(plan(Passing(400, 4).aged(60)))[0] == "cheap"


@pytest.mark.parametrize(
    ("check", "pays"),
    [
        ({"check": "self-consistency", "samples": 3}, True),
        ({"check": "self-consistency", "samples": 9}, False),
        ({"check": "judge", "judge": JUDGE.id}, False),
    ],
)
def test_what_the_check_costs_is_in_it(check: dict[str, Any], pays: bool) -> None:
    found = plan(**check).cascade
    assert found is not None and found.pays is pays
    assert found.expected is not None and found.plain is not None
    assert pays == (found.expected < found.plain)


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ({"first": STRONG.id}, "it is the choice by itself"),
        ({"first": OTHER.id}, "nobody behind it is stronger"),
    ],
)
def test_there_is_no_cascade_that_leads_nowhere(case: dict[str, Any], why: str) -> None:
    made = plan(**case)
    assert ids(made)[0] == "" and why in made.reason


def test_none_is_looked_for_where_a_model_is_named_or_nothing_is_known() -> None:
    assert plan(requested=OTHER.id).cascade is None
    assert plan(None).cascade is None


@settings(max_examples=60, deadline=None)
@given(checked=st.integers(0, 1000), share=st.floats(0, 1), expected=st.floats(0, 1))
def test_a_cascade_is_never_taken_that_is_not_expected_to_pay(
    checked: int, share: float, expected: float
) -> None:
    seen = Passing(checked, checked * share)
    found = plan(seen, expected_pass=expected).cascade
    assert found is not None and found.expected is not None and found.plain is not None
    assert found.pays == (found.expected < found.plain)
    rate = pass_rate(seen, expected, 20)
    assert found.rate == rate and 0 <= rate.lower <= rate.mean <= MILLION


def test_the_day_of_the_prices_is_the_worlds() -> None:
    assert world().day == DAY
