"""Groups put together by task, model and size, and what each costs one way and another."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from hybridllm.catalog.structs import Model, Price
from hybridllm.config import Config
from hybridllm.planning.audit.groups import Group
from hybridllm.planning.audit.names import Names
from hybridllm.planning.audit.routed import Routed
from hybridllm.planning.audit.sizes import Grid
from hybridllm.planning.audit.tasks import Namer, Naming, majority
from hybridllm.pricing import cost, price_at, rates_for


class Cell(Struct, kw_only=True):
    """Calls of one name and task on one model, in one size bucket: what is routed together.

    `model` is None where the catalogue does not know `written`, the file's name for it. `routed`
    is the router's choice, the next best behind it; empty where the call stays where it is.
    """

    naming: Naming
    written: str
    model: Model | None
    groups: list[Group]
    routed: tuple[Model, ...] = ()

    @property
    def task(self) -> str:
        return self.naming.task

    @property
    def target(self) -> Model | None:
        """Where the calls go."""
        return self.routed[0] if self.routed else self.model

    def total(self, field: str) -> int:
        """A sum over the groups: `calls`, `output`, ..."""
        return sum(getattr(group, field) for group in self.groups)

    def mean_call(self, config: Config) -> tuple[int, int]:
        """Input and output tokens of one call. Where calls are not counted, one is taken to answer
        as its task usually does."""
        calls = self.total("calls")
        output, given = self.total("output"), self.total("total_input")
        if not calls:
            usual = config.tasks[self.task].output_tokens
            calls = max(1, -(-output // usual))
        return given // calls, output // calls


class Pricer:
    """Prices groups: each at its own days' prices, or all at those of one day."""

    def __init__(self, grid: Grid, day: str) -> None:
        self._grid = grid
        self._now = grid.period_of(day)

    def price(
        self,
        group: Group,
        model: Model,
        *,
        dated: bool = False,
        batch: bool | None = None,
        uncached: bool = False,
        grown: int = 0,
    ) -> int | None:
        """Picodollars; None where the model has no price then. `dated` is at the group's own days.
        `batch` None is as the calls were made. `uncached` bills cached input as input; `grown` is
        by how many percent more tokens it takes."""
        in_batch = group.batch if batch is None else batch
        day = self._grid.day(group.period if dated else self._now)
        price = price_on(model, day, batch=in_batch)
        if price is None:
            return None
        usage = group.usage
        if uncached:
            usage.input_tokens = usage.total_input
            usage.cache_read_tokens = usage.cache_write_tokens = usage.cache_write_long_tokens = 0
        rates = rates_for(price, self._grid.tier_size(group.size_in), batch=in_batch)
        return cost(usage, rates) * (100 + grown) // 100

    def cell(self, cell: Cell, model: Model | None, **how: bool | int | None) -> int | None:
        """The sum over a cell's groups; None where any has no price."""
        if model is None:
            return None
        total = 0
        for group in cell.groups:
            part = self.price(group, model, **how)  # type: ignore[arg-type]
            if part is None:
                return None
            total += part
        return total


def price_on(model: Model, day: str, *, batch: bool) -> Price | None:
    """The price of that day. Batch rates were recorded later than providers began to offer them:
    where a day has none, those of the next price with the same live rates stand in."""
    price = price_at(model, day)
    if price is None or price.batch is not None or not batch:
        return price
    for later in model.prices:
        if later.since > day and later.rates == price.rates and later.batch is not None:
            return later
    return price


def cells_of(groups: Iterable[Group], config: Config, namer: Namer, routed: Routed) -> list[Cell]:
    """All groups in cells, routed. Embedding models' calls are left where they are."""
    names = Names(config.catalog)
    groups = list(groups)
    likely = majority(groups)
    labelled: dict[str, list[Group]] = {}
    for group in groups:
        if group.label:
            labelled.setdefault(group.label, []).append(group)
    namings = {
        label: namer.label(label, members, names.find(members[0].model))
        for label, members in labelled.items()
    }
    cells: dict[tuple[str, str, str, int, int], Cell] = {}
    sized: dict[tuple[str, int, int], list[Group]] = {}
    for group in groups:
        if group.label:
            _add(cells, namings[group.label], group, names)
            continue
        key = (group.model, group.size_in, group.size_out)
        said = group.said or likely.get(key)
        if said:
            _add(cells, Naming(name=said, task=said, how="prompt"), group, names)
        else:
            sized.setdefault(key, []).append(group)
    for (model, _, _), members in sized.items():
        naming = namer.size(members, names.find(model))
        for group in members:
            _add(cells, naming, group, names)
    for cell in cells.values():
        if cell.model is None or cell.model.kind == "chat":
            cell.routed = routed.choices(cell.task, cell.model, *cell.mean_call(config))
    return list(cells.values())


def _add(
    cells: dict[tuple[str, str, str, int, int], Cell], naming: Naming, group: Group, names: Names
) -> None:
    key = (naming.name, naming.how, group.model, group.size_in, group.size_out)
    if key not in cells:
        model = names.find(group.model)
        if model is not None and model.kind != "chat":
            naming = Naming(name="embedding", task=naming.task, how="label", why="stays")
        cells[key] = Cell(naming=naming, written=group.model, model=model, groups=[])
    cells[key].groups.append(group)
