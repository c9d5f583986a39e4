"""Which of the expected fields an answer in JSON has, with the right values: field-wise F1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar

from hybridllm.checks.text import json_of, normal
from hybridllm.evals.graders.f1 import f1
from hybridllm.evals.grading import Grade, Grader, wrong


class Extraction(Grader, frozen=True, kw_only=True):
    """`expected`: a JSON object, or a list of them. Each value counts at its path; the order of
    lists does not; texts are compared in their normal form, numbers by value. An empty value
    (null, "") is as good as none. With `fields`, only those at the top are looked at."""

    kind: ClassVar[str] = "extraction"
    fields: tuple[str, ...] = ()

    def expect(self, expected: Any) -> Counter[tuple[str, Any]]:
        if not isinstance(expected, dict | list):
            raise ValueError("must be a JSON object, or a list of them")
        return self._values(expected)

    def grade(self, answer: str, expected: Any) -> Grade:
        try:
            value = json_of(answer)
        except ValueError as e:
            return wrong(str(e))
        said = self._values(value)
        missed = sorted({path for path, _ in expected - said})
        return Grade(
            score=f1(said, expected), why=f"not as expected: {', '.join(missed)}" if missed else ""
        )

    def _values(self, value: Any) -> Counter[tuple[str, Any]]:
        if self.fields and isinstance(value, dict):
            value = {name: value[name] for name in self.fields if name in value}
        return Counter(_leaves(value, ""))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, f"{path}[]")
    elif isinstance(value, str):
        if value.strip():
            yield path, normal(value) or value.strip()
    elif isinstance(value, bool):
        yield path, str(value)
    elif value is not None:
        yield path, float(value)
