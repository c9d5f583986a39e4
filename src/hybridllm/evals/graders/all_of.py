"""Several graders at once: the answer is as good as the worst of them says."""

from __future__ import annotations

from typing import Any, ClassVar

from hybridllm.evals.grading import Grade, Grader


class AllOf(Grader, frozen=True, kw_only=True):
    """`expected`: a list, of which each is `{"grader": ..., "expected": ...}`. The score is the
    least of theirs; judges and code cannot be among them."""

    kind: ClassVar[str] = "all"

    def expect(self, expected: Any) -> tuple[tuple[Grader, Any], ...]:
        # Imported here: the registry has this grader too.
        from hybridllm.evals.graders.registry import grader_of
        from hybridllm.evals.grading import Judge

        if not isinstance(expected, list) or not expected:
            raise ValueError("must be a list of graders, each with what it expects")
        found: list[tuple[Grader, Any]] = []
        for number, part in enumerate(expected, 1):
            if not isinstance(part, dict) or not {"grader"} <= set(part) <= {"grader", "expected"}:
                raise ValueError(f'part {number} must be {{"grader": ..., "expected": ...}}')
            try:
                grader = grader_of(part["grader"])
                if isinstance(grader, Judge | AllOf) or grader.slow:
                    raise ValueError(f"{grader.kind} cannot be one of several")
                found.append((grader, grader.expect(part.get("expected"))))
            except ValueError as e:
                raise ValueError(f"part {number}: {e}") from None
        return tuple(found)

    def grade(self, answer: str, expected: Any) -> Grade:
        grades: list[Grade] = [grader.grade(answer, wanted) for grader, wanted in expected]
        return min(grades, key=lambda grade: grade.score)
