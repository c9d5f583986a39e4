"""Which providers have a batch API."""

from __future__ import annotations

import pytest

from hybridllm.catalog.structs import ProviderSpec
from hybridllm.config import ProviderConfig, ResolvedProvider
from hybridllm.providers.batches.registry import BY_DIALECT, batch_api
from hybridllm.providers.upstream import Upstream, open_upstreams


def opened(name: str, dialect: str, batch: bool | None) -> Upstream:
    url = "http://127.0.0.1:9"
    resolved = ResolvedProvider(
        name=name,
        spec=ProviderSpec(name=name, dialect=dialect, base_url=url),
        dialect=dialect,
        base_url=url,
        keys=(),
        config=ProviderConfig(batch=batch),
    )
    return open_upstreams({name: resolved}, {})[name]


@pytest.mark.parametrize("dialect", list(BY_DIALECT))
def test_the_provider_itself_has_one_unless_config_denies_it(dialect):
    assert batch_api(opened(dialect, dialect, None)) is BY_DIALECT[dialect]
    assert batch_api(opened(dialect, dialect, False)) is None


@pytest.mark.parametrize("dialect", list(BY_DIALECT))
def test_who_shares_its_dialect_has_one_if_config_says_so(dialect):
    assert batch_api(opened("mine", dialect, None)) is None
    assert batch_api(opened("mine", dialect, True)) is BY_DIALECT[dialect]
