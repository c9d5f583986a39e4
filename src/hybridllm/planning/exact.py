"""The provider's own count of a material: Anthropic's count_tokens, Google's countTokens."""

from __future__ import annotations

import time

from hybridllm.catalog.structs import Model
from hybridllm.config import Config
from hybridllm.config_file import resolve_providers
from hybridllm.engine.runtime import target_of
from hybridllm.errors import ErrorKind, HybridError, ProviderError
from hybridllm.planning.material import Material
from hybridllm.providers.upstream import Upstream, close_upstreams, open_upstreams
from hybridllm.wire.capabilities import counting_of
from hybridllm.wire.dialect import DropPolicy, RequestShape
from hybridllm.wire.registry import get_dialect

_MOST_BYTES = 1_048_576


async def ask(
    material: Material, models: list[Model], config: Config
) -> dict[str, int | HybridError]:
    """By model id, the count of each model whose provider counts and has a key, or why there is
    none. Models whose providers do not count are left out. Counting is free of charge."""
    resolved = resolve_providers(config)
    counting = {name: p for name, p in resolved.items() if counting_of(p.dialect) is not None}
    upstreams = open_upstreams({name: p for name, p in counting.items() if p.usable})
    found: dict[str, int | HybridError] = {}
    try:
        for model in models:
            if model.provider not in counting:
                continue
            upstream = upstreams.get(model.provider)
            try:
                found[model.id] = await _asked(material, model, upstream)
            except HybridError as e:
                found[model.id] = e
    finally:
        await close_upstreams(upstreams)
    return found


async def _asked(material: Material, model: Model, upstream: Upstream | None) -> int:
    if upstream is None:
        raise HybridError(
            f"There is no key for provider '{model.provider}'.",
            kind=ErrorKind.UNAVAILABLE,
            remedy="Set its key in the environment, or leave --exact out.",
        )
    dialect = get_dialect(upstream.dialect)
    codec = counting_of(upstream.dialect)
    if codec is None:
        raise HybridError("This provider does not count.", kind=ErrorKind.UNSUPPORTED)
    chat = dialect.encode_request(material.conversation, target_of(model), DropPolicy())
    response = await upstream.send(
        key=upstream.keys.pick(time.monotonic()),
        model=model.name,
        shape=RequestShape(),
        body=codec.encode_request(chat, model.name),
        headers=[],
        attempt_id="tokens",
        endpoint="count_tokens",
    )
    try:
        if response.status >= 300:
            raw = await response.read(_MOST_BYTES)
            raise dialect.decode_error(response.status, response.headers, raw)
        return codec.decode_reply(await response.read())
    except ProviderError as e:
        e.provider = e.provider or model.provider
        raise
    finally:
        response.close()
