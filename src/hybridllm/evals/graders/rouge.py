"""How much of a reference text the answer has: ROUGE, by Google's rouge-score."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar, Literal

from hybridllm.checks.schema import missing
from hybridllm.evals.grading import Grade, Grader, texts_of


class Rouge(Grader, frozen=True, kw_only=True):
    """`expected`: a reference, or several; the best counts. `variant` is rouge1, rouge2 or rougeL
    (Lin 2004), of which the F measure is the score. Needs the library rouge-score."""

    kind: ClassVar[str] = "rouge"
    variant: Literal["rouge1", "rouge2", "rougeL"] = "rougeL"

    def expect(self, expected: Any) -> tuple[str, ...]:
        _scorer(self.variant)
        return texts_of(expected)

    def grade(self, answer: str, expected: Any) -> Grade:
        scorer = _scorer(self.variant)
        return Grade(
            score=max(scorer.score(text, answer)[self.variant].fmeasure for text in expected)
        )


@lru_cache
def _scorer(variant: str) -> Any:
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError:
        raise missing("The grader 'rouge'", "rouge-score") from None
    return RougeScorer([variant], use_stemmer=False)
