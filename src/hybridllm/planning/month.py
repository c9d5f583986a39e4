"""A workload against one configuration on one day: tasks found, calls cut, prices at hand."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from hybridllm.catalog.structs import Model, Task
from hybridllm.config import Config
from hybridllm.config_file.document import did_you_mean
from hybridllm.errors import ConfigError
from hybridllm.planning.cells import cells_of, thresholds_of
from hybridllm.planning.offers import Cell, Shelf, shelf_of
from hybridllm.planning.workload import Line, Workload


class Load(Struct, frozen=True, kw_only=True):
    """A line at `place` of the workload. `task` has the line's own bar where it sets one."""

    place: int
    line: Line
    task: Task
    cells: tuple[Cell, ...]


class Month(Struct, frozen=True, kw_only=True):
    """`shelves` are those of every chat model with a price on `day`, by id."""

    config: Config
    day: str
    loads: tuple[Load, ...]
    shelves: dict[str, Shelf]

    def shelf(self, model: Model, load: Load) -> Shelf:
        """Raises ConfigError, at the load's line, when the model has no price on that day."""
        found = self.shelves.get(model.id)
        if found is None:
            raise ConfigError(
                f"{model.id} has no known price on {self.day}.",
                where=load.line.where,
                field="task",
                remedy=f'Give it one: [models."{model.id}"] '
                "price = { input = 1.0, output = 2.0 }.",
            )
        return found


def prepare(workload: Workload, config: Config, day: str) -> Month:
    """Raises ConfigError where the workload names an unknown task."""
    shelves = {
        model.id: shelf
        for model in config.catalog.models.values()
        if model.kind == "chat" and (shelf := shelf_of(model, day)) is not None
    }
    thresholds = thresholds_of(shelves.values())
    loads = []
    for place, line in enumerate(workload.tasks):
        task = _task(config, line)
        cells = tuple(cells_of(line, task, thresholds))
        loads.append(Load(place=place, line=line, task=task, cells=cells))
    return Month(config=config, day=day, loads=tuple(loads), shelves=shelves)


def _task(config: Config, line: Line) -> Task:
    found = config.tasks.get(line.task)
    if found is None:
        raise ConfigError(
            f'There is no task "{line.task}" in the preset {config.preset}.',
            where=line.where,
            field="task",
            remedy=did_you_mean(line.task, config.tasks),
        )
    return found if line.bar is None else replace(found, bar=line.bar)
