"""What a request is expected to cost on a model.

Expected cost = this model's estimate of the input tokens, priced by kind (what its prompt cache
holds at the cached rate, what is written to it at the writing rate) and by the price tier that the
whole input falls in, plus the usual output of the task.  No overhead is added for reasoning: what a
task's answers usually take, with reasoning, is learned by task.
"""

from __future__ import annotations

from msgspec import Struct

from hybridllm.catalog.structs import Model, Price
from hybridllm.pricing import price_at
from hybridllm.routing.need import Need
from hybridllm.routing.world import World

MEDIA_TOKENS = 1_000
"""What an image or a document is taken to make where nothing but their number is known: between
Google's 258 tokens a tile and the some 1,600 of a large image at Anthropic."""


def media_tokens(need: Need) -> int:
    """What images, documents and recordings are taken to make."""
    return need.media * MEDIA_TOKENS


def usual_output(need: Need, world: World) -> int:
    """What one answer is expected to take: learned of the task, else the task's own figure; never
    more than the caller allows."""
    usual = world.output_tokens.get(need.task.name, need.task.output_tokens)
    wanted = need.max_output_tokens
    return usual if wanted is None or usual <= wanted else wanted


def cached_tokens(model: Model, id: str, world: World, tokens_in: int) -> int:
    """How many of the input tokens the model's prompt cache is expected to hold."""
    held = 0
    if world.warm_tokens and id == world.warm_model:
        held = world.warm_tokens
    elif world.shared_tokens and world.shared_tokens >= model.min_cache_tokens:
        held = world.shared_tokens
    return held if held <= tokens_in else tokens_in


class Offer(Struct, frozen=True):
    """A model's price on a day as the router reads it: picodollars per token of fresh and of cached
    input and of output, of the `price` that says more (tiers, batches) where `plain` is false.
    `marks`: the provider caches only what a request marks."""

    fresh: int
    cached: int
    output: int
    price: Price
    plain: bool
    marks: bool


class Offers:
    """One day's offers, kept so that a plan does not look them up again."""

    __slots__ = ("_day", "_marked", "_offers")

    def __init__(self, day: str, marked: frozenset[str]) -> None:
        self._day = day
        self._marked = marked
        self._offers: dict[str, Offer | None] = {}

    def of(self, model: Model, id: str) -> Offer | None:
        """None: no price is known for that day."""
        try:
            return self._offers[id]
        except KeyError:
            price = price_at(model, self._day)
            found = None if price is None else _offer(price, model.provider in self._marked)
            self._offers[id] = found
            return found


def _offer(price: Price, marks: bool) -> Offer:
    rates = price.rates
    cached = rates.input if rates.cache_read is None else rates.cache_read
    return Offer(rates.input, cached, rates.output, price, not price.tiers, marks)


class DayPrices:
    """The offers of one day at a time. `marked` are the providers that cache what is marked."""

    def __init__(self, marked: frozenset[str]) -> None:
        self._marked = marked
        self._day = ""
        self._offers = Offers("", marked)

    def on(self, day: str) -> Offers:
        """The offers of `day`."""
        if day != self._day:
            self._day, self._offers = day, Offers(day, self._marked)
        return self._offers
