"""The router, asked about a mean call in tokens, with every provider callable."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from hybridllm.catalog.structs import Model
from hybridllm.config import Config
from hybridllm.errors import RequestError
from hybridllm.routing import Need, Router, World

_BYTES_PER_KBYTE = 1000


class Routed:
    """The router's own decision. It counts a request's tokens from its bytes, by each model's
    tokenizer; an export counts tokens already, so its models are told to make one token of each
    byte: limits, tiers and costs are then those of the export's tokens."""

    def __init__(self, config: Config, day: str) -> None:
        models = {
            id: msgspec.structs.replace(model, tokens_per_kbyte=_BYTES_PER_KBYTE)
            for id, model in config.catalog.models.items()
        }
        catalog = msgspec.structs.replace(config.catalog, models=models)
        self._config = config
        self._router = Router(msgspec.structs.replace(config, catalog=catalog))
        self._everyone = frozenset(model.provider for model in models.values())
        self._day = day
        self.choices = lru_cache(maxsize=4096)(self._choices)

    def _choices(self, task: str, input_tokens: int, output_tokens: int) -> tuple[Model, ...]:
        """The model that such a call goes to, then the next cheapest that qualify. Empty where the
        router refuses it."""
        need = Need(
            task=self._config.tasks[task],
            text_bytes=input_tokens,
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
