"""Why a request cannot be served by any model, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable

from hybridllm.catalog.structs import Catalog
from hybridllm.errors import ErrorKind, RequestError
from hybridllm.routing.candidates import Look
from hybridllm.routing.decision import Decision
from hybridllm.routing.filters import LIMITS

_SHOWN = 5

_REMEDIES = {
    "deprecation": "Name models that their providers still serve in tasks.{task}.candidates.",
    "context": "Shorten the input, ask for fewer output tokens, or add a model with a larger "
    "context window to tasks.{task}.candidates.",
    "output": "Ask for fewer output tokens, or add a model with a higher output limit to "
    "tasks.{task}.candidates.",
    "tools": "Leave the tools out, or add a model that calls tools to tasks.{task}.candidates.",
    "vision": "Leave the images out, or add a model that reads them to tasks.{task}.candidates.",
    "documents": "Leave the documents out, or add a model that reads them to "
    "tasks.{task}.candidates.",
    "schema": "Ask for plain JSON, or add a model that holds to a JSON schema to "
    "tasks.{task}.candidates.",
    "health": "Try again in a few seconds, or add fallbacks of another provider to "
    "tasks.{task}.fallbacks.",
}

_WEIGHTIEST = ("health", "context", "output", "tools", "vision", "documents", "schema")
"""Of several limits that stand in the way, the first of these names the error: what passes by
itself first, then what the caller can most easily change."""


def no_candidate(decision: Decision, catalog: Catalog) -> RequestError:
    """No model of the task can serve the request."""
    task = decision.need.task.name
    looks = decision.looks
    if not looks:
        return RequestError(
            f"Task '{task}' has no candidates.",
            kind=ErrorKind.UNAVAILABLE,
            remedy=f"List models in tasks.{task}.candidates.",
        )
    keyless = [look for look in looks if look.block == "key"]
    blocks = {look.block for look in looks}
    if blocks == {"key"}:
        return RequestError(
            f"No provider of task '{task}' can be called: there is no key for "
            f"{_and(_providers(keyless))}.",
            kind=ErrorKind.UNAVAILABLE,
            remedy=_set_a_key(keyless, catalog),
        )
    block = next((name for name in _WEIGHTIEST if name in blocks), "deprecation")
    shown = "; ".join(f"{look.candidate.id}: {look.why}" for look in looks[:_SHOWN])
    more = f"; and {len(looks) - _SHOWN} more" if len(looks) > _SHOWN else ""
    remedy = _REMEDIES[block].format(task=task)
    if keyless:
        remedy += " " + _set_a_key(keyless, catalog)
    return RequestError(
        f"No model of task '{task}' can serve this request ({shown}{more}).",
        kind=LIMITS[block].kind,
        remedy=remedy,
    )


def not_as_asked(look: Look, catalog: Catalog) -> RequestError:
    """The model that the caller asked for by name cannot serve the request."""
    if look.block == "key":
        remedy = _set_a_key([look], catalog)
    else:
        remedy = "Ask for another model, or send model 'auto' to have one chosen that fits."
    return RequestError(
        f"Model '{look.candidate.id}' cannot serve this request: {look.why}.",
        kind=LIMITS[look.block].kind,
        field="model",
        remedy=remedy,
    )


def _providers(looks: Iterable[Look]) -> list[str]:
    return list(dict.fromkeys(look.candidate.model.provider for look in looks))


def _set_a_key(looks: Iterable[Look], catalog: Catalog) -> str:
    return set_a_key(_providers(looks), catalog)


def set_a_key(providers: Iterable[str], catalog: Catalog) -> str:
    """Which environment variables would help."""
    names: list[str] = []
    for provider in providers:
        spec = catalog.providers.get(provider)
        if spec is not None and spec.key_env:
            names.append(spec.key_env[0])
        else:
            names.append(f"the variable that providers.{provider}.keys names")
    return f"Set {' or '.join(names)} in the gateway's environment."


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
