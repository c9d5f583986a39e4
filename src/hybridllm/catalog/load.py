"""Reads a catalogue snapshot: `2026-04` (a fixed reference) or `current`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

import msgspec
from msgspec import Struct

from hybridllm.catalog.files import ModelFile, model_from
from hybridllm.catalog.structs import Catalog, Model, ProviderSpec
from hybridllm.errors import ConfigError

SNAPSHOTS = ("current", "2026-04")
"""The snapshots that come with the package, today's first."""


class CatalogFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A data file: when and whence, and its models."""

    as_of: str
    source: str
    models: list[ModelFile]


@cache
def load_catalog(snapshot: str = "current") -> Catalog:
    """The snapshot of that name. Raises ConfigError for a name that is not in `SNAPSHOTS`."""
    if snapshot not in SNAPSHOTS:
        raise ConfigError(
            f'There is no catalogue snapshot "{snapshot}".',
            field="catalog",
            remedy=f"Use one of: {', '.join(SNAPSHOTS)}.",
        )
    data = files("hybridllm.catalog") / "data"
    file = msgspec.json.decode((data / f"{snapshot}.json").read_bytes(), type=CatalogFile)
    providers = msgspec.json.decode(
        (data / "providers.json").read_bytes(), type=dict[str, ProviderSpec]
    )
    models = {model.id: model for model in map(model_from, file.models)}
    return Catalog(
        as_of=file.as_of,
        providers=providers,
        models=models,
        names=names_of(models.values()),
        source=file.source,
    )


def with_models(catalog: Catalog, models: Mapping[str, Model]) -> Catalog:
    """`catalog` with `models` (by id) added, or put in the place of those of the same id."""
    merged = {**catalog.models, **models}
    return msgspec.structs.replace(catalog, models=merged, names=names_of(merged.values()))


def names_of(models: Iterable[Model]) -> dict[str, str]:
    """Every name that a caller may use, to a model id. `provider/name` always means that model; a
    bare name or alias that two models bear belongs to the one that stands first."""
    names: dict[str, str] = {}
    models = list(models)
    for model in models:
        names[model.id] = model.id
    for model in models:
        for name in (model.name, *model.aliases):
            names.setdefault(name, model.id)
            names.setdefault(f"{model.provider}/{name}", model.id)
    return names
