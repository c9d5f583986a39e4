"""The router, asked about a mean call, with every provider callable."""

from __future__ import annotations

from functools import lru_cache

from hybridllm.catalog.structs import Model
from hybridllm.config import Config
from hybridllm.errors import RequestError
from hybridllm.routing import Need, Router, World

USUAL_TOKENS_PER_KBYTE = 250
"""Of a model that the catalogue does not know: four bytes a token, as of English text."""


class Routed:
    """The router's own decision. An export counts tokens as today's model makes them, the router
    counts a request's bytes and estimates each model's tokens from them: so tokens are turned back
    into bytes by today's model, and the decision is the one that the gateway would take."""

    def __init__(self, config: Config, day: str) -> None:
        self._config = config
        self._router = Router(config)
        self._everyone = frozenset(model.provider for model in config.catalog.models.values())
        self._day = day
        self.choices = lru_cache(maxsize=4096)(self._choices)

    def _choices(
        self, task: str, model: Model | None, input_tokens: int, output_tokens: int
    ) -> tuple[Model, ...]:
        """The model that such a call goes to, then the next cheapest that qualify. Empty where the
        router refuses it. `model` is the one that counted the tokens."""
        need = Need(
            task=self._config.tasks[task],
            text_bytes=input_tokens * 1000 // tokens_per_kbyte(model),
            max_output_tokens=output_tokens,
        )
        world = World(providers=self._everyone, day=self._day, output_tokens={task: output_tokens})
        try:
            plan = self._router.explain(need, world)
        except RequestError:
            return ()
        kept = [verdict for verdict in plan.verdicts if verdict.kept]
        kept.sort(key=lambda verdict: 1 << 80 if verdict.expected is None else verdict.expected)
        ids = [plan.chain[0].id, *(verdict.model for verdict in kept)]
        return tuple(self._config.catalog.models[id] for id in dict.fromkeys(ids))


def tokens_per_kbyte(model: Model | None) -> int:
    """How many tokens 1,000 bytes of English text make, by the catalogue."""
    return USUAL_TOKENS_PER_KBYTE if model is None else model.tokens_per_kbyte
