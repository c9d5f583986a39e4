"""A regular expression is found in the answer."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from hybridllm.evals.grading import RIGHT, Grade, Grader, wrong


class Pattern(Grader, frozen=True, kw_only=True):
    """`expected`: a regular expression of Python's. With `whole` it must be all of the answer;
    `ignore_case` says that case does not count."""

    kind: ClassVar[str] = "regex"
    whole: bool = False
    ignore_case: bool = False

    def expect(self, expected: Any) -> re.Pattern[str]:
        if not isinstance(expected, str):
            raise ValueError("must be a regular expression")
        try:
            return re.compile(expected, re.IGNORECASE if self.ignore_case else 0)
        except re.error as e:
            raise ValueError(f"is no regular expression: {e.msg}") from None

    def grade(self, answer: str, expected: Any) -> Grade:
        find = expected.fullmatch if self.whole else expected.search
        return RIGHT if find(answer.strip()) else wrong("the expression is not in the answer")
