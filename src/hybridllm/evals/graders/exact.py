"""The answer is the expected text, to the letter; blanks around it do not count."""

from __future__ import annotations

from typing import Any, ClassVar

from hybridllm.evals.grading import RIGHT, Grade, Grader, texts_of, wrong


class Exact(Grader, frozen=True, kw_only=True):
    """`expected`: a text, or several of which any will do."""

    kind: ClassVar[str] = "exact"

    def expect(self, expected: Any) -> tuple[str, ...]:
        return tuple(text.strip() for text in texts_of(expected))

    def grade(self, answer: str, expected: Any) -> Grade:
        return RIGHT if answer.strip() in expected else wrong("not the expected text")
