"""The variant of the prompt that a request gets on its way to a model.

A model that the caller named gets the prompt as it stands; every other one what the configuration
says for it, a fallback its own. A request without a variant costs a look into a dict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridllm.catalog.prompts import Variant, variant_for
from hybridllm.catalog.structs import Model
from hybridllm.wire.dialect import Dialect, DropPolicy
from hybridllm.wire.variants import applies, spliced, vary

if TYPE_CHECKING:
    from hybridllm.engine.runtime import Runtime
    from hybridllm.engine.trip import Trip


def variant_of(runtime: Runtime, trip: Trip, model: Model) -> Variant | None:
    """The variant for `model`: that of the call, if it brings one, else the configuration's."""
    variant = trip.call.variant
    if variant is None:
        variants = runtime.config.variants
        if trip.task.name not in variants or model.id == trip.requested:
            return None
        variant = variant_for(variants, trip.task.name, model.id)
    return variant if variant is not None and applies(trip.facts) else None


def varied_body(
    runtime: Runtime, trip: Trip, model: Model, variant: Variant, dialect: Dialect, *, plain: bool
) -> tuple[bytes, bool]:
    """The body to send with the variant in it, and whether it is still the caller's own but for its
    system prompt. `plain`: without the variant it would be. Notes in `trip` what came in. Raises
    Inexpressible."""
    facts, call = trip.facts, trip.call
    trip.variant = variant.label
    if plain:
        done = spliced(call.body, dialect.name, variant, facts)
        if done is not None:
            body, trip.added = done
            trip.dropped = []
            return dialect.passthrough(body, facts, model.name), True
    target = runtime.targets[model.id]
    conversation, trip.added = vary(trip.conversation, variant, facts, schema=target.json_schema)
    if facts.previous is None:
        trip.turns_before = variant.turns
    policy = DropPolicy(runtime.drop, runtime.refuse)
    body = dialect.encode_request(conversation, target, policy)
    trip.dropped = policy.dropped
    return body, False
