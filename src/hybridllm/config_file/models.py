"""Models that the file adds to the catalogue, or says otherwise of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from hybridllm.catalog.files import ModelFile, ModelMistake, PriceFile, RatesFile, model_from
from hybridllm.catalog.load import with_models
from hybridllm.catalog.structs import Catalog, Model
from hybridllm.config import ProviderConfig
from hybridllm.config_file.convert import convert
from hybridllm.config_file.document import Documents, did_you_mean
from hybridllm.config_file.lines import Path

ALWAYS = "1970-01-01"
"""The day from which a price without a date holds."""


class SaidModel(Struct, frozen=True, kw_only=True):
    """What `[models."provider/name"]` may say. `price` (and `batch_price`) is short for one entry
    of `prices` that holds on every day; amounts are dollars per million tokens."""

    context_window: int | UnsetType = UNSET
    max_output_tokens: int | UnsetType = UNSET
    price: RatesFile | UnsetType = UNSET
    batch_price: RatesFile | UnsetType = UNSET
    prices: tuple[PriceFile, ...] | UnsetType = UNSET
    kind: str | UnsetType = UNSET
    aliases: tuple[str, ...] | UnsetType = UNSET
    tools: bool | UnsetType = UNSET
    vision: bool | UnsetType = UNSET
    json_schema: bool | UnsetType = UNSET
    reasoning: bool | UnsetType = UNSET
    reasoning_required: bool | UnsetType = UNSET
    documents: bool | UnsetType = UNSET
    min_cache_tokens: int | UnsetType = UNSET
    tokens_per_kbyte: int | UnsetType = UNSET
    deprecated_on: str | UnsetType = UNSET
    released_on: str | UnsetType = UNSET


def with_file_models(
    catalog: Catalog,
    section: Mapping[str, Any],
    providers: Mapping[str, ProviderConfig],
    documents: Documents,
) -> Catalog:
    """`catalog` with the models of `[models]` added or changed."""
    said = {}
    for label, data in section.items():
        path = ("models", label)
        provider, slash, name = label.partition("/")
        if not slash or not name:
            raise documents.error(
                path, "A model's key is provider/name.", f'Write [models."openai/{label}"].'
            )
        if provider not in catalog.providers and provider not in providers:
            raise documents.error(
                path,
                f'There is no provider "{provider}".',
                f"Add [providers.{provider}] with dialect and base_url. "
                + did_you_mean(provider, [*catalog.providers, *providers]),
            )
        model = _model(provider, name, data, catalog, path, documents)
        said[model.id] = model
    return with_models(catalog, said) if said else catalog


def _model(
    provider: str, name: str, data: Any, catalog: Catalog, path: Path, documents: Documents
) -> Model:
    said = convert(SaidModel, data, path, documents)
    known = catalog.models.get(f"{provider}/{name}")
    fields: dict[str, Any] = {"prices": _prices(said, path, documents)}
    for field in said.__struct_fields__:
        value = getattr(said, field)
        if value is not UNSET and field not in ("price", "batch_price", "prices"):
            fields[field] = value
    if known is not None:
        fields.setdefault("kind", known.kind)  # which decides what limits make sense
    for field in ("context_window", "max_output_tokens"):
        if field in fields:
            continue
        if known is None:
            raise documents.error(path, f"`{field}` is missing.", "A new model needs it.")
        fields[field] = getattr(known, field)
    try:
        made = model_from(ModelFile(provider=provider, name=name, source="config", **fields))
    except ModelMistake as e:
        raise documents.error((*path, *_as_said(e.path, said)), e.message) from None
    if known is None:
        return made
    if not made.prices:
        del fields["prices"]
    return msgspec.structs.replace(known, **{field: getattr(made, field) for field in fields})


def _as_said(path: Path, said: SaidModel) -> Path:
    """The place of a mistake as the file wrote it: `price` is short for `prices[0].rates`."""
    if path[:1] != ("prices",) or said.price is UNSET:
        return path
    short = {"rates": "price", "batch": "batch_price"}
    return (short[str(path[2])], *path[3:])


def _prices(said: SaidModel, path: Path, documents: Documents) -> tuple[PriceFile, ...]:
    if said.prices is not UNSET:
        if said.price is not UNSET or said.batch_price is not UNSET:
            raise documents.error((*path, "prices"), "Give either price or prices.")
        return said.prices
    if said.price is UNSET:
        if said.batch_price is not UNSET:
            raise documents.error((*path, "batch_price"), "Give price too.")
        return ()
    batch = None if said.batch_price is UNSET else said.batch_price
    return (PriceFile(since=ALWAYS, rates=said.price, batch=batch, source="config"),)
