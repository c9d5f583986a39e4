"""What is known of each model's quality, looked up by task and then by tier."""

from __future__ import annotations

from collections.abc import Iterable

from hybridllm.catalog.structs import Quality, Task


def meets(quality: Quality, bar: float) -> bool:
    """Whether `quality` reaches `bar`, judged by its lower bound: a high score from few samples
    proves little. An assumed quality's lower bound is the assumption itself."""
    return quality.lower >= bar


class Table:
    """Qualities by (model, task) and by (model, tier).

    Of several for the same pair a measurement beats an assumption, then the later `at`, then the
    later in the list.
    """

    def __init__(self, qualities: Iterable[Quality]) -> None:
        self._table: dict[tuple[str, str], Quality] = {}
        for quality in qualities:
            key = (quality.model, quality.task)
            known = self._table.get(key)
            if known is None or _weight(quality) >= _weight(known):
                self._table[key] = quality

    def find(self, model: str, task: Task) -> Quality | None:
        """What is known of `model` (an id) at `task`, else at every task of its tier (the entry
        whose task is `tier:simple`, ...), else None."""
        found = self._table.get((model, task.name))
        return found if found is not None else self._table.get((model, f"tier:{task.tier}"))


def _weight(quality: Quality) -> tuple[bool, str]:
    return quality.samples > 0, quality.at
