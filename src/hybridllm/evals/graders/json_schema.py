"""The answer is JSON that fits a schema."""

from __future__ import annotations

from typing import Any, ClassVar

from hybridllm.checks.schema import misfit, validator
from hybridllm.evals.grading import RIGHT, Grade, Grader, wrong


class JsonSchema(Grader, frozen=True, kw_only=True):
    """`schema`, or where there is none `expected`, is a JSON Schema (draft 2020-12 unless it says
    another). With `only` the answer must be JSON and nothing else. Needs the library jsonschema."""

    kind: ClassVar[str] = "json_schema"
    schema: dict[str, Any] | None = None
    only: bool = False

    def expect(self, expected: Any) -> Any:
        """The validator. Raises ValueError for what is no schema."""
        schema = expected if self.schema is None else self.schema
        if not isinstance(schema, dict | bool):
            raise ValueError("must be a JSON Schema, or the grader must have one")
        return validator(schema)

    def grade(self, answer: str, expected: Any) -> Grade:
        why = misfit(answer, expected, only=self.only, place=True)
        return wrong(why) if why else RIGHT
