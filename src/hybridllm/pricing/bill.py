"""What an attempt cost, and what it can cost at most."""

from __future__ import annotations

from hybridllm.catalog.structs import Model, Price, Rates, Usage
from hybridllm.pricing.rates import price_at, rates_for


def cost(usage: Usage, rates: Rates) -> int:
    """Picodollars for `usage`: each kind of token at its own rate. `Rates` says which rate a kind
    that is not billed apart falls back on."""
    write = rates.input if rates.cache_write is None else rates.cache_write
    read = rates.input if rates.cache_read is None else rates.cache_read
    long_write = write if rates.cache_write_long is None else rates.cache_write_long
    reasoning = rates.output if rates.reasoning is None else rates.reasoning
    return (
        usage.input_tokens * rates.input
        + usage.cache_read_tokens * read
        + usage.cache_write_tokens * write
        + usage.cache_write_long_tokens * long_write
        + (usage.output_tokens - usage.reasoning_tokens) * rates.output
        + usage.reasoning_tokens * reasoning
    )


def plain_cost(rates: Rates, fresh: int, cached: int, output: int) -> int:
    """`cost` of a Usage of fresh and cached input and of output alone, without making one: the
    router asks it of every candidate of every request."""
    read = rates.input if rates.cache_read is None else rates.cache_read
    return fresh * rates.input + cached * read + output * rates.output


def cost_of(model: Model, usage: Usage, day: str, batch: bool = False) -> int | None:
    """Picodollars for `usage` on `model` on `day`; None when the model has no price then."""
    price = price_at(model, day)
    return None if price is None else cost(usage, rates_for(price, usage.total_input, batch))


def upper_bound(model: Model, day: str, max_input_tokens: int, max_output_tokens: int) -> int:
    """The most picodollars that a live request of this size can cost on `day`: every input token
    at the dearest input rate of any tier (a cache write can be dearer than input), every output
    token at the dearest output rate. Zero when the model has no price then."""
    price = price_at(model, day)
    if price is None:
        return 0
    dearest = _dearest.get(id(price))
    if dearest is None or dearest[0] is not price:
        dearest = _dearest[id(price)] = (price, *_dearest_rates(price))
        if len(_dearest) > _MOST_KEPT:
            _dearest.clear()
    return max_input_tokens * dearest[1] + max_output_tokens * dearest[2]


_MOST_KEPT = 4_096
_dearest: dict[int, tuple[Price, int, int]] = {}
"""By the identity of a price that is kept here and so stays that very one: prices are deep structs
whose hash takes longer than what it would save."""


def _dearest_rates(price: Price) -> tuple[int, int]:
    """Of input of any kind, and of output."""
    tables = [price.rates, *(tier.rates for tier in price.tiers)]
    inputs = [
        rate
        for rates in tables
        for rate in (rates.input, rates.cache_read, rates.cache_write, rates.cache_write_long)
        if rate is not None
    ]
    outputs = [
        rate for rates in tables for rate in (rates.output, rates.reasoning) if rate is not None
    ]
    return max(inputs), max(outputs)
