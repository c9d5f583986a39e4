"""What batches and caches did to a bill, and could have done: each against the same usage."""

from __future__ import annotations

from typing import NamedTuple

from hybridllm.catalog.structs import Model, Usage
from hybridllm.pricing.bill import cost
from hybridllm.pricing.rates import price_at, rates_for


class Levers(NamedTuple):
    """Picodollars, none below zero. `batch_gap`: this usage live less the same in a batch, be it
    billed as the one or the other. At the rates at which it was billed: `read_saved` is what was
    read from a cache, at full price less at the price of reads; `write_extra` what was written to
    one, at the price of writes less at full price; `prefix_left` the repeated input that was not
    read from a cache, at full price less at the price of reads."""

    batch_gap: int = 0
    read_saved: int = 0
    write_extra: int = 0
    prefix_left: int = 0


NO_LEVERS = Levers()


def levers(
    model: Model, usage: Usage, day: str, *, batch: bool = False, repeated: int = 0
) -> Levers:
    """The levers of an attempt with `usage` on `day`, of whose input `repeated` tokens were sent
    before so lately that a cache could have held them. All zero where there is no price."""
    price = price_at(model, day)
    if price is None:
        return NO_LEVERS
    size = usage.total_input
    live, batched = rates_for(price, size), rates_for(price, size, batch=True)
    gap = 0 if batched is live else cost(usage, live) - cost(usage, batched)
    rates = batched if batch else live
    read = rates.input if rates.cache_read is None else rates.cache_read
    write = rates.input if rates.cache_write is None else rates.cache_write
    long_write = write if rates.cache_write_long is None else rates.cache_write_long
    saved = rates.input - read
    written = usage.cache_write_tokens * (write - rates.input)
    written += usage.cache_write_long_tokens * (long_write - rates.input)
    unread = max(0, min(repeated - usage.cache_read_tokens, usage.input_tokens))
    return Levers(
        max(0, gap),
        max(0, usage.cache_read_tokens * saved),
        max(0, written),
        max(0, unread * saved),
    )
