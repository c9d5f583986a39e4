"""The configuration from its parts: defaults, then the preset, then the file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path as FilePath
from typing import Any

from hybridllm.catalog.load import SNAPSHOTS, load_catalog
from hybridllm.catalog.structs import Catalog
from hybridllm.config import (
    AlertsConfig,
    BatchConfig,
    BreakerConfig,
    CachingConfig,
    Config,
    DriftConfig,
    LedgerConfig,
    OverheadConfig,
    ProviderConfig,
    ResponseCacheConfig,
    RetryConfig,
    ReviewConfig,
    RoutingConfig,
    ServerConfig,
    WireConfig,
)
from hybridllm.config_file.convert import convert
from hybridllm.config_file.document import Document, Documents, did_you_mean, parse, read, show
from hybridllm.config_file.models import with_file_models
from hybridllm.config_file.providers import check_providers
from hybridllm.config_file.tasks import Names, qualities, rules, tasks, tier_tasks
from hybridllm.config_file.variants import variants
from hybridllm.errors import ConfigError

PRESETS = ("default", "guide")
"""The presets that come with the package: today's models, and the guide's of April 2026."""

FILE = "hybridllm.toml"

KEYS = (
    "preset",
    "catalog",
    "server",
    "ledger",
    "routing",
    "retries",
    "breaker",
    "wire",
    "overhead",
    "review",
    "drift",
    "alerts",
    "batch",
    "response_cache",
    "caching",
    "providers",
    "models",
    "tier_tasks",
    "tasks",
    "quality",
    "rules",
    "prompts",
)
"""What may stand at the top of a file."""


def load_config(
    path: str | None = None, preset: str | None = None, env: Mapping[str, str] | None = None
) -> Config:
    """The configuration in force.

    `path` None means $HYBRIDLLM_CONFIG, else ./hybridllm.toml if it is there, else no file.
    `preset` overrules the file's own. Raises ConfigError with file, line and key.
    """
    env = os.environ if env is None else env
    path = path or env.get("HYBRIDLLM_CONFIG") or (FILE if FilePath(FILE).is_file() else None)
    file = read(path) if path else Document(FILE, {}, {})
    name = _preset_name(file, preset)
    text = (files("hybridllm.presets") / f"{name}.toml").read_text("utf-8")
    return _merge(name, parse(f"preset {name}", text), file, path)


def load_preset(name: str) -> Config:
    """The configuration that a preset of `PRESETS` is by itself, without any file."""
    text = (files("hybridllm.presets") / f"{name}.toml").read_text("utf-8")
    return _merge(name, parse(f"preset {name}", text), Document(FILE, {}, {}), None)


def _preset_name(file: Document, asked: str | None) -> str:
    name = asked or file.data.get("preset", PRESETS[0])
    if name in PRESETS:
        return str(name)
    remedy = did_you_mean(str(name), PRESETS)
    if asked:
        raise ConfigError(f'There is no preset "{asked}".', field="preset", remedy=remedy)
    raise Documents([file]).error(("preset",), f'There is no preset "{name}".', remedy)


def _merge(name: str, preset: Document, file: Document, path: str | None) -> Config:
    documents = Documents([preset, file])
    for key in file.data:
        if key not in KEYS:
            raise documents.error((key,), "There is no such section.", did_you_mean(key, KEYS))

    def section(key: str) -> dict[str, Any]:
        return merge(preset.data.get(key, {}), file.data.get(key, {}), (key,), documents)

    providers = {
        provider: convert(ProviderConfig, said, ("providers", provider), documents)
        for provider, said in section("providers").items()
    }
    catalog = _catalog(preset, file, documents)
    check_providers(providers, catalog, documents)
    catalog = with_file_models(catalog, section("models"), providers, documents)
    made = tasks(section("tasks"), catalog, providers, documents)
    names = Names(catalog, made, providers)
    routing = convert(RoutingConfig, section("routing"), ("routing",), documents)
    names.check_routing(routing, providers, documents)
    caching = convert(CachingConfig, section("caching"), ("caching",), documents)
    for at, name in enumerate(caching.off):
        names.task(name, ("caching", "off", at), documents)
    wire = convert(WireConfig, section("wire"), ("wire",), documents)
    for both in set(wire.drop) & set(wire.refuse):
        raise documents.error(
            ("wire", "refuse"), f'"{both}" cannot be both dropped and refused.', "Choose one."
        )
    return Config(
        preset=name,
        catalog=catalog,
        tasks=made,
        quality=qualities([preset, file], names),
        rules=rules([file, preset], names),
        tier_tasks=tier_tasks(section("tier_tasks"), names, documents),
        providers=providers,
        server=convert(ServerConfig, section("server"), ("server",), documents),
        ledger=convert(LedgerConfig, section("ledger"), ("ledger",), documents),
        routing=routing,
        retries=convert(RetryConfig, section("retries"), ("retries",), documents),
        breaker=convert(BreakerConfig, section("breaker"), ("breaker",), documents),
        wire=wire,
        overhead=_overhead(section("overhead"), documents),
        review=convert(ReviewConfig, section("review"), ("review",), documents),
        drift=_drift(section("drift"), documents),
        alerts=_alerts(section("alerts"), documents),
        batch=convert(BatchConfig, section("batch"), ("batch",), documents),
        response_cache=convert(
            ResponseCacheConfig, section("response_cache"), ("response_cache",), documents
        ),
        caching=caching,
        variants=variants(section("prompts"), names, path, documents),
        path=path,
    )


def _overhead(section: dict[str, Any], documents: Documents) -> OverheadConfig:
    made = convert(OverheadConfig, section, ("overhead",), documents)
    for name in made.__struct_fields__:
        held = getattr(made, name)
        if isinstance(held, tuple) and held[0] > held[1]:
            raise documents.error(
                ("overhead", name),
                f"{held[0]:g} is more than {held[1]:g}.",
                "Write the least first, then the most.",
            )
    return made


def _drift(section: dict[str, Any], documents: Documents) -> DriftConfig:
    made = convert(DriftConfig, section, ("drift",), documents)
    for name, least in (("baseline", 50), ("window", 100)):
        if getattr(made, name) < least:
            raise documents.error(
                ("drift", name),
                f"{getattr(made, name)} scores say too little.",
                f"Write {least} or more.",
            )
    if not 0 < made.margin < 1:
        raise documents.error(
            ("drift", "margin"), f"{made.margin:g} is no share.", "Write one between 0 and 1: 0.02."
        )
    return made


def _alerts(section: dict[str, Any], documents: Documents) -> AlertsConfig:
    made = convert(AlertsConfig, section, ("alerts",), documents)
    for at, url in enumerate(made.urls):
        if "://" not in url and not url.startswith("$"):
            # Not shown: it may be a secret that was pasted here.
            raise documents.error(
                ("alerts", "urls", at),
                "This is neither a URL nor a variable.",
                'Write apprise\'s URL of the service, or a variable that holds it: "$SLACK_URL".',
            )
    return made


def _catalog(preset: Document, file: Document, documents: Documents) -> Catalog:
    snapshot = file.data.get("catalog", preset.data.get("catalog", SNAPSHOTS[0]))
    if snapshot not in SNAPSHOTS:
        raise documents.error(
            ("catalog",),
            f'There is no catalogue snapshot "{snapshot}".',
            did_you_mean(str(snapshot), SNAPSHOTS),
        )
    return load_catalog(snapshot)


TABLES_OF_TABLES = frozenset({"providers", "models", "tasks", "prompts"})
"""Sections whose tables merge key by key; in others a key that is said again is replaced."""


def merge(
    below: dict[str, Any], above: Any, path: tuple[str, ...], documents: Documents
) -> dict[str, Any]:
    """`above` over `below`."""
    if not isinstance(above, dict):
        raise documents.error(path, "This must be a table.", f"Write it as [{show(path)}].")
    if path[0] not in TABLES_OF_TABLES or len(path) > 1:
        return {**below, **above}
    merged = dict(below)
    for name, said in above.items():
        merged[name] = merge(below.get(name, {}), said, (*path, name), documents)
    return merged
