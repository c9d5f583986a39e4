"""Requests that continue a reply which its provider keeps (the Responses API's
`previous_response_id`): the earlier turns are there, so only that provider can go on.
"""

from __future__ import annotations

from typing import NoReturn

from msgspec.structs import replace

from hybridllm.catalog.structs import Model
from hybridllm.engine.runtime import Runtime
from hybridllm.errors import ErrorKind, RequestError
from hybridllm.routing import Plan
from hybridllm.wire.dialect import Dialect


def continued(
    runtime: Runtime, plan: Plan, dialect: Dialect, previous: str, *, named: bool
) -> Plan:
    """The plan without the models that do not have the reply `previous`; `named` says that the
    caller asked for a model by name. A reply that is not known here may have been given by another
    process, or before a restart: any provider that speaks the caller's dialect may have it. Raises
    RequestError where none can."""
    keeper = runtime.models.get(runtime.sessions.keeper(previous) or "")
    if keeper is None:
        chain = [model for model in plan.chain if _keeps(runtime, model, dialect)]
        return _narrowed(plan, chain, previous)
    if not _keeps(runtime, keeper, dialect):
        _not_found(previous, f" {keeper.id} answered it, and its provider keeps no replies.")
    chain = [model for model in plan.chain if model.provider == keeper.provider]
    if not (named and chain):
        chain = [keeper, *(model for model in chain if model.id != keeper.id)]
    return _narrowed(plan, chain, previous)


def _keeps(runtime: Runtime, model: Model, dialect: Dialect) -> bool:
    upstream = runtime.upstreams.get(model.provider)
    return upstream is not None and dialect.name in upstream.speaks


def _narrowed(plan: Plan, chain: list[Model], previous: str) -> Plan:
    if not chain:
        _not_found(previous)
    reason = f"{plan.reason} It continues a reply that {chain[0].provider} keeps."
    return replace(plan, chain=chain, reason=reason)


def _not_found(previous: str, why: str = "") -> NoReturn:
    raise RequestError(
        f"Previous response with id '{previous[:100]}' not found.{why}",
        kind=ErrorKind.NOT_FOUND,
        status=400,
        field="previous_response_id",
        remedy="Send the whole input, or name an OpenAI model from the first turn on.",
    )
