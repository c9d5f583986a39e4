"""How many words the answer and the expected text share: token F1."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

from hybridllm.checks.text import normal
from hybridllm.evals.grading import Grade, Grader, texts_of


class TokenF1(Grader, frozen=True, kw_only=True):
    """`expected`: a text, or several; the best of them counts. Words are compared in their normal
    form, as SQuAD's evaluation does (Rajpurkar et al. 2016, arXiv:1606.05250)."""

    kind: ClassVar[str] = "f1"

    def expect(self, expected: Any) -> tuple[Counter[str], ...]:
        return tuple(Counter(normal(text).split()) for text in texts_of(expected))

    def grade(self, answer: str, expected: Any) -> Grade:
        said = Counter(normal(answer).split())
        return Grade(score=max(f1(said, wanted) for wanted in expected))


def f1(said: Counter[Any], wanted: Counter[Any]) -> float:
    """The harmonic mean of precision and recall of two multisets; 1 where both are empty."""
    total = said.total() + wanted.total()
    return 1.0 if total == 0 else 2 * (said & wanted).total() / total
