"""Whether a request's answer may be given again, and what makes two requests the same.

The digest is of who asks (the label of the key), for which task as it is configured, in which
dialect, with which of the headers that go to providers, and of the body: its JSON with keys in
order, without what says whether it streams. Nobody can read the request off it.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from hybridllm.catalog.structs import Task
from hybridllm.durations import seconds_of
from hybridllm.engine.trip import Trip

_FORM = ("stream", "stream_options")
_FORWARDED = frozenset({b"anthropic-beta", b"openai-organization", b"openai-project"})
_LOSING = ("logprobs", "top_logprobs", "audio", "modalities", "include")
"""What makes an answer say more than its other form would."""
_MARK = b"hybridllm 1"


class Wanted(Struct, frozen=True, kw_only=True):
    """A request whose answer may be kept. `seconds` is how long, `max_age` how old an answer may be
    that is given instead. `reads` and `keeps` are what its caller allows; `same_form` says that a
    stream and a whole answer do not say the same."""

    digest: str
    seconds: float
    max_age: float
    reads: bool = True
    keeps: bool = True
    same_form: bool = False


def wanted(trip: Trip, ecosystem: str | None, prompts: bytes = b"") -> Wanted | None:
    """None where the task, the request or its caller does not allow it. `ecosystem` is the
    configuration's, `prompts` stands for the variants of the task's prompt."""
    task, facts, call = trip.task, trip.facts, trip.call
    if task.response_cache is None or facts.unseen_input:
        return None
    reads, keeps, max_age = _control(call.headers)
    if not (reads or keeps):
        return None
    try:
        body: dict[str, Any] = msgspec.json.decode(call.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # what no one has looked at is broken: its provider will say so
    if not _is_cold(body) or body.get("background"):
        return None
    for name in _FORM:
        body.pop(name, None)
    about: list[Any] = [
        call.key,
        _fingerprint(task, ecosystem),
        call.dialect.name,
        call.shape.model,
        sorted(
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in call.headers
            if name in _FORWARDED
        ),
        body,
    ]
    if prompts:
        about.append(prompts.decode())
    digest = sha256(_MARK + msgspec.json.encode(about, order="sorted")).hexdigest()
    seconds = lifetime(task.response_cache)
    losing = facts.choices > 1 or facts.documents > 0 or any(body.get(name) for name in _LOSING)
    return Wanted(
        digest=digest,
        seconds=seconds,
        max_age=min(seconds, max_age),
        reads=reads,
        keeps=keeps,
        same_form=losing or bool(_generation(body).get("responseModalities")),
    )


@lru_cache(maxsize=256)
def lifetime(span: str) -> float:
    """A configured span in seconds."""
    return seconds_of(span)


@lru_cache(maxsize=256)
def _fingerprint(task: Task, ecosystem: str | None) -> list[Any]:
    """What of a task decides who answers and for how long."""
    return [
        task.name,
        task.response_cache,
        task.tier,
        task.bar,
        task.candidates,
        task.fallbacks,
        task.ecosystem or ecosystem,
        None if task.cascade is None else astuple(task.cascade),
    ]


def _is_cold(body: dict[str, Any]) -> bool:
    """Whether the temperature is said to be 0."""
    said = body.get("temperature", _generation(body).get("temperature"))
    return isinstance(said, int | float) and not isinstance(said, bool) and said == 0


def _generation(body: dict[str, Any]) -> dict[str, Any]:
    """Google's settings."""
    found = body.get("generationConfig") or body.get("generation_config")
    return found if isinstance(found, dict) else {}


def _control(headers: list[tuple[bytes, bytes]]) -> tuple[bool, bool, float]:
    """(reads, keeps, seconds that an answer may be old) by Cache-Control."""
    reads = keeps = True
    max_age = float("inf")
    for name, value in headers:
        if name != b"cache-control":
            continue
        for said in value.decode("latin-1").lower().split(","):
            directive, _, number = said.strip().partition("=")
            if directive == "no-store":
                reads = keeps = False
            elif directive == "no-cache":
                reads = False
            elif directive == "max-age" and number.strip('"').isdecimal():
                max_age = min(max_age, float(number.strip('"')[:12]))
    return reads, keeps, max_age
