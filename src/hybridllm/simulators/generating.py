"""What becomes of a request at a provider, however it came: its checks, the answer, the bill. Live
calls and the requests of batches are answered here alike."""

from __future__ import annotations

from msgspec import Struct

from hybridllm.simulators.answering import answer
from hybridllm.simulators.ask import Answer, Ask, Billed
from hybridllm.simulators.counting import encoding_for
from hybridllm.simulators.directives import BadDirective, Directive, read_directive
from hybridllm.simulators.provider import Generation, Incoming, Provider
from hybridllm.simulators.world import World


class Reading(Struct, frozen=True):
    """A request that is in order, and the tokens of its input."""

    ask: Ask
    tokens: int
    encoding: str


class Made(Struct, frozen=True):
    """The answers to a request, and what is billed for them."""

    directive: Directive
    answers: list[Answer]
    billed: Billed


def read(provider: Provider, world: World, endpoint: Generation, incoming: Incoming) -> Reading:
    """Check a request as the provider does. Raises Refused."""
    return measure(provider, world, endpoint, endpoint.read(incoming))


def measure(provider: Provider, world: World, endpoint: Generation, ask: Ask) -> Reading:
    """Count the input, and hold it against the model's limits. Raises Refused."""
    encoding = encoding_for(ask.model)
    tokens = tokens_of(world, ask)
    if (refused := endpoint.too_long(ask, tokens)) is not None:
        raise refused
    provider.check_context(ask, tokens)
    return Reading(ask, tokens, encoding)


def tokens_of(world: World, ask: Ask) -> int:
    """Of the whole input."""
    count, encoding = world.counter.count, encoding_for(ask.model)
    return sum(
        count(segment.text, encoding) if segment.tokens is None else segment.tokens
        for segment in ask.prompt
    )


def make(provider: Provider, world: World, reading: Reading, key: str) -> Made:
    """Have the model answer. Raises Refused where a filter stops the prompt."""
    ask = reading.ask
    try:
        directive = read_directive(ask.last_user)
    except BadDirective as e:
        raise provider.bad_request(str(e)) from None
    if directive.blocked and (blocked := provider.blocked()) is not None:
        raise blocked
    answers = [
        answer(ask, directive, world.profile, world.counter, choice)
        for choice in range(ask.choices)
    ]
    billed = _bill(provider, world, reading, f"{key} {ask.model} ")
    billed.output_tokens = sum(one.output_tokens for one in answers)
    billed.reasoning_tokens = sum(one.reasoning_tokens for one in answers)
    return Made(directive, answers, billed)


def _bill(provider: Provider, world: World, reading: Reading, scope: str) -> Billed:
    ask, tokens, encoding = reading.ask, reading.tokens, reading.encoding
    cache, now = world.caches[provider.name], world.now()
    minimum = ask.spec.min_cache_tokens
    if ask.kept:
        return Billed(input_tokens=tokens - ask.kept, cache_read_tokens=ask.kept)
    if provider.explicit_cache:
        if not any(segment.mark for segment in ask.prompt):
            return Billed(input_tokens=tokens)
        return cache.explicit(scope, ask.prompt, minimum, world.counter, encoding, now)
    if not world.profile.caching:
        return Billed(input_tokens=tokens)
    return cache.implicit(scope, ask.prompt, tokens, minimum, encoding, now)
