"""What batches and caches would take off, beyond the choice of model."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from hybridllm.catalog.structs import Model
from hybridllm.config import Config
from hybridllm.planning.audit.cells import Cell
from hybridllm.planning.audit.sizes import Grid
from hybridllm.pricing import price_at, rates_for

ASSUMED_SHARED_PERCENT = 50
"""How much of the input is taken to be a shared beginning where no prompts say: a what-if, in no
total."""

_LIFETIMES_A_DAY = 288
"""Five-minute lifetimes of a prompt cache: the shortest that a provider has."""


class BatchLever(Struct, frozen=True, kw_only=True):
    """`eligible_calls` of `calls` can wait and are not batched yet; `before` is what they cost live
    where they are routed, `saving` what a batch takes off (picodollars)."""

    calls: int
    eligible_calls: int
    before: int
    saving: int


class CacheLever(Struct, frozen=True, kw_only=True):
    """Shares of all input: `seen` was read from a cache, `possible` could be (0..1). `measured`:
    from the prompts; else `possible` is what is assumed. `saving` is in picodollars on top of
    everything else, cache writes paid for."""

    seen: float
    possible: float
    measured: bool
    saving: int


def cache_lever(
    cells: Iterable[Cell], config: Config, grid: Grid, day: str, days: int, shared: float | None
) -> CacheLever:
    """`days` is how long the usage took, `shared` the share of the prompts that is shared (None:
    there were none to look at)."""
    cells = list(cells)
    total = sum(cell.total("total_input") for cell in cells)
    cached = sum(cell.total("cached") for cell in cells)
    percent = ASSUMED_SHARED_PERCENT if shared is None else int(shared * 100)
    saving = reach = 0
    for cell in cells:
        more, less = _cell(cell, config, grid, day, days, percent)
        reach += more
        saving += less
    return CacheLever(
        seen=cached / total if total else 0.0,
        possible=(cached + reach) / total if total else 0.0,
        measured=shared is not None,
        saving=saving,
    )


def _cell(
    cell: Cell, config: Config, grid: Grid, day: str, days: int, percent: int
) -> tuple[int, int]:
    """Tokens that could be read from a cache and are not, and what that saves. None where a call
    is too short for the model's cache, or no second call comes within its lifetime."""
    target = cell.target
    price = None if target is None else price_at(target, day)
    if target is None or price is None or price.rates.cache_read is None:
        return 0, 0
    given, _ = cell.mean_call(config)
    reuse = cell.total("calls") // (days * _LIFETIMES_A_DAY)
    if given * percent // 100 < target.min_cache_tokens or reuse < 2:
        return 0, 0
    reach = saving = 0
    for group in cell.groups:
        taken = group.cached + group.written + group.written_long
        more = min(max(0, group.total_input * percent // 100 - taken), group.input_tokens)
        batch = group.batch or config.tasks[cell.task].can_wait
        rates = rates_for(price, grid.tier_size(group.size_in), batch=batch)
        read = rates.input if rates.cache_read is None else rates.cache_read
        write = rates.input if rates.cache_write is None else rates.cache_write
        less = (rates.input * reuse - read * (reuse - 1) - write) * more // reuse
        if less > 0:
            reach += more
            saving += less
    return reach, saving


def is_other(target: Model | None, model: Model | None) -> bool:
    """Whether calls would leave today's model."""
    return target is not None and (model is None or target.id != model.id)
