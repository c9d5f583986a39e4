"""How much of an input a model was sent before, so lately that its prompt cache could hold it.

An estimate for `hybridllm report levers`, made whether prompt caching is on or not, of what has
passed through this process: the system prompt, and the request before in the same conversation.
Known by their hashes alone, in a bounded table.
"""

from __future__ import annotations

from collections import OrderedDict

from hybridllm.catalog.structs import Model, Usage
from hybridllm.engine.sessions import WARM_SECONDS
from hybridllm.wire.dialect import Facts

LIMIT = 20_000
Key = tuple[str, str, int, int]


class Repeats:
    """The table. Not thread-safe: it belongs to one event loop."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._table: OrderedDict[Key, tuple[float, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._table)

    def note(self, facts: Facts, caller: str, model: Model, usage: Usage, now: float) -> int:
        """`model` was billed `usage` for this request of `caller`'s. The tokens of its input that
        the model was sent before within five minutes; 0 if a cache has served them, or would not
        take so few."""
        total, least = usage.total_input, model.min_cache_tokens
        if total < least or not facts.text_bytes:
            return 0
        begins = hash(facts.system)
        first = hash(facts.turns[0].text) if facts.turns else 0
        system = min(total, total * len(facts.system) // facts.text_bytes)
        shared = self._seen((model.id, caller, begins, 0), system, now)
        spoken = self._seen((model.id, caller, begins, first or 1), total, now)
        repeated = max(min(shared, system), min(spoken, total))
        return repeated if repeated - usage.cache_read_tokens >= least else 0

    def _seen(self, key: Key, tokens: int, now: float) -> int:
        """The tokens with which a beginning was last sent; from now on it is so many."""
        before = self._table.pop(key, None)
        self._table[key] = (now, tokens)
        if len(self._table) > self._limit:
            self._table.popitem(last=False)
        return 0 if before is None or now - before[0] > WARM_SECONDS else before[1]
