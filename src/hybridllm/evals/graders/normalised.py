"""The answer is the expected text but for case, punctuation, articles and blanks."""

from __future__ import annotations

from typing import Any, ClassVar

from hybridllm.checks.text import normal
from hybridllm.evals.grading import RIGHT, Grade, Grader, texts_of, wrong


class Normalised(Grader, frozen=True, kw_only=True):
    """`expected`: a text, or several of which any will do. With `contains` it is enough that the
    answer holds it, word for word."""

    kind: ClassVar[str] = "normalised"
    contains: bool = False

    def expect(self, expected: Any) -> tuple[str, ...]:
        found = tuple(normal(text) for text in texts_of(expected))
        if not all(found):
            raise ValueError("must be more than punctuation")
        return found

    def grade(self, answer: str, expected: Any) -> Grade:
        said = normal(answer)
        if self.contains:
            padded = f" {said} "
            found = any(f" {text} " in padded for text in expected)
        else:
            found = said in expected
        return RIGHT if found else wrong("not the expected text")
