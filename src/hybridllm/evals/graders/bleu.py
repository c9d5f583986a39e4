"""How close a translation is to its references: BLEU, by sacrebleu."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

from hybridllm.checks.schema import missing
from hybridllm.evals.grading import Grade, Grader, texts_of


class Bleu(Grader, frozen=True, kw_only=True):
    """`expected`: a reference, or several. The score of an answer is its sentence BLEU, from 0 to
    1 (Papineni et al. 2002, smoothed as sacrebleu does). Needs the library sacrebleu."""

    kind: ClassVar[str] = "bleu"

    def expect(self, expected: Any) -> tuple[str, ...]:
        _metric()
        return texts_of(expected)

    def grade(self, answer: str, expected: Any) -> Grade:
        score = _metric().sentence_score(answer, list(expected)).score / 100
        return Grade(score=min(1.0, max(0.0, score)))


@lru_cache
def _metric() -> Any:
    try:
        from sacrebleu.metrics.bleu import BLEU
    except ImportError:
        raise missing("The grader 'bleu'", "sacrebleu") from None
    return BLEU(effective_order=True)
