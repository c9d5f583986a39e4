"""What a caller may ask for by model name: auto, every task, every tier, every usable model."""

from __future__ import annotations

from calendar import timegm
from time import strptime
from typing import Any

import msgspec

from hybridllm.catalog.structs import Model
from hybridllm.engine.call import Answer
from hybridllm.engine.runtime import Runtime


class Listed(msgspec.Struct, frozen=True):
    """`created` in Unix seconds; the limits are 0 for names that stand for a choice of models."""

    id: str
    owner: str
    created: int
    input_tokens: int = 0
    output_tokens: int = 0
    kind: str = "chat"


def listed(runtime: Runtime) -> list[Listed]:
    """All names, the routed ones first."""
    config = runtime.config
    as_of = _unix(config.catalog.as_of)
    names = ["auto", *(f"tier/{tier}" for tier in config.tier_tasks)]
    names += [f"task/{name}" for name in config.tasks]
    routed = [Listed(name, "hybridllm", as_of) for name in names]
    models = [m for m in config.catalog.models.values() if m.provider in runtime.usable]
    return routed + [_listed(model, as_of) for model in models]


def _listed(model: Model, as_of: int) -> Listed:
    created = _unix(model.released_on) if model.released_on else as_of
    return Listed(
        id=model.id,
        owner=model.provider,
        created=created,
        input_tokens=model.context_window,
        output_tokens=model.max_output_tokens,
        kind=model.kind,
    )


def _unix(day: str) -> int:
    """Midnight UTC of an ISO date; a month alone ("2026-04") is its first day."""
    return timegm(strptime(day if len(day) > 7 else f"{day}-01", "%Y-%m-%d"))


def json_answer(value: Any, status: int = 200) -> Answer:
    """`value` as a JSON answer."""
    headers = [(b"content-type", b"application/json")]
    return Answer(status=status, headers=headers, body=msgspec.json.encode(value))
