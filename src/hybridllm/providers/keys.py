"""A provider's API keys: shared by weight, each resting on its own after a refusal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from hybridllm.errors import ConfigError


class Key(Struct, frozen=True):
    """One API key. `account` labels the billing account in the ledger; `index` is its place in its
    ring."""

    secret: str
    account: str = "default"
    weight: int = 1
    index: int = 0

    def __repr__(self) -> str:
        return f"Key(account={self.account!r}, weight={self.weight}, index={self.index})"


class KeyRing:
    """Picks keys in proportion to their weights, spread out in time.

    While no key begins or ends a rest, after every pick each key's count is less than one away from
    its exact share. The rule is the quota method of Balinski and Young (The Quota Method of
    Apportionment, American Mathematical Monthly 82, 1975): among the keys that one more pick would
    not take a whole pick above their share, the one with the least (count + 1) / weight.
    """

    def __init__(self, keys: Iterable[tuple[str, str, int]]) -> None:
        """`keys` are (secret, account label, weight). Raises ConfigError for a weight below 1."""
        self._keys = [Key(*key, index=index) for index, key in enumerate(keys)]
        if any(key.weight < 1 for key in self._keys):
            raise ConfigError(
                "A key's weight is below 1.",
                field="keys.weight",
                remedy="Give it a whole number from 1, or leave the key out.",
            )
        self._rests: dict[int, float] = {}
        """When each key that rests is free again."""
        self._wakes = 0.0
        self._active = self._keys
        self._counts = [0] * len(self._keys)
        self._steps = 0
        self._total = 0
        self._begin()

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    def pick(self, now: float) -> Key | None:
        """The next key in turn, or None if there is none or all of them rest."""
        if self._rests and now >= self._wakes:
            self._rests = {index: until for index, until in self._rests.items() if until > now}
            self._begin()
        active = self._active
        if len(active) <= 1:
            return active[0] if active else None
        counts, total = self._counts, self._total
        if self._steps == total:  # every key has exactly its share
            self._restart()
        self._steps += 1
        steps = self._steps
        eligible = [key for key in active if counts[key.index] * total < steps * key.weight]
        best = eligible[0]
        for key in eligible:
            if (counts[key.index] + 1) * best.weight < (counts[best.index] + 1) * key.weight:
                best = key
        counts[best.index] += 1
        return best

    def cool(self, key: Key, until: float) -> None:
        """Let `key` rest until `until` (monotonic seconds); a longer rest that it has stays."""
        if until > self._rests.get(key.index, 0.0):
            self._rests[key.index] = until
            self._begin()

    def free_at(self, now: float) -> float | None:
        """When a key can be picked: `now` if one can already, None if there are no keys."""
        if not self._keys:
            return None
        if any(self._rests.get(key.index, now) <= now for key in self._keys):
            return now
        return min(self._rests.values())

    def _begin(self) -> None:
        """The set of keys that do not rest has changed: share anew among them."""
        self._active = [key for key in self._keys if key.index not in self._rests]
        self._total = sum(key.weight for key in self._active)
        self._wakes = min(self._rests.values(), default=0.0)
        self._restart()

    def _restart(self) -> None:
        self._steps = 0
        for index in range(len(self._counts)):
            self._counts[index] = 0
