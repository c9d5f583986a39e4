"""A candidate beside the incumbent, on the same samples."""

from __future__ import annotations

import random

import pytest

from hybridllm.quality import Standing, anytime, compare


def pairs(seed: int, n: int, lost: float, won: float) -> list[tuple[float, float]]:
    """On hard samples both fail, on `lost` of the others the candidate alone, on `won` the
    incumbent alone."""
    seeded = random.Random(seed)
    made = []
    for _ in range(n):
        if seeded.random() < 0.3:
            made.append((0.0, 0.0))
            continue
        drawn = seeded.random()
        made.append((float(drawn >= lost), float(not lost <= drawn < lost + won)))
    return made


@pytest.mark.parametrize(
    ("lost", "won", "margin", "standing"),
    [
        (0.01, 0.2, 0.0, Standing.BETTER),
        (0.2, 0.01, 0.02, Standing.WORSE),
        (0.01, 0.01, 0.1, Standing.AS_GOOD),
        (0.05, 0.05, 0.0, Standing.UNDECIDED),
        (0.05, 0.05, 0.01, Standing.UNDECIDED),
    ],
)
def test_what_pairs_prove(lost: float, won: float, margin: float, standing: Standing) -> None:
    found = compare(pairs(1, 400, lost, won), margin=margin)
    assert found.standing is standing
    assert found.lower <= found.difference <= found.upper and found.n == 400


def test_pairs_prove_what_two_scores_apart_do_not() -> None:
    drawn = pairs(2, 400, 0.01, 0.12)
    candidate, incumbent = (sum(scores) for scores in zip(*drawn, strict=True))
    assert compare(drawn).standing is Standing.BETTER
    assert anytime(400, candidate, candidate)[0] < anytime(400, incumbent, incumbent)[1]


def test_looking_after_every_forty_pairs_is_honest() -> None:
    wrong = 0
    for seed in range(80):
        drawn = pairs(seed, 200, 0.15, 0.15)
        looks = (compare(drawn[:n], confidence=0.9) for n in range(40, 201, 40))
        wrong += any(look.standing is not Standing.UNDECIDED for look in looks)
    assert wrong <= 8


def test_the_same_the_other_way_round_is_its_mirror() -> None:
    drawn = pairs(3, 150, 0.05, 0.2)
    found, other = compare(drawn), compare([(b, a) for a, b in drawn])
    assert (found.lower, found.upper) == pytest.approx((-other.upper, -other.lower), abs=4e-4)
    assert found.difference == pytest.approx(-other.difference)


def test_without_pairs_nothing_is_known() -> None:
    found = compare([])
    assert (found.n, found.lower, found.upper) == (0, -1.0, 1.0)
    assert found.standing is Standing.UNDECIDED


@pytest.mark.parametrize("bad", [{"pairs": [(1.1, 0.0)]}, {"pairs": [], "margin": -0.1}])
def test_what_is_no_comparison_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        compare(**bad)  # type: ignore[arg-type]
