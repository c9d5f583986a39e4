"""The limits: each one small function that says in words why a candidate breaks it, or nothing.

Limits are of two kinds. A model that breaks a *hard* one cannot serve the request. A *soft* one
(health, latency) it breaks for the moment; the router says when that is overlooked.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from msgspec import Struct

from hybridllm.errors import ErrorKind
from hybridllm.routing.candidates import Candidate, Look, TaskTable
from hybridllm.routing.cost import media_tokens
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


ALL_CHECKS: Checks = tuple((limit.name, limit.check) for limit in LIMITS.values())


def checks_for(need: Need, world: World, table: TaskTable, usual: int, *, stand: bool) -> Checks:
    """The checks of the limits that this request can break at all on a model of `table`. `usual`
    is the output that it is expected to take; `stand` says that all of the models do (`stands`)."""
    wanted = need.max_output_tokens
    lacking = table.lacking
    # No tokenizer makes more tokens of a text than it has bytes.
    most = need.text_bytes + media_tokens(need) + (usual if wanted is None else wanted)
    return _checks(
        not stand,
        most > table.least_context,
        wanted is not None and wanted > table.least_output,
        need.tools and "tools" in lacking,
        need.media > need.documents and "vision" in lacking,
        need.documents > 0 and "documents" in lacking,
        need.json_schema and "schema" in lacking,
        bool(world.down),
        need.task.max_latency_ms is not None,
    )


def stands(candidate: Candidate, world: World) -> bool:
    """Whether there is a key for the model, and its provider still offers it."""
    model = candidate.model
    withdrawn = model.deprecated_on is not None and model.deprecated_on <= world.day
    return model.provider in world.providers and not withdrawn


@cache
def _checks(
    standing: bool,
    context: bool,
    output: bool,
    tools: bool,
    vision: bool,
    documents: bool,
    schema: bool,
    down: bool,
    latency: bool,
) -> Checks:
    judged = {
        "key": standing,
        "deprecation": standing,
        "context": context,
        "output": output,
        "tools": tools,
        "vision": vision,
        "documents": documents,
        "schema": schema,
        "health": down,
        "latency": latency,
    }
    return tuple((name, check) for name, check in ALL_CHECKS if judged[name])
