"""Which rates apply: by the request's own day, by the size of its input, live or in a batch."""

from __future__ import annotations

from hybridllm.catalog.structs import Model, Price, Rates


def price_at(model: Model, day: str) -> Price | None:
    """The price in force on `day` (ISO, UTC): the last whose `since` is not after it. None before
    the first price, and for a model without any."""
    found = None
    for price in model.prices:
        if price.since > day:
            break
        found = price
    return found


def rates_for(price: Price, total_input: int, batch: bool = False) -> Rates:
    """The rates of a request with `total_input` tokens of input of all kinds.

    The last tier whose threshold the input exceeds prices the whole request. With `batch`, the
    rates of the batch API, or the live ones where none are published.
    """
    live, batched = price.rates, price.batch
    for tier in price.tiers:
        if total_input <= tier.above_input_tokens:
            break
        live, batched = tier.rates, tier.batch
    return batched if batch and batched is not None else live
