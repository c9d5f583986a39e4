"""The answer is a program that passes its tests, run in a sandbox."""

from __future__ import annotations

from typing import Any, ClassVar

from hybridllm.checks.sandbox import Limits, check, run_python
from hybridllm.checks.text import code_of
from hybridllm.evals.grading import RIGHT, Grade, Grader, wrong


class Code(Grader, frozen=True, kw_only=True):
    """`expected`: tests in Python, run in the namespace of the answer's code, or a list of such;
    the score is the share of the list that passes. The answer's code is its blocks of Python, or
    all of it. `before` is put in front of it. The limits are those of one run."""

    kind: ClassVar[str] = "code"
    slow: ClassVar[bool] = True
    before: str = ""
    seconds: float = 5.0
    memory_mb: int = 512
    disk_mb: int = 16

    def expect(self, expected: Any) -> tuple[str, ...]:
        """Also raises HybridError(UNSUPPORTED) where there is no sandbox: better before the
        answers are paid than after."""
        tests = (expected,) if isinstance(expected, str) else expected
        if (
            not isinstance(tests, list | tuple)
            or not tests
            or not all(isinstance(test, str) and test.strip() for test in tests)
        ):
            raise ValueError("must be tests in Python, or a list of them")
        for test in tests:
            try:
                compile(test, "expected", "exec")
            except (SyntaxError, ValueError) as e:
                raise ValueError(f"is no Python: {e}") from None
        check()
        return tuple(tests)

    def grade(self, answer: str, expected: Any) -> Grade:
        code = f"{self.before}\n{code_of(answer, 'python', 'py', 'python3')}"
        limits = Limits(seconds=self.seconds, memory_mb=self.memory_mb, disk_mb=self.disk_mb)
        failed = [ran.why for test in expected if not (ran := run_python(code, test, limits)).ok]
        if not failed:
            return RIGHT
        if len(failed) == len(expected):
            return wrong(failed[0])
        return Grade(score=1 - len(failed) / len(expected), why=failed[0])
