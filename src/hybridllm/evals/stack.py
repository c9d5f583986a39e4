"""The engine as a run of evaluations uses it: production's own, with a till before its ledger, and
never another model than the one that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import msgspec

from hybridllm.batching.lane import Lane
from hybridllm.batching.stack import Stack
from hybridllm.config import Config
from hybridllm.engine.entry import Journal
from hybridllm.engine.runtime import open_runtime
from hybridllm.engine.way import Engine
from hybridllm.evals.till import Till
from hybridllm.ledger import Ledger


class EvalStack(Stack):
    """`till` makes the till of the ledger that it is given. No fallbacks, no answers given again,
    no memory of conversations. In the ledger its calls have a key of their own,
    so that reports tell them from production's."""

    key = "eval"

    def __init__(self, config: Config, till: Callable[[Journal], Till]) -> None:
        super().__init__()
        routing = msgspec.structs.replace(config.routing, concrete_fallbacks=False)
        self.config = msgspec.structs.replace(config, routing=routing)
        self._make_till = till

    async def open(self) -> Self:
        """Open the ledger. Raises ConfigError where no provider can be called."""
        runtime = open_runtime(self.config)
        ledger = Ledger(self.config.ledger)
        ledger.on_learned = runtime.learned.calibrate
        ledger.open()
        self.till = self._make_till(ledger)
        self._ledger = ledger
        self._engine = Engine(runtime, self.till)
        return self

    def give_back(self, model: str) -> None:
        """A call of `model` was not made, after its breaker had let it through."""
        if self._engine is not None:
            self._engine.runtime.breakers.release(model)

    async def lane(self) -> Lane:
        """The lane, whose live calls go by the till too. Raises HybridError where it is off."""
        if self._lane is None and self._engine is not None and self._ledger is not None:
            if not self.config.batch.enabled:
                return await self._opened()  # which says so
            engine = self._engine
            self._lane = Lane(lambda: engine.runtime, self.till, self._ledger.store_url)
            await self._lane.open()
        return await self._opened()
