"""The answer is JSON that fits a schema."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from hybridllm.errors import HybridError
from hybridllm.evals.grading import RIGHT, Grade, Grader, wrong
from hybridllm.evals.text import json_of


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
        try:
            from jsonschema.exceptions import SchemaError
            from jsonschema.validators import Draft202012Validator, validator_for
        except ImportError:
            raise missing("json_schema", "jsonschema") from None
        kind = validator_for(schema, default=Draft202012Validator)
        try:
            kind.check_schema(schema)
        except SchemaError as e:
            raise ValueError(f"is no JSON Schema: {e.message}") from None
        return kind(schema)

    def grade(self, answer: str, expected: Any) -> Grade:
        try:
            value = msgspec.json.decode(answer) if self.only else json_of(answer)
        except (ValueError, RecursionError):
            return wrong("no JSON in the answer")
        error = next(expected.iter_errors(value), None)
        if error is None:
            return RIGHT
        where = "/".join(str(part) for part in error.absolute_path) or "the whole"
        return wrong(f"{where} does not fit the schema's '{error.validator}'")


def missing(grader: str, library: str) -> HybridError:
    """A grader's library is not installed."""
    return HybridError(
        f"The grader '{grader}' needs the library {library}.",
        remedy="Install it with: pip install 'hybridllm[evals]'.",
    )
