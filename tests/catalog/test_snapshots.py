"""The data files: they load, every model has prices and limits that make sense, and the figures are
those of their sources."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from hybridllm.catalog.load import SNAPSHOTS, load_catalog
from hybridllm.catalog.structs import Rates
from hybridllm.errors import ConfigError
from hybridllm.pricing import price_at

ROOT = Path(__file__).parents[2]
ALL = [
    pytest.param(model, id=f"{name}:{model.id}")
    for name in SNAPSHOTS
    for model in load_catalog(name).models.values()
]
GUIDE = load_catalog("2026-04")
CURRENT = load_catalog("current")
TODAY = "2026-11-23"
MTOK = 1_000_000


def usd(rates: Rates, *kinds: str) -> tuple[float | None, ...]:
    """Dollars per million tokens."""
    found = (getattr(rates, kind) for kind in kinds)
    return tuple(None if rate is None else rate / MTOK for rate in found)


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_a_snapshot_says_when_and_whence(name):
    catalog = load_catalog(name)
    assert date.fromisoformat(catalog.as_of)
    assert catalog.source and catalog.models
    assert set(catalog.providers) == {"openai", "anthropic", "google"}


def test_another_snapshot_is_refused_with_the_names_there_are():
    with pytest.raises(ConfigError, match=r"no catalogue snapshot .*current, 2026-04"):
        load_catalog("2026-05")


@pytest.mark.parametrize("model", ALL)
def test_a_model_has_limits_that_make_sense(model):
    assert 0 <= model.max_output_tokens <= model.context_window
    assert (model.max_output_tokens > 0) == (model.kind == "chat")
    assert 100 <= model.tokens_per_kbyte <= 500
    assert model.reasoning or not model.reasoning_required
    for day in (model.released_on, model.deprecated_on):
        assert day is None or date.fromisoformat(day)


@pytest.mark.parametrize("model", ALL)
def test_a_model_has_a_price_on_every_day_and_all_of_it_makes_sense(model):
    assert price_at(model, "2024-01-01") is not None
    assert price_at(model, TODAY) is not None
    assert [p.since for p in model.prices] == sorted({p.since for p in model.prices})
    for price in model.prices:
        check(model, price.rates, price.batch)
        starts = [tier.above_input_tokens for tier in price.tiers]
        assert starts == sorted(set(starts)) and all(0 < s <= model.context_window for s in starts)
        for tier in price.tiers:
            check(model, tier.rates, tier.batch)
            assert tier.rates.input >= price.rates.input
            assert (tier.batch is None) == (price.batch is None)


def check(model, live, batch):
    """Cached reads cost less than input, writes no less; a batch costs at most the live price."""
    assert live.input > 0 and (live.output > 0 or model.kind == "embedding")
    assert live.cache_read is None or 0 < live.cache_read < live.input
    assert live.cache_write is None or live.cache_write >= live.input
    if live.cache_write_long is not None:
        assert live.cache_write is not None and live.cache_write_long >= live.cache_write
    if batch is not None:
        for kind in live.__struct_fields__:
            ours, theirs = getattr(live, kind), getattr(batch, kind)
            assert theirs is None or (ours is not None and theirs <= ours)


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_every_name_leads_to_one_model_and_every_model_is_found_by_its_own(name):
    catalog = load_catalog(name)
    assert set(catalog.names.values()) == set(catalog.models)
    for model in catalog.models.values():
        for said in (model.id, model.name, *model.aliases):
            assert catalog.names[said] == model.id
            assert catalog.names[f"{model.provider}/{said.removeprefix(model.provider + '/')}"]


# The guide, line by line. Its own words, then what the snapshot says.

IN_OUT = [
    ("GPT-4o mini approximately $0.15/$0.60", "openai/gpt-4o-mini", 0.15, 0.60),
    ("Gemini 2.5 Flash approximately $0.15/$0.60", "google/gemini-2.5-flash", 0.15, 0.60),
    ("Claude Sonnet 4.6 $3.00/$15.00", "anthropic/claude-sonnet-4-6", 3.0, 15.0),
    ("GPT-4o approximately $2.50/$10.00", "openai/gpt-4o", 2.5, 10.0),
    ("Claude Opus 4.7 $5.00/$25.00", "anthropic/claude-opus-4-7", 5.0, 25.0),
    ("o3 approximately $10.00/$40.00", "openai/o3", 10.0, 40.0),
    ("Gemini 2.5 Pro at $1.25/$10", "google/gemini-2.5-pro", 1.25, 10.0),
]


@pytest.mark.parametrize(("line", "model", "input", "output"), IN_OUT)
def test_the_guides_prices(line, model, input, output):
    (price,) = GUIDE.models[model].prices
    assert usd(price.rates, "input", "output") == (input, output), line
    assert price.tiers == (), "the guide has no tiers"


def test_it_has_the_guides_models_and_no_others_that_chat():
    chat = {model.id for model in GUIDE.models.values() if model.kind == "chat"}
    assert chat == {model for _, model, _, _ in IN_OUT}


@pytest.mark.parametrize("catalog", [GUIDE, CURRENT], ids=["2026-04", "current"])
@pytest.mark.parametrize(
    ("model", "context", "input"),
    [
        ("openai/text-embedding-3-small", 8192, 0.02),
        ("openai/text-embedding-3-large", 8192, 0.13),
        ("openai/text-embedding-ada-002", 8192, 0.1),
        ("google/gemini-embedding-001", 2048, 0.15),
    ],
)
def test_the_embedding_models_cost_their_input_alone(catalog, model, context, input):
    found = catalog.models[model]
    assert (found.kind, found.context_window) == ("embedding", context)
    (price,) = found.prices
    assert usd(price.rates, "input", "output") == (input, 0)


LIMITS = [
    ("Input under 128K tokens", "openai/gpt-4o-mini", "context_window", 128_000),
    ("... and output under 16K", "openai/gpt-4o-mini", "max_output_tokens", 16_384),
    ("1M context at budget pricing", "google/gemini-2.5-flash", "context_window", 1_048_576),
    ("1M context window", "anthropic/claude-sonnet-4-6", "context_window", 1_000_000),
    ("1M context", "anthropic/claude-opus-4-7", "context_window", 1_000_000),
    ("... with 128K output", "anthropic/claude-opus-4-7", "max_output_tokens", 128_000),
]


@pytest.mark.parametrize(("line", "model", "limit", "tokens"), LIMITS)
def test_the_guides_limits(line, model, limit, tokens):
    assert getattr(GUIDE.models[model], limit) == tokens, line


BATCHED = [
    ("Batch the classification at 50% off", "openai/gpt-4o-mini", 0.075, 0.30),
    ("Batch Claude Sonnet coding tasks", "anthropic/claude-sonnet-4-6", 1.5, 7.5),
    ("dropping to $2.50/$12.50 per MTok", "anthropic/claude-opus-4-7", 2.5, 12.5),
]


@pytest.mark.parametrize(("line", "model", "input", "output"), BATCHED)
def test_the_guides_batch_prices(line, model, input, output):
    assert usd(GUIDE.models[model].prices[0].batch, "input", "output") == (input, output), line


def test_the_guides_caching():
    (price,) = GUIDE.models["anthropic/claude-sonnet-4-6"].prices
    assert price.rates.cache_read * 10 == price.rates.input, "90% savings on repeated input"


# Today's, by the providers' price lists of 2026-11-23.

PUBLISHED = [
    # model, in/out, cached read, cache writes, batch in/out
    ("openai/gpt-4o-mini", (0.15, 0.60), 0.075, (None, None), (0.075, 0.30)),
    ("openai/gpt-4o", (2.5, 10.0), 1.25, (None, None), (1.25, 5.0)),
    ("openai/o3", (2.0, 8.0), 0.50, (None, None), (1.0, 4.0)),
    ("google/gemini-2.5-flash", (0.30, 2.50), 0.03, (None, None), (0.15, 1.25)),
    ("google/gemini-2.5-pro", (1.25, 10.0), 0.125, (None, None), (0.625, 5.0)),
    ("anthropic/claude-sonnet-4-6", (3.0, 15.0), 0.30, (3.75, 6.0), (1.5, 7.5)),
    ("anthropic/claude-opus-4-7", (5.0, 25.0), 0.50, (6.25, 10.0), (2.5, 12.5)),
]


@pytest.mark.parametrize(("model", "live", "cached", "writes", "batch"), PUBLISHED)
def test_todays_prices(model, live, cached, writes, batch):
    price = price_at(CURRENT.models[model], TODAY)
    assert price is not None and price.batch is not None
    assert usd(price.rates, "input", "output") == live
    assert usd(price.rates, "cache_read") == (cached,)
    assert usd(price.rates, "cache_write", "cache_write_long") == writes
    assert usd(price.batch, "input", "output") == batch


def test_gemini_2_5_pro_is_dearer_above_200k():
    price = price_at(CURRENT.models["google/gemini-2.5-pro"], TODAY)
    assert price is not None
    (tier,) = price.tiers
    assert tier.above_input_tokens == 200_000 and tier.batch is not None
    assert usd(tier.rates, "input", "output", "cache_read") == (2.5, 15.0, 0.25)
    assert usd(tier.batch, "input", "output") == (1.25, 7.5)


def test_o3_costs_less_since_2025_06_10_and_ends_on_2026_12_11():
    model = CURRENT.models["openai/o3"]
    before, after = (price_at(model, day) for day in ("2025-06-09", "2025-06-10"))
    assert before is not None and after is not None
    assert usd(before.rates, "input", "output", "cache_read") == (10.0, 40.0, 2.5)
    assert usd(after.rates, "input", "output", "cache_read") == (2.0, 8.0, 0.5)
    assert model.deprecated_on == "2026-12-11"


def test_a_batchs_cached_reads_are_halved_by_anthropic_alone():
    for model in CURRENT.models.values():
        price = price_at(model, TODAY)
        if price is None or price.batch is None or price.rates.cache_read is None:
            continue
        if model.provider == "anthropic":
            assert price.batch.cache_read is not None
            assert price.batch.cache_read * 2 == price.rates.cache_read, model.id
        if model.id in ("openai/gpt-4o-mini", "openai/gpt-4o", "google/gemini-2.5-pro"):
            assert price.batch.cache_read == price.rates.cache_read, model.id


def test_the_data_file_is_what_its_script_builds():
    found = subprocess.run(
        [sys.executable, "scripts/build_catalog.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("catalog", [GUIDE, CURRENT], ids=["2026-04", "current"])
def test_storage_of_explicit_caches_has_a_price_where_google_names_one(catalog):
    stored = {
        model.name: {price.storage for price in model.prices}
        for model in catalog.models.values()
        if any(price.storage is not None for price in model.prices)
    }
    # Dollars per million tokens and hour: 4.50 and 1.00.
    assert stored == {"gemini-2.5-pro": {4_500_000}, "gemini-2.5-flash": {1_000_000}}
