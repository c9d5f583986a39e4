"""One plan's look at candidates: estimates, limits and expected cost of a request on each.

What is the same for all candidates of a plan is worked out once, when the Looker is made, since the
rest is done for every candidate of every request.
"""

from __future__ import annotations

from hybridllm.catalog.structs import Model
from hybridllm.pricing import plain_cost, rates_for
from hybridllm.routing.caching import Mark, input_cost, marks_for
from hybridllm.routing.candidates import UNPRICED, Candidate, Look
from hybridllm.routing.cost import DayPrices, cached_tokens, media_tokens, usual_output
from hybridllm.routing.filters import Checks
from hybridllm.routing.need import Need
from hybridllm.routing.sheets import Sheet
from hybridllm.routing.world import World
from hybridllm.tokens.kinds import percent_of_prose

_NOTHING: dict[str, int] = {}


class Looker:
    """Looks at candidates for `need` in `world`, judging by `checks`."""

    __slots__ = (
        "_checks",
        "_cold",
        "_learned",
        "_media",
        "_need",
        "_offers",
        "_percent",
        "_usual",
        "_world",
    )

    def __init__(self, checks: Checks, need: Need, world: World, prices: DayPrices) -> None:
        self._checks = checks
        self._need = need
        self._world = world
        self._offers = prices.on(world.day)
        self._learned = world.tokens_per_kbyte.get(need.kind, _NOTHING)
        self._percent = percent_of_prose(need.kind)
        self._media = media_tokens(need)
        self._usual = usual_output(need, world)
        self._cold = not (world.warm_tokens or world.shared_tokens)

    def over(self, sheet: Sheet) -> list[Look]:
        """A look at each row, as `look` gives it: by figures alone where the request is far from
        every limit of the model, by `look` itself where it may be at one."""
        need, world = self._need, self._world
        size, media, usual, choices = need.text_bytes, self._media, self._usual, need.choices
        learned, wanted = self._learned, need.max_output_tokens
        least, room = (0, usual) if wanted is None else (wanted, wanted)
        warm = world.warm_model if world.warm_tokens else None
        plain = world.prospect is None and not world.shared_tokens and not need.batch
        resting = bool(world.down) or need.task.max_latency_ms is not None
        looks: list[Look] = []
        for row in sheet:
            candidate, id, block, why, ratio, window, limit, first_tier, fresh, rate, extra = row
            if learned:
                ratio = learned.get(id) or ratio
            tokens_in = ((size + extra) * ratio + 999) // 1000 + media
            if tokens_in + room > window or least > limit or (resting and self._rests(id)):
                looks.append(self.look(candidate))
                continue
            output = usual if usual <= limit else limit
            if block:
                look = Look(candidate, tokens_in, output, None, UNPRICED, 0, 0, block, why)
            elif plain and tokens_in <= first_tier and id != warm:
                cost = tokens_in * fresh + output * choices * rate
                look = Look(candidate, tokens_in, output, cost, cost, 0, cost)
            else:
                look = Look(candidate, tokens_in, output)
                self.price(look)
            looks.append(look)
        return looks

    def _rests(self, id: str) -> bool:
        """Whether the model is down, or usually slower than the task bears."""
        most = self._need.task.max_latency_ms
        slow = most is not None and self._world.latency_ms.get(id, 0) > most
        return slow or id in self._world.down

    def look(self, candidate: Candidate) -> Look:
        """The first limit that the candidate breaks, or its expected cost."""
        tokens_in = self._tokens_in(candidate.model, candidate.id, candidate.extra)
        limit = candidate.model.max_output_tokens
        look = Look(candidate, tokens_in, self._usual if self._usual <= limit else limit)
        for name, check in self._checks:
            if why := check(look, self._need, self._world):
                look.block, look.why = name, why
                if name != "latency":
                    return look
        self.price(look)
        return look

    def _tokens_in(self, model: Model, id: str, extra: int = 0) -> int:
        """The input in this model's tokens, rounded up: at the ratio that was learned of the model
        for this kind of text, else at the catalogue's."""
        ratio = self._learned.get(id) or model.tokens_per_kbyte * self._percent // 100
        return ((self._need.text_bytes + extra) * ratio + 999) // 1000 + self._media

    def marks(self, model: Model) -> tuple[Mark, ...]:
        """The cache breakpoints that pay on this model."""
        offer, prospect = self._offers.of(model, model.id), self._world.prospect
        if offer is None or prospect is None or not offer.marks:
            return ()
        tokens = self._tokens_in(model, model.id)
        rates = rates_for(offer.price, tokens)
        return marks_for(prospect, model.id, rates, tokens, model.min_cache_tokens)

    def price(self, look: Look) -> None:
        """Fill in the expected cost, where a price is known."""
        candidate, need, tokens_in = look.candidate, self._need, look.input_tokens
        offer = self._offers.of(candidate.model, candidate.id)
        if offer is None:
            return
        prospect = self._world.prospect
        if prospect is not None and not need.batch:
            rates, model = rates_for(offer.price, tokens_in), candidate.model
            least, marks = model.min_cache_tokens, offer.marks
            of = input_cost(prospect, candidate.id, rates, tokens_in, least, marks=marks)
            output = look.output_tokens * need.choices * rates.output
            look.expected, look.lasting, look.cached = of.now + output, of.mean + output, of.cached
            look.nominal = tokens_in * rates.input + output
            return
        cached = 0
        if not self._cold:
            cached = cached_tokens(candidate.model, candidate.id, self._world, tokens_in)
            look.cached = cached
        fresh, output = tokens_in - cached, look.output_tokens * need.choices
        if offer.plain and not need.batch:
            cost = fresh * offer.fresh + cached * offer.cached + output * offer.output
            look.expected = look.lasting = cost
            look.nominal = cost + cached * (offer.fresh - offer.cached)
        else:
            rates = rates_for(offer.price, tokens_in, need.batch)
            look.expected = look.lasting = plain_cost(rates, fresh, cached, output)
            look.nominal = plain_cost(rates, tokens_in, 0, output)
