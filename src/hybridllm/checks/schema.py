"""Is the answer JSON that fits a schema? By the library jsonschema, imported when needed."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from hybridllm.checks.text import json_of
from hybridllm.errors import HybridError


def validator(schema: Any) -> Any:
    """The validator of a schema (draft 2020-12 unless it says another). Raises ValueError for what
    is no schema, HybridError where the library is missing."""
    try:
        from jsonschema.exceptions import SchemaError
        from jsonschema.validators import Draft202012Validator, validator_for
    except ImportError:
        raise missing("A check by schema", "jsonschema") from None
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as e:
        raise ValueError(f"is no JSON Schema: {e.message}") from None
    return kind(schema)


@lru_cache(maxsize=256)
def validator_of(text: str) -> Any:
    """As `validator`, of a schema as JSON text; kept, since requests repeat their schemas."""
    return validator(msgspec.json.decode(text))


def misfit(answer: str, validator: Any, *, only: bool = False, place: bool = False) -> str:
    """What is wrong with the answer, "" where nothing is. With `only` it must be JSON and nothing
    else; without, JSON is found among prose too. Nothing of the answer is quoted, but for the path
    of what does not fit, with `place`."""
    try:
        value = msgspec.json.decode(answer) if only else json_of(answer)
    except (ValueError, RecursionError):
        return "no JSON in the answer"
    error = next(validator.iter_errors(value), None)
    if error is None:
        return ""
    where = "the answer"
    if place:
        where = "/".join(str(part) for part in error.absolute_path) or "the whole"
    return f"{where} does not fit the schema's '{error.validator}'"


def missing(what: str, library: str) -> HybridError:
    """A library is not installed."""
    return HybridError(
        f"{what} needs the library {library}.",
        remedy="Install it with: pip install 'hybridllm[evals]'.",
    )
