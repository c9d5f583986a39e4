"""What a request is expected to cost on a model.

Expected cost = this model's estimate of the input tokens, priced by kind (what its prompt cache
holds at the cached rate) and by the price tier that the whole input falls in, plus the usual
output of the task.  No overhead is added for reasoning: what a task's answers usually take, with
reasoning, is learned by task.
"""

from __future__ import annotations

from hybridllm.catalog.structs import Model, Price, Usage
from hybridllm.pricing import cost, price_at, rates_for
from hybridllm.routing.need import Need
from hybridllm.routing.world import World

MEDIA_TOKENS = 1_000
"""What an image or a document is taken to make where nothing but their number is known: between
Google's 258 tokens a tile and the some 1,600 of a large image at Anthropic."""


def input_tokens(model: Model, need: Need) -> int:
    """The input in this model's tokens, estimated from its bytes, rounded up."""
    return (need.text_bytes * model.tokens_per_kbyte + 999) // 1000 + need.media * MEDIA_TOKENS


def output_tokens(model: Model, need: Need, world: World) -> int:
    """What one answer is expected to take: learned of the task, else the task's own figure; never
    more than the caller or the model allows."""
    usual = world.output_tokens.get(need.task.name, need.task.output_tokens)
    wanted = need.max_output_tokens
    if wanted is not None and wanted < usual:
        usual = wanted
    return min(usual, model.max_output_tokens)


def expected_cost(
    model: Model, price: Price, need: Need, world: World, tokens_in: int, tokens_out: int
) -> int:
    """Picodollars."""
    cached = 0
    if world.warm_tokens and model.id == world.warm_model:
        cached = min(world.warm_tokens, tokens_in)
    usage = Usage(
        input_tokens=tokens_in - cached,
        cache_read_tokens=cached,
        output_tokens=tokens_out * need.choices,
    )
    return cost(usage, rates_for(price, tokens_in))


class DayPrices:
    """The prices of one day at a time, kept so that a plan does not look them up again."""

    def __init__(self) -> None:
        self._day = ""
        self._prices: dict[str, Price | None] = {}

    def of(self, model: Model, id: str, day: str) -> Price | None:
        """None: no price is known for that day."""
        if day != self._day:
            self._day, self._prices = day, {}
        try:
            return self._prices[id]
        except KeyError:
            found = self._prices[id] = price_at(model, day)
            return found
