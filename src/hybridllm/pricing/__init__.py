"""Floor 1: usage and a dated price in, picodollars out. Pure, and in integers throughout."""

from hybridllm.pricing.bill import cost, cost_of, plain_cost, upper_bound
from hybridllm.pricing.levers import NO_LEVERS, Levers, levers
from hybridllm.pricing.rates import price_at, rates_for

__all__ = [
    "NO_LEVERS",
    "Levers",
    "cost",
    "cost_of",
    "levers",
    "plain_cost",
    "price_at",
    "rates_for",
    "upper_bound",
]
