"""A number in the answer is the expected one, within a tolerance."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, Literal

from hybridllm.checks.agreement import numbers
from hybridllm.evals.grading import RIGHT, Grade, Grader, wrong


class Numeric(Grader, frozen=True, kw_only=True):
    """`expected`: a number. The answer's `last` number counts (a reasoning ends in its result), or
    its `first`; with `only`, the answer must be a number and nothing else. It may be off by
    `tolerance`, or by `relative` (a share of the expected number), whichever is more."""

    kind: ClassVar[str] = "numeric"
    tolerance: float = 0.0
    relative: float = 0.0
    take: Literal["last", "first", "only"] = "last"

    def expect(self, expected: Any) -> Decimal:
        if self.tolerance < 0 or self.relative < 0:
            raise ValueError("cannot be within a negative tolerance")
        try:
            found = Decimal(str(expected).strip().replace(",", ""))
        except InvalidOperation:
            found = Decimal("NaN")
        if isinstance(expected, bool) or not found.is_finite():
            raise ValueError("must be a number")
        return found

    def grade(self, answer: str, expected: Any) -> Grade:
        found = numbers(answer)
        if self.take == "only" and (len(found) != 1 or found[0][0] != answer.strip()):
            return wrong("the answer is not a number alone")
        if not found:
            return wrong("no number in the answer")
        said = found[0 if self.take == "first" else -1][1]
        allowed = max(Decimal(str(self.tolerance)), Decimal(str(self.relative)) * abs(expected))
        return RIGHT if abs(said - expected) <= allowed else wrong("another number")
