"""Providers as they will be called: the catalogue, the file's word, the environment's keys."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

import msgspec

from hybridllm.catalog.structs import Catalog, ProviderSpec
from hybridllm.config import Config, ProviderConfig, ResolvedProvider
from hybridllm.config_file.document import Documents, did_you_mean

DIALECTS = ("openai", "anthropic", "google")
URLS = {"base_url": ("http://", "https://"), "proxy": ("http://", "https://")}
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_UNSAID = ProviderConfig()


def resolve_providers(
    config: Config, env: Mapping[str, str] | None = None
) -> dict[str, ResolvedProvider]:
    """Every provider that the catalogue or the file knows, by name.

    Keys come from the variables that the file names, else from the provider's usual ones (the
    first that is set). A variable that is not set is no error: the provider is then not `usable`.
    A base URL comes from the file, else from the provider's usual variable, else from the
    catalogue.
    """
    env = os.environ if env is None else env
    names = dict.fromkeys([*config.catalog.providers, *config.providers])
    return {
        name: _resolve(
            name, config.catalog.providers.get(name), config.providers.get(name, _UNSAID), env
        )
        for name in names
    }


def _resolve(
    name: str, known: ProviderSpec | None, said: ProviderConfig, env: Mapping[str, str]
) -> ResolvedProvider:
    if known is None:
        known = ProviderSpec(name=name, dialect=said.dialect or "", base_url=said.base_url or "")
    from_env = env.get(known.base_url_env, "").strip() if known.base_url_env else ""
    spec = msgspec.structs.replace(
        known,
        dialect=said.dialect or known.dialect,
        base_url=(said.base_url or from_env or known.base_url).rstrip("/"),
        ecosystem=said.ecosystem or known.ecosystem,
        key_required=known.key_required if said.key_required is None else said.key_required,
    )
    return ResolvedProvider(
        name=name,
        spec=spec,
        dialect=spec.dialect,
        base_url=spec.base_url,
        keys=_keys(spec, said, env),
        config=said,
    )


def _keys(
    spec: ProviderSpec, said: ProviderConfig, env: Mapping[str, str]
) -> tuple[tuple[str, str, int], ...]:
    if said.keys:
        found = ((env.get(key.env, "").strip(), key.account, key.weight) for key in said.keys)
        return tuple(key for key in found if key[0])
    secrets = (env.get(name, "").strip() for name in spec.key_env)
    first = next((secret for secret in secrets if secret), None)
    return ((first, "default", 1),) if first else ()


def check_providers(
    providers: Mapping[str, ProviderConfig], catalog: Catalog, documents: Documents
) -> None:
    """Raises ConfigError for a provider that could not be called as it is described."""
    for name, said in providers.items():
        path = ("providers", name)
        if not _NAME.fullmatch(name):
            raise documents.error(
                path,
                "This cannot be a provider's name.",
                "Use lower-case letters, digits, and _ . - (at most 64).",
            )
        if name not in catalog.providers:
            for key in ("dialect", "base_url"):
                if not getattr(said, key):
                    raise documents.error(
                        path,
                        f"`{key}` is missing.",
                        "A provider that the catalogue does not know needs dialect and base_url. "
                        + did_you_mean(name, catalog.providers),
                    )
        if said.dialect is not None and said.dialect not in DIALECTS:
            raise documents.error(
                (*path, "dialect"),
                f'There is no dialect "{said.dialect}".',
                did_you_mean(said.dialect, DIALECTS),
            )
        for key, schemes in URLS.items():
            url = getattr(said, key)
            if url is not None and not url.startswith(schemes):
                raise documents.error(
                    (*path, key), "This is no URL.", f"Begin it with {' or '.join(schemes)}."
                )
