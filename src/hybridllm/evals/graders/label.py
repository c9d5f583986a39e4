"""The answer is the right class: accuracy, and over a model's answers macro-F1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

from hybridllm.checks.text import plain
from hybridllm.evals.grading import Grade, Grader


class Label(Grader, frozen=True, kw_only=True):
    """`expected`: the class. With `labels` (all classes) an answer in a sentence counts where it
    names exactly one of them; without, the answer must be the class alone. The mean score is the
    accuracy."""

    kind: ClassVar[str] = "label"
    labels: tuple[str, ...] = ()

    def expect(self, expected: Any) -> str:
        if not isinstance(expected, str) or not plain(expected):
            raise ValueError("must be the name of a class")
        if self.labels and plain(expected) not in {plain(label) for label in self.labels}:
            raise ValueError("must be one of the grader's labels")
        return plain(expected)

    def grade(self, answer: str, expected: Any) -> Grade:
        said = self._said(plain(answer))
        if said == expected:
            return Grade(score=1.0, label=said)
        return Grade(score=0.0, why="another class" if said else "no class", label=said)

    def _said(self, answer: str) -> str:
        """The class that an answer names, "" for none."""
        known = {plain(label) for label in self.labels}
        if not known or answer in known:
            return answer
        padded = f" {answer} "
        named = {label for label in known if f" {label} " in padded}
        # "not spam" names "spam" too: the longer one is meant.
        longest = {a for a in named if not any(a != b and f" {a} " in f" {b} " for b in named)}
        return longest.pop() if len(longest) == 1 else ""

    def summary(self, graded: Sequence[tuple[Any, Grade]]) -> dict[str, float]:
        return {"macro_f1": macro_f1([(expected, grade.label or "") for expected, grade in graded])}


def macro_f1(pairs: Sequence[tuple[str, str]]) -> float:
    """The mean F1 of the classes that occur among (expected, said), as scikit-learn's `f1_score`
    with average="macro" over the classes that are expected; an answer of no class is a miss."""
    right, said, wanted = Counter[str](), Counter[str](), Counter[str]()
    for expected, found in pairs:
        wanted[expected] += 1
        said[found] += 1
        right[expected] += expected == found
    if not wanted:
        return 0.0
    return sum(2 * right[c] / (wanted[c] + said[c]) for c in wanted) / len(wanted)
