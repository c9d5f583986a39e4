"""Which assumption, if it is wrong, changes the saving most."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from hybridllm.catalog.structs import Model
from hybridllm.config import Config
from hybridllm.planning.audit.cells import Cell, Pricer
from hybridllm.planning.audit.levers import is_other
from hybridllm.planning.audit.routed import Routed, tokens_per_kbyte
from hybridllm.planning.audit.tasks import GUESSED, harder
from hybridllm.quality import Table


class Assumption(Struct, frozen=True, kw_only=True):
    """What is assumed, what if it is not so, and the saving then (picodollars). `touches` is how
    many calls it concerns."""

    name: str
    text: str
    if_wrong: str
    touches: int
    saving: int
    change: int


class WhatIf:
    """Recomputes the saving with one thing changed. `before` of each cell stays."""

    def __init__(
        self, cells: list[tuple[Cell, int]], config: Config, routed: Routed, pricer: Pricer
    ) -> None:
        self._cells = cells
        self._config = config
        self._routed = routed
        self._pricer = pricer
        self._quality = Table(config.quality)

    def after(
        self,
        cell: Cell,
        before: int,
        *,
        model: Model | None = None,
        task: str | None = None,
        batch: bool = True,
        uncached: bool = False,
        grown: int = 0,
    ) -> int:
        """What the cell costs routed, batched where it can wait; `before` where that has no
        price."""
        target = model or cell.target
        can_wait = self._config.tasks[task or cell.task].can_wait and bool(cell.routed)
        price = self._pricer.cell(
            cell,
            target,
            batch=True if batch and can_wait else None,
            uncached=uncached,
            grown=grown,
        )
        return before if price is None else price

    def all(self) -> list[Assumption]:
        """Those that touch anything, the weightiest first."""
        base = sum(before - self.after(cell, before) for cell, before in self._cells)
        found = [
            made
            for name, text, if_wrong, touched, change in self._cases()
            if (made := self._made(base, name, text, if_wrong, touched, change)) is not None
        ]
        return sorted(found, key=lambda made: (-abs(made.change), made.name))

    def _made(
        self,
        base: int,
        name: str,
        text: str,
        if_wrong: str,
        touched: Callable[[Cell], bool],
        otherwise: Callable[[Cell, int], int],
    ) -> Assumption | None:
        chosen = [(cell, before) for cell, before in self._cells if touched(cell)]
        if not chosen:
            return None
        change = sum(self.after(cell, before) - otherwise(cell, before) for cell, before in chosen)
        return Assumption(
            name=name,
            text=text,
            if_wrong=if_wrong,
            touches=sum(cell.total("calls") or cell.total("rows") for cell, _ in chosen),
            saving=base + change,
            change=change,
        )

    def _cases(
        self,
    ) -> list[tuple[str, str, str, Callable[[Cell], bool], Callable[[Cell, int], int]]]:
        return [
            (
                "tasks",
                "Tasks were guessed, from sizes, prompts or the words of labels.",
                "every guessed task is one tier harder",
                lambda cell: bool(cell.routed) and cell.naming.how in GUESSED,
                self._harder,
            ),
            (
                "quality",
                "The quality of the models that calls move to is assumed, not measured.",
                "the first choice is not good enough and the next is taken",
                lambda cell: self._moves(cell) and not self._is_measured(cell),
                self._next,
            ),
            (
                "tokenizers",
                "A call takes as many tokens on the model that it moves to.",
                "it takes as many as the catalogue's estimate for English text",
                lambda cell: self._moves(cell) and _growth(cell) != 0,
                lambda cell, before: self.after(cell, before, grown=_growth(cell)),
            ),
            (
                "waiting",
                "All calls of tasks that can wait are sent in batches.",
                "half of them cannot wait",
                lambda cell: bool(cell.routed) and self._config.tasks[cell.task].can_wait,
                lambda cell, before: (
                    (self.after(cell, before) + self.after(cell, before, batch=False)) // 2
                ),
            ),
            (
                "caches",
                "What was cached is cached as well on the model that calls move to.",
                "it is not, and is billed as input",
                lambda cell: self._moves(cell) and cell.total("cached") > 0,
                lambda cell, before: self.after(cell, before, uncached=True),
            ),
            (
                "call sizes",
                "The file counts no calls: one is taken to answer as its task usually does.",
                "calls are four times as large",
                lambda cell: bool(cell.routed) and not cell.total("calls"),
                self._larger,
            ),
        ]

    def _moves(self, cell: Cell) -> bool:
        return is_other(cell.target, cell.model)

    def _is_measured(self, cell: Cell) -> bool:
        target = cell.target
        known = target and self._quality.find(target.id, self._config.tasks[cell.task])
        return bool(known and known.samples)

    def _harder(self, cell: Cell, before: int) -> int:
        task = harder(cell.task, self._config)
        found = self._routed.choices(task, cell.model, *cell.mean_call(self._config))
        return self.after(cell, before, model=found[0], task=task) if found else before

    def _next(self, cell: Cell, before: int) -> int:
        if len(cell.routed) < 2:
            return before
        return self.after(cell, before, model=cell.routed[1])

    def _larger(self, cell: Cell, before: int) -> int:
        given, output = cell.mean_call(self._config)
        found = self._routed.choices(cell.task, cell.model, 4 * given, 4 * output)
        return self.after(cell, before, model=found[0]) if found else before


def _growth(cell: Cell) -> int:
    """By how many percent more tokens the same text makes on the model that the calls move to."""
    if cell.target is None:
        return 0
    return tokens_per_kbyte(cell.target) * 100 // tokens_per_kbyte(cell.model) - 100
