"""One plan's look at candidates: estimates, limits and expected cost of a request on each.

What is the same for all candidates of a plan is worked out once, when the Looker is made, since the
rest is done for every candidate of every request.
"""

from __future__ import annotations

from hybridllm.catalog.structs import Model
from hybridllm.pricing import plain_cost, rates_for
from hybridllm.routing.candidates import Candidate, Look
from hybridllm.routing.cost import DayPrices, cached_tokens, media_tokens, usual_output
from hybridllm.routing.filters import Checks
from hybridllm.routing.need import Need
from hybridllm.routing.world import World
from hybridllm.tokens.kinds import percent_of_prose

_NOTHING: dict[str, int] = {}


class Looker:
    """Looks at candidates for `need` in `world`, judging by `checks`."""

    __slots__ = (
        "_checks",
        "_learned",
        "_media",
        "_need",
        "_percent",
        "_prices",
        "_usual",
        "_world",
    )

    def __init__(self, checks: Checks, need: Need, world: World, prices: DayPrices) -> None:
        self._checks = checks
        self._need = need
        self._world = world
        self._prices = prices.on(world.day)
        self._learned = world.tokens_per_kbyte.get(need.kind, _NOTHING)
        self._percent = percent_of_prose(need.kind)
        self._media = media_tokens(need)
        self._usual = usual_output(need, world)

    def look(self, candidate: Candidate) -> Look:
        """The first limit that the candidate breaks, or its expected cost."""
        model = candidate.model
        limit = model.max_output_tokens
        tokens_out = self._usual if self._usual <= limit else limit
        look = Look(candidate, self._input_tokens(model, candidate.id), tokens_out)
        for name, check in self._checks:
            if why := check(look, self._need, self._world):
                look.block, look.why = name, why
                break
        if not look.block or look.block == "latency":
            self.price(look)
        return look

    def price(self, look: Look) -> None:
        """Fill in the expected cost, where a price is known."""
        candidate, need = look.candidate, self._need
        price = self._prices.of(candidate.model, candidate.id)
        if price is None:
            return
        tokens_in = look.input_tokens
        cached = cached_tokens(candidate.model, candidate.id, self._world, tokens_in)
        rates = (
            rates_for(price, tokens_in, need.batch) if price.tiers or need.batch else price.rates
        )
        output = look.output_tokens * need.choices
        look.expected = plain_cost(rates, tokens_in - cached, cached, output)

    def _input_tokens(self, model: Model, id: str) -> int:
        """The input in this model's tokens, rounded up: at the ratio that was learned of the model
        for this kind of text, else at the catalogue's."""
        ratio = self._learned.get(id) or model.tokens_per_kbyte * self._percent // 100
        return (self._need.text_bytes * ratio + 999) // 1000 + self._media
