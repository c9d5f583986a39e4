"""What a batch's input file holds, and what OpenAI finds wrong with one
(https://platform.openai.com/docs/guides/batch)."""

from __future__ import annotations

from array import array
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from hybridllm.simulators.models import find_embedder, find_model

MAX_REQUESTS = 50_000
_SHOWN = 100


class Request(Struct):
    """One line."""

    custom_id: str | UnsetType = UNSET
    method: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    body: Raw | UnsetType = UNSET


class _Body(Struct):
    model: Any = None


class Problem(Struct):
    """An entry of a failed batch's errors. `line` counts from 1."""

    code: str
    message: str
    param: str | None = None
    line: int | None = None


class Input(Struct):
    """Where each request begins in the file, the model of all, and what is wrong."""

    starts: array[int]
    model: str
    problems: list[Problem]


_decode = msgspec.json.Decoder(Request).decode
_decode_body = msgspec.json.Decoder(_Body).decode


def request_at(data: bytes | bytearray, start: int) -> Request:
    """The request that begins there. Raises msgspec.DecodeError."""
    end = data.find(b"\n", start)
    return _decode(data[start : end if end >= 0 else len(data)])


def check_input(data: bytes | bytearray, endpoint: str) -> Input:
    """Read a whole file as OpenAI validates it, without keeping its requests."""
    found = Input(array("Q"), "", [])
    seen: set[str] = set()
    start, number = 0, 0
    while start < len(data):
        number += 1
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        line = data[start:end]
        if not line.isspace() and line:
            found.starts.append(start)
            problem = _problem(line, endpoint, seen, found)
            if problem is not None and len(found.problems) < _SHOWN:
                problem.line = number
                found.problems.append(problem)
        start = end + 1
    _check_number(found)
    return found


def _check_number(found: Input) -> None:
    if not found.starts:
        found.problems.append(
            Problem(
                "empty_file",
                "The batch input file is empty. Please ensure that the batch input file contains "
                "at least one batched request.",
            )
        )
    elif len(found.starts) > MAX_REQUESTS:
        found.problems.append(
            Problem(
                "too_many_tasks",
                f"The batch input file contains too many requests: {len(found.starts)}. The "
                f"maximum is {MAX_REQUESTS}.",
            )
        )


def _problem(
    line: bytes | bytearray, endpoint: str, seen: set[str], found: Input
) -> Problem | None:
    try:
        request = _decode(line)
    except msgspec.ValidationError:
        return Problem("invalid_request", "This line is not a valid batch request.")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Problem("invalid_json_line", "This line is not parseable as valid JSON.")
    for name in ("custom_id", "method", "url", "body"):
        if getattr(request, name) is UNSET:
            return Problem(
                "missing_required_parameter", f"Missing required parameter: '{name}'.", name
            )
    custom_id = str(request.custom_id)
    if custom_id in seen:
        return Problem(
            "duplicate_custom_id",
            f"The custom_id '{custom_id[:64]}' for this request is a duplicate of another "
            "request. The custom_id parameter must be unique for each request in a batch.",
            "custom_id",
        )
    seen.add(custom_id)
    if request.method != "POST":
        return Problem("invalid_method", "The only supported HTTP method is 'POST'.", "method")
    if request.url != endpoint:
        return Problem(
            "url_mismatch",
            f"The URL provided for this request does not match the batch endpoint '{endpoint}'.",
            "url",
        )
    return _model_problem(request, endpoint, found)


def _model_problem(request: Request, endpoint: str, found: Input) -> Problem | None:
    try:
        model = _decode_body(request.body).model  # type: ignore[arg-type]
    except msgspec.ValidationError:
        return Problem("invalid_request", "The body of this request is not an object.", "body")
    if not isinstance(model, str) or not model:
        return Problem(
            "missing_required_parameter", "Missing required parameter: 'body.model'.", "body.model"
        )
    find = find_embedder if endpoint == "/v1/embeddings" else find_model
    if find("openai", model) is None:
        return Problem(
            "model_not_found",
            f"The provided model '{model[:64]}' is not supported by the Batch API.",
            "body.model",
        )
    if found.model and model != found.model:
        return Problem(
            "model_mismatch",
            f"The model '{model[:64]}' is not that of the other requests, '{found.model[:64]}'. "
            "All requests of a batch must be for one model.",
            "body.model",
        )
    found.model = model
    return None
