"""A cell ends when its verdict is certain: how often it is wrong, and what it saves."""

from __future__ import annotations

import csv
import gzip
import random
from collections import defaultdict
from pathlib import Path

import pytest

from hybridllm.quality import Stopping, Verdict, verdict, wilson
from hybridllm.quality.stopping import boundaries

DATA = Path(__file__).parents[3] / "shared" / "data"
TABLES = ("bfcl", "zeroeval_crux", "zeroeval_mathl5", "mmlu_pro")


def run(scores: list[float], bar: float, **options: float) -> Stopping:
    cell = Stopping(bar, **options)  # type: ignore[arg-type]
    for score in scores:
        if cell.add(score):
            break
    return cell


@pytest.mark.parametrize("bar", [0.7, 0.9, 0.95])
def test_the_stated_error_holds_over_ten_thousand_runs(bar: float) -> None:
    """Of models that are exactly at the bar at most 5% are called above or below it, though each
    is looked at after every one of 200 samples."""
    numpy = pytest.importorskip("numpy")
    good = (numpy.random.default_rng(3).random((10_000, 200), "float32") < bar).cumsum(axis=1)
    made = boundaries(bar)
    above, below = numpy.array(made.meets[1:]), numpy.array(made.below[1:])
    wrong = ((good >= above) | (good <= below)).any(axis=1).sum()
    assert wrong <= 0.05 * 10_000
    assert wrong >= 0.02 * 10_000, "the error that is allowed is spent, not saved"


def test_whoever_is_at_the_bar_mostly_ends_undecided_and_early() -> None:
    bar, seeded = 0.9, random.Random(3)
    wrong = samples = 0
    for _ in range(500):
        cell = Stopping(bar)
        while not cell.add(float(seeded.random() < bar)):
            pass
        wrong += cell.verdict is not Verdict.UNDECIDED
        samples += cell.n
    assert wrong <= 0.05 * 500 and samples < 150 * 500


@pytest.mark.parametrize("bar", [0.5, 0.8, 0.95])
def test_the_error_is_exact(bar: float) -> None:
    """The chance of ever crossing a boundary, summed over all paths, is within its half of 5%."""
    made = boundaries(bar)
    paths, above, below = {0: 1.0}, 0.0, 0.0
    for n in range(1, 201):
        grown: dict[int, float] = defaultdict(float)
        for good, chance in paths.items():
            grown[good + 1] += chance * bar
            grown[good] += chance * (1 - bar)
        above += sum(chance for good, chance in grown.items() if good >= made.meets[n])
        below += sum(chance for good, chance in grown.items() if good <= made.below[n])
        paths = {k: p for k, p in grown.items() if made.below[n] < k < made.meets[n]}
    assert 0.01 < above <= 0.025 and 0.01 < below <= 0.025


@pytest.mark.skipif(not DATA.is_dir(), reason="the outcome tables are not here")
def test_real_models_get_the_verdicts_of_200_samples_for_less_than_half() -> None:
    """175 models of four public benchmarks at three bars, each against Wilson's interval of the
    same 200 samples."""
    cells = outcomes()
    assert len(cells) > 150
    seeded = random.Random(7)
    used = same = opposite = 0
    for _, scores in sorted(cells.items()):
        drawn = seeded.sample(scores, 200)
        for bar in (0.8, 0.9, 0.95):
            cell = run(drawn, bar)
            fixed = verdict(*wilson(sum(drawn), 200), bar)
            used += cell.n
            same += cell.verdict is fixed
            opposite += {cell.verdict, fixed} == {Verdict.MEETS, Verdict.BELOW}
    assert used <= 0.5 * 200 * 3 * len(cells)
    assert same >= 0.97 * 3 * len(cells)
    assert opposite == 0


def outcomes() -> dict[tuple[str, str], list[float]]:
    """The scores by table and model, of those with 200 passes and fails or more."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for table in TABLES:
        with gzip.open(DATA / f"outcomes_{table}.csv.gz", "rt") as file:
            _, *rows = csv.reader(file)  # sample_id, model, score, ...
            for row in rows:
                if row[2] in ("0", "1", "0.0", "1.0"):
                    found[table, row[1]].append(float(row[2]))
    return {cell: scores for cell, scores in found.items() if len(scores) >= 200}


def test_the_clear_ends_early_and_the_close_is_not_forced() -> None:
    bad = run([float(n % 2) for n in range(200)], 0.9)
    assert (bad.verdict, bad.done) == (Verdict.BELOW, True) and bad.n < 40
    good = run([1.0] * 200, 0.9)
    assert good.verdict is Verdict.MEETS and good.n < 100
    close = run([float(n % 10 != 9) for n in range(200)], 0.9)
    assert close.verdict is Verdict.UNDECIDED and close.n < 200


def test_a_verdict_does_not_change_any_more() -> None:
    cell = run([0.0] * 200, 0.9)
    n = cell.n
    assert all(cell.add(1.0) for _ in range(300))
    assert (cell.n, cell.verdict) == (n, Verdict.BELOW)


def test_scores_between_are_held_to_their_bounds() -> None:
    def cell(mean: float) -> Stopping:
        seeded = random.Random(1)
        made = Stopping(0.8, passfail=False)
        while not made.add(seeded.uniform(mean - 0.05, mean + 0.05)):
            pass
        return made

    good, bad, close = cell(0.92), cell(0.6), cell(0.8)
    assert good.verdict is Verdict.MEETS and good.n < 150
    assert bad.verdict is Verdict.BELOW and bad.n < 100
    assert close.verdict is Verdict.UNDECIDED and close.n == 200


@pytest.mark.parametrize("bad", [{"bar": 0.0}, {"bar": 1.0}, {"error": 0.0}, {"horizon": 0}])
def test_what_cannot_be_tested_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        Stopping(**{"bar": 0.9, **bad})  # type: ignore[arg-type]


def test_pass_or_fail_was_promised() -> None:
    with pytest.raises(ValueError):
        Stopping(0.9).add(0.5)
    with pytest.raises(ValueError):
        Stopping(0.9, passfail=False).add(1.5)
