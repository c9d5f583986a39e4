"""Calibration: by hand, and for any sequence of reports."""

from hypothesis import given
from hypothesis import strategies as st

from hybridllm.tokens.calibration import (
    FURTHEST,
    LEAST_BYTES,
    MILLION,
    begin,
    reported,
    tables_of,
)

CLAUDE = "anthropic/claude-sonnet-4-6"
SIZES = st.integers(LEAST_BYTES, 10**7)


def after(reports, model=CLAUDE, kind="prose"):
    known = begin(model, kind)
    for text_bytes, tokens in reports:
        known = reported(known, text_bytes, tokens)
    return known


def test_it_begins_with_what_the_name_and_the_kind_let_expect():
    assert begin(CLAUDE, "prose").ratio == 290_000
    assert begin(CLAUDE, "json").ratio == 391_000
    assert begin("google/gemini-2.5-pro", "prose").ratio == 235_000


def test_three_reports_by_hand():
    """Starting at 290 tokens a kilobyte.

    1. 1,000 bytes, 232 tokens: the estimate was 25.0% too high (58/232); the ratio moves by
       -20% (58/290) halved, to 261.
    2. 1,000 bytes, 261 tokens: right; nothing moves.
    3. 2,000 bytes, 1,044 tokens, 522 a kilobyte: 50% too low (261/522); 100% counts as 25%,
       of which the third report has a quarter: 261 * 1.0625.
    """
    first = after([(1000, 232)])
    assert (first.ratio, first.error) == (261_000, 250_000)
    second = reported(first, 1000, 261)
    assert (second.ratio, second.error) == (261_000, 125_000)  # (25% + 0) / 2
    third = reported(second, 2000, 1044)
    assert third.ratio == 277_312
    assert third.error == 250_000  # (25% + 0 + 50%) / 3
    assert third.reports == 3
    # What 290 would have had: 25%, 29/261 = 11.11%, 232/522 = 44.44%.
    assert abs(third.start_error - (250_000 + 111_111 + 444_444) // 3) <= 2


def test_what_says_nothing_changes_nothing():
    known = after([(1000, 232)])
    for text_bytes, tokens in [(LEAST_BYTES - 1, 50), (0, 50), (5000, 0), (5000, -3)]:
        assert reported(known, text_bytes, tokens) is known


@given(st.floats(0.4, 2.5), st.lists(SIZES, min_size=1, max_size=20))
def test_it_converges_on_what_is_reported(times, sizes):
    truth = int(290_000 * times)
    known = after((size, -(-size * truth // MILLION)) for size in sizes * (400 // len(sizes)))
    assert abs(known.ratio - truth) <= truth // 50


@given(st.floats(0.5, 2.0), st.lists(st.integers(1, 10**12), min_size=1, max_size=20))
def test_outliers_of_any_size_pull_it_off_by_little(times, wild):
    """One report in ten says anything at all."""
    truth = int(290_000 * times)
    known = begin(CLAUDE, "prose")
    for place in range(600):
        honest = 10_000 * truth // MILLION
        tokens = wild[place // 10 % len(wild)] if place % 10 == 0 else honest
        known = reported(known, 10_000, tokens)
    assert abs(known.ratio - truth) <= truth * 6 // 100


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**12)), max_size=300))
def test_it_never_leaves_its_bounds(reports):
    known = after(reports)
    assert known.start // FURTHEST <= known.ratio <= min(known.start * FURTHEST, MILLION)
    assert 0 <= known.error <= 10 * MILLION
    assert known.tokens_per_kbyte >= 1


@given(st.integers(1, 10**12))
def test_one_report_moves_it_by_an_eighth_at_most(tokens):
    before = begin(CLAUDE, "prose")
    assert abs(reported(before, 1000, tokens).ratio - before.ratio) <= before.ratio // 8


def test_later_reports_weigh_alike_so_that_a_new_tokenizer_is_followed():
    settled = after([(1000, 290)] * 5000)
    changed = settled
    for _ in range(300):
        changed = reported(changed, 1000, 377)
    assert settled.tokens_per_kbyte == 290
    assert 370 <= changed.tokens_per_kbyte <= 377


def test_routing_is_handed_whole_numbers_by_kind_and_model():
    known = [after([(1000, 232)]), after([], kind="code"), after([], "openai/gpt-4o")]
    assert tables_of(known) == {
        "prose": {CLAUDE: 261, "openai/gpt-4o": 250},
        "code": {CLAUDE: 348},
    }
