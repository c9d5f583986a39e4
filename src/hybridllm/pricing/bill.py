"""What an attempt cost, and what it can cost at most."""

from __future__ import annotations

from hybridllm.catalog.structs import Model, Rates, Usage
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
    tables = [price.rates, *(tier.rates for tier in price.tiers)]
    dearest_input = max(
        rate
        for rates in tables
        for rate in (rates.input, rates.cache_read, rates.cache_write, rates.cache_write_long)
        if rate is not None
    )
    dearest_output = max(
        rate for rates in tables for rate in (rates.output, rates.reasoning) if rate is not None
    )
    return max_input_tokens * dearest_input + max_output_tokens * dearest_output
