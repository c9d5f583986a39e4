"""From a data file's decimal dollars to integer picodollars, and what is refused on the way."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridllm.catalog.files import MOST_DOLLARS, ModelFile, ModelMistake, is_day, model_from
from hybridllm.catalog.load import load_catalog, names_of, with_models


def file(**changes):
    """A model's file from JSON, as the loader reads it."""
    said = {
        "provider": "a",
        "name": "m",
        "context_window": 10,
        "max_output_tokens": 5,
        "prices": [{"since": "2026-01-01", "rates": {"input": 1, "output": 2}}],
        **changes,
    }
    return msgspec.json.decode(msgspec.json.encode(said), type=ModelFile)


def refused(**changes):
    with pytest.raises(ModelMistake) as raised:
        model_from(file(**changes))
    return raised.value


AMOUNT = st.decimals(0, MOST_DOLLARS, allow_nan=False, places=6)


@given(input=AMOUNT, output=AMOUNT)
def test_dollars_per_million_tokens_become_picodollars_per_token_exactly(input, output):
    price = {"since": "2026-01-01", "rates": {"input": input, "output": output}}
    (made,) = model_from(file(prices=[price])).prices
    assert Decimal(made.rates.input) == input * 10**6
    assert Decimal(made.rates.output) == output * 10**6


def test_a_price_that_a_float_would_blur_is_exact():
    raw = b"""{"provider": "a", "name": "m", "context_window": 1, "max_output_tokens": 1,
        "prices": [{"since": "2026-01-01", "rates": {"input": 0.1, "output": 0.3,
        "cache_read": 0.000003}}]}"""
    (price,) = model_from(msgspec.json.decode(raw, type=ModelFile)).prices
    assert (price.rates.input, price.rates.output, price.rates.cache_read) == (100_000, 300_000, 3)


def prices(since="2026-01-01", tiers=(), **rates):
    rates = {"input": 1, "output": 1, **rates}
    return [{"since": since, "rates": rates, "tiers": list(tiers)}]


TIER = {"above_input_tokens": 5, "rates": {"input": 1, "output": 1}}
MISTAKES = [
    ({"kind": "image"}, ("kind",)),
    ({"context_window": 0}, ("context_window",)),
    ({"max_output_tokens": 0}, ("max_output_tokens",)),
    ({"max_output_tokens": 10**10}, ("max_output_tokens",)),
    ({"tokens_per_kbyte": 0}, ("tokens_per_kbyte",)),
    ({"min_cache_tokens": -1}, ("min_cache_tokens",)),
    ({"deprecated_on": "2026-13-01"}, ("deprecated_on",)),
    ({"released_on": "20260101"}, ("released_on",)),
    ({"prices": prices("2026-1-1")}, ("prices", 0, "since")),
    ({"prices": prices("2026-02-01") + prices()}, ("prices",)),
    ({"prices": prices() + prices()}, ("prices",)),
    ({"prices": prices(input=-1)}, ("prices", 0, "rates", "input")),
    ({"prices": prices(output=1e7)}, ("prices", 0, "rates", "output")),
    ({"prices": prices(cache_read=0.1234567)}, ("prices", 0, "rates", "cache_read")),
    ({"prices": prices(tiers=[TIER, TIER])}, ("prices", 0, "tiers")),
    ({"prices": prices(tiers=[{**TIER, "above_input_tokens": 0}])}, ("prices", 0, "tiers")),
    (
        {"prices": prices(tiers=[{**TIER, "batch": {"input": 1, "output": -1}}])},
        ("prices", 0, "tiers", 0, "batch", "output"),
    ),
]


@pytest.mark.parametrize(("changes", "path"), MISTAKES)
def test_what_makes_no_sense_is_refused_with_its_place(changes, path):
    error = refused(**changes)
    assert error.path == path
    assert error.field == ".".join(map(str, ("a/m", *path)))


def test_an_embedding_model_has_no_output():
    assert model_from(file(kind="embedding", max_output_tokens=0)).max_output_tokens == 0


@pytest.mark.parametrize("extra", [{"colour": 1}, {"prices": [{"sinc": "2026-01-01"}]}])
def test_a_key_that_does_not_exist_is_refused(extra):
    with pytest.raises(msgspec.ValidationError):
        file(**extra)


DAYS = [
    ("2026-04-01", True),
    ("2024-02-29", True),
    ("2026-02-29", False),
    ("2026-4-1", False),
    ("20260401", False),
    ("2026-W10-1", False),
    ("", False),
    ("today", False),
]


@pytest.mark.parametrize(("text", "expected"), DAYS)
def test_a_day_is_written_in_one_way(text, expected):
    assert is_day(text) == expected


def model(provider, name, *aliases):
    return model_from(file(provider=provider, name=name, aliases=aliases))


def test_a_bare_name_that_two_models_bear_is_the_firsts():
    names = names_of([model("a", "m", "old"), model("b", "m", "old", "c/x")])
    assert names["m"] == names["old"] == "a/m"
    assert (names["a/m"], names["b/m"], names["b/old"]) == ("a/m", "b/m", "b/m")


def test_an_alias_never_takes_another_models_own_name():
    names = names_of([model("a", "m", "b/n"), model("b", "n")])
    assert names["b/n"] == "b/n"


def test_a_model_added_to_a_catalogue_leaves_the_catalogue_itself_alone():
    catalog = load_catalog("2026-04")
    more = with_models(catalog, {"b/n": model("b", "n", "newest")})
    assert more.names["newest"] == "b/n"
    assert "newest" not in catalog.names and "b/n" not in catalog.models
    assert load_catalog("2026-04") is catalog
