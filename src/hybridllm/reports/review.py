"""The monthly review: what has changed since the policy was made, and what it should change.

Compared are the catalogue that the configuration names and today's; the routes are the router's own
answers. Nothing is sent anywhere, and nothing is changed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec import Struct
from sqlalchemy import Engine

from hybridllm.catalog.load import SNAPSHOTS, load_catalog, with_models
from hybridllm.catalog.structs import Catalog
from hybridllm.config import Config
from hybridllm.config_file import load_preset
from hybridllm.planning.workload import load_workload
from hybridllm.quality import Table, meets
from hybridllm.reports.review_catalog import (
    LimitChange,
    PriceChange,
    Withdrawal,
    future_prices,
    limit_changes,
    price_changes,
    uses_of,
    withdrawals,
)
from hybridllm.reports.review_mix import Mix, nominal, of_ledger, of_workload
from hybridllm.reports.review_routes import Route, routes

LOOK_BACK_DAYS = 90
"""Where the policy goes by today's catalogue already, changes of so many days are told."""


class Moved(Struct, frozen=True, kw_only=True):
    """A model's quality at a task that was measured: `value` and lower bound `lower` over `samples`
    on day `at`; `assumed` is what the preset takes it to be, None where it says nothing. `meets`:
    the lower bound reaches the task's bar."""

    model: str
    task: str
    bar: float | None
    assumed: float | None
    value: float
    lower: float
    samples: int
    at: str
    meets: bool


class Review(Struct, frozen=True, kw_only=True):
    """The report. Money is picodollars a month of `mix`.

    `reference` is the day of the catalogue that the policy was made with, `current` that of
    today's. Changes are told from `since` on. `assumed` qualities of the policy stand beside
    `measured` ones.
    """

    at: str
    day: str
    preset: str
    reference: str
    current: str
    source: str
    since: str
    mix: str
    actual: int | None
    prices: tuple[PriceChange, ...]
    future: tuple[PriceChange, ...]
    withdrawals: tuple[Withdrawal, ...]
    limits: tuple[LimitChange, ...]
    moved: tuple[Moved, ...]
    measured: int
    assumed: int
    routes: tuple[Route, ...]

    @property
    def believed(self) -> int:
        """The month by the policy's own prices."""
        return sum(route.believed or 0 for route in self.routes if route.real)

    @property
    def today(self) -> int:
        """The month as the routes are, at today's prices."""
        return sum(route.cost or 0 for route in self.routes if route.real)

    @property
    def proposed(self) -> int:
        """The month with every proposal taken, at today's prices."""
        return sum(_proposed(route) for route in self.routes if route.real)

    @property
    def changes(self) -> list[Route]:
        """The routes that should change."""
        return [route for route in self.routes if route.proposal is not None]


def review(
    config: Config,
    now: datetime | None = None,
    engine: Engine | None = None,
    workload: str = "guide",
) -> Review:
    """Review `config` at time `now`, on the mix of the ledger behind `engine`; on `workload`
    where there is none or nothing was answered in 30 days."""
    now = now or datetime.now(UTC)
    day = now.date().isoformat()
    current = todays(config)
    uses = uses_of(config.tasks.values(), _baseline(config))
    mix = None if engine is None else of_ledger(engine, config.catalog, now)
    mix = mix or of_workload(load_workload(workload))
    reference = config.catalog.as_of
    same = reference == current.as_of
    since = (now - timedelta(days=LOOK_BACK_DAYS)).date().isoformat() if same else reference
    return Review(
        at=now.isoformat(timespec="seconds"),
        day=day,
        preset=config.preset,
        reference=reference,
        current=current.as_of,
        source=current.source,
        since=since,
        mix=mix.source,
        actual=mix.actual,
        prices=tuple(price_changes(uses, config.catalog, current, since, day)),
        future=tuple(future_prices(uses, current, day)),
        withdrawals=tuple(withdrawals(uses, current, day)),
        limits=tuple(limit_changes(uses, config.catalog, current)),
        moved=tuple(_moved(config)),
        measured=sum(quality.samples > 0 for quality in config.quality),
        assumed=sum(quality.samples == 0 for quality in config.quality),
        routes=tuple(_routes(config, current, mix, day)),
    )


def todays(config: Config) -> Catalog:
    """Today's catalogue with the models that the file itself describes as it describes them."""
    current = load_catalog(SNAPSHOTS[0])
    snapshots = map(load_catalog, SNAPSHOTS)
    made_with = next((one for one in snapshots if one.as_of == config.catalog.as_of), current)
    own = {
        id: model
        for id, model in config.catalog.models.items()
        if made_with.models.get(id) != model
    }
    return with_models(current, own) if own else current


def _routes(config: Config, current: Catalog, mix: Mix, day: str) -> list[Route]:
    """Of tasks with traffic by the mix, then of the others at a nominal size."""
    real = [line for line in mix.lines if line.task in config.tasks]
    named = {line.task for line in real}
    idle = [nominal(task) for task in config.tasks.values() if task.name not in named]
    return [
        *routes(config, current, real, day, alike=mix.alike),
        *routes(config, current, idle, day, alike=True),
    ]


def _moved(config: Config) -> list[Moved]:
    """Every measured quality, beside what the preset assumes."""
    assumed = Table(load_preset(config.preset).quality)
    found = []
    for quality in config.quality:
        if not quality.samples:
            continue
        task = config.tasks.get(quality.task)
        before = None if task is None else assumed.find(quality.model, task)
        found.append(
            Moved(
                model=quality.model,
                task=quality.task,
                bar=None if task is None else task.bar,
                assumed=None if before is None else before.value,
                value=quality.value,
                lower=quality.lower,
                samples=quality.samples,
                at=quality.at,
                meets=task is None or meets(quality, task.bar),
            )
        )
    return found


def _baseline(config: Config) -> str:
    return config.catalog.names.get(config.routing.baseline, config.routing.baseline)


def _proposed(route: Route) -> int:
    return (route.cost or 0) if route.proposal is None else route.proposal.cost
