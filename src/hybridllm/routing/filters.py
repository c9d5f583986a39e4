"""The limits: each one small function that says in words why a candidate breaks it, or nothing.

Limits are of two kinds. A model that breaks a *hard* one cannot serve the request. A *soft* one
(health, latency) it breaks for the moment; the router says when that is overlooked.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from hybridllm.errors import ErrorKind
from hybridllm.routing.candidates import Look
from hybridllm.routing.need import Need
from hybridllm.routing.world import World

Check = Callable[[Look, Need, World], str]


class Limit(Struct, frozen=True):
    """`kind` is the error of a request that no candidate can serve because of this limit."""

    name: str
    kind: ErrorKind
    check: Check


def _key(look: Look, need: Need, world: World) -> str:
    provider = look.candidate.model.provider
    return "" if provider in world.providers else f"no key for provider '{provider}'"


def _deprecation(look: Look, need: Need, world: World) -> str:
    gone = look.candidate.model.deprecated_on
    return f"withdrawn by its provider on {gone}" if gone and gone <= world.day else ""


def _context(look: Look, need: Need, world: World) -> str:
    window = look.candidate.model.context_window
    # A model's own output limit is judged apart, so that each limit gives its own reason.
    wanted = need.max_output_tokens if need.max_output_tokens is not None else look.output_tokens
    if look.input_tokens + wanted <= window:
        return ""
    return (
        f"about {look.input_tokens:,} input and {wanted:,} output tokens exceed its context "
        f"window of {window:,}"
    )


def _output(look: Look, need: Need, world: World) -> str:
    wanted, limit = need.max_output_tokens, look.candidate.model.max_output_tokens
    if wanted is None or wanted <= limit:
        return ""
    return f"{wanted:,} output tokens wanted, its limit is {limit:,}"


def _tools(look: Look, need: Need, world: World) -> str:
    return "cannot call tools" if need.tools and not look.candidate.model.tools else ""


def _vision(look: Look, need: Need, world: World) -> str:
    if need.media <= need.documents or look.candidate.model.vision:
        return ""
    return "cannot read images"


def _documents(look: Look, need: Need, world: World) -> str:
    if not need.documents or look.candidate.model.documents:
        return ""
    return "cannot read documents"


def _schema(look: Look, need: Need, world: World) -> str:
    if not need.json_schema or look.candidate.model.json_schema:
        return ""
    return "cannot hold to a JSON schema"


def _health(look: Look, need: Need, world: World) -> str:
    return "resting after failures" if look.candidate.id in world.down else ""


def _latency(look: Look, need: Need, world: World) -> str:
    most = need.task.max_latency_ms
    usual = world.latency_ms.get(look.candidate.id)
    if most is None or usual is None or usual <= most:
        return ""
    return f"usually takes {usual:,} ms, the task bears {most:,}"


HARD = (
    Limit("key", ErrorKind.UNAVAILABLE, _key),
    Limit("deprecation", ErrorKind.UNAVAILABLE, _deprecation),
    Limit("context", ErrorKind.CONTEXT_EXCEEDED, _context),
    Limit("output", ErrorKind.UNSUPPORTED, _output),
    Limit("tools", ErrorKind.UNSUPPORTED, _tools),
    Limit("vision", ErrorKind.UNSUPPORTED, _vision),
    Limit("documents", ErrorKind.UNSUPPORTED, _documents),
    Limit("schema", ErrorKind.UNSUPPORTED, _schema),
)
HEALTH = Limit("health", ErrorKind.UNAVAILABLE, _health)
LATENCY = Limit("latency", ErrorKind.UNAVAILABLE, _latency)

LIMITS = {limit.name: limit for limit in (*HARD, HEALTH, LATENCY)}


Checks = tuple[tuple[str, Check], ...]
"""Names of limits with their checks, in the order in which they are judged."""

HARD_CHECKS: Checks = tuple((limit.name, limit.check) for limit in HARD)

STATIC_CHECKS: Checks = tuple(
    (name, check) for name, check in HARD_CHECKS if name not in ("context", "output")
)
"""Those that look at no figure of the request, only at what kind of request it is."""

ALL_CHECKS: Checks = tuple((limit.name, limit.check) for limit in LIMITS.values())
