"""How many tokens a byte of text makes, learned from what providers report.

One ratio for each model and kind of text. Each report moves it towards what it says, as Huber's
estimator does: in proportion to the relative error, but by no more than an error of `CLIP` would,
so that a report which is far off (a hidden prompt, a broken count) weighs no more than one which
is somewhat off. The first reports weigh most; from `WINDOW` on each weighs 1/`WINDOW`, so that a
new tokenizer under an old name is followed. A ratio never leaves `FURTHEST` times, or that part
of, where it began, nor one token a byte.

Integers throughout: ratios are tokens per million bytes, errors are millionths. The error of a
report is that of the estimate made before it was known, in parts of what was reported.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from hybridllm.tokens.estimates import tokens_per_kbyte
from hybridllm.tokens.kinds import of_kind

MILLION = 1_000_000

CLIP = MILLION // 4
WINDOW = 64
FURTHEST = 4
LEAST_BYTES = 400
"""Shorter requests say nothing: of those it is the frame around the text that is counted."""
_MOST_ERROR = 10 * MILLION

Tables = dict[str, dict[str, int]]
"""Tokens per 1,000 bytes by kind of text and model id: what routing is handed."""


class Calibration(Struct, frozen=True, kw_only=True):
    """What was learned of a model (its id) with a kind of text. `start` and `ratio` are tokens per
    million bytes, before any report and now; `reports` how many were taken in. `error` is the mean
    absolute error (MAPE, in millionths) of the estimates over the last `WINDOW` or so reports,
    `start_error` what `start` would have had on the same ones."""

    model: str
    kind: str
    start: int
    ratio: int
    reports: int = 0
    error: int = 0
    start_error: int = 0

    @property
    def tokens_per_kbyte(self) -> int:
        """Rounded, at least 1."""
        return max(1, (self.ratio + 500) // 1000)


def begin(model: str, kind: str) -> Calibration:
    """Before any report: what the model's name and the kind of text let expect."""
    ratio = of_kind(tokens_per_kbyte(model), kind) * 1000
    return Calibration(model=model, kind=kind, start=ratio, ratio=ratio)


def reported(known: Calibration, text_bytes: int, tokens: int) -> Calibration:
    """After a provider has reported `tokens` of input for `text_bytes` bytes of text. What says
    nothing (too short, no tokens) changes nothing."""
    if text_bytes < LEAST_BYTES or tokens <= 0:
        return known
    actual = max(1, tokens * MILLION // text_bytes)
    reports = known.reports + 1
    past = min(reports, WINDOW)
    step = max(-CLIP, min((actual - known.ratio) * MILLION // known.ratio, CLIP))
    ratio = known.ratio + known.ratio * step // (MILLION * min(reports + 1, WINDOW))
    return replace(
        known,
        ratio=max(known.start // FURTHEST, min(ratio, known.start * FURTHEST, MILLION)),
        reports=reports,
        error=known.error + (_error(known.ratio, actual) - known.error) // past,
        start_error=known.start_error + (_error(known.start, actual) - known.start_error) // past,
    )


def _error(estimate: int, actual: int) -> int:
    return min(abs(estimate - actual) * MILLION // actual, _MOST_ERROR)


def tables_of(known: Iterable[Calibration]) -> Tables:
    """The ratios as routing looks them up."""
    tables: Tables = {}
    for one in known:
        tables.setdefault(one.kind, {})[one.model] = one.tokens_per_kbyte
    return tables
