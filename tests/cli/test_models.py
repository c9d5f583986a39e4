"""`hybridllm models`: limits, prices and capabilities, for people and for programs."""

import json
import time

import pytest
from rich.console import Console

from hybridllm.cli import app
from hybridllm.cli import models as module
from hybridllm.cli.models import models
from hybridllm.errors import ConfigError

LOCAL = """
[providers.local]
dialect = "openai"
base_url = "http://127.0.0.1:8000/v1"
key_required = false

[models."local/llama"]
context_window = 500
max_output_tokens = 100
price = { input = 0.123456, output = 2 }

[models."local/free"]
context_window = 8192
max_output_tokens = 4096
tools = false
vision = false
json_schema = false
deprecated_on = "2020-01-01"
"""


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    monkeypatch.delenv("HYBRIDLLM_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def document(capsys):
    """Run the command; its models by id."""

    def run(*args, **options):
        models(*args, json=True, **options)
        found = json.loads(capsys.readouterr().out)
        return {model["model"]: model for model in found["models"]}

    return run


def on(monkeypatch, day):
    """Let today be `day`."""
    monkeypatch.setattr(time, "strftime", lambda *_: day)


def test_the_guides_models_as_json(document):
    found = document(preset="guide")
    assert [model["kind"] for model in found.values()].count("chat") == 7
    sonnet = found["anthropic/claude-sonnet-4-6"]
    assert (sonnet["context_window"], sonnet["max_output_tokens"]) == (1_000_000, 64_000)
    assert sonnet["capabilities"] == ["tools", "vision", "documents", "json_schema", "reasoning"]
    prices = sonnet["usd_per_mtok"]
    assert [prices[kind] for kind in ("input", "output", "cache_read")] == ["3", "15", "0.3"]
    assert prices["batch"]["output"] == "7.5" and prices["tiers"] == []


def test_the_catalogue_of_the_preset_is_shown(document):
    assert document("o3", preset="guide")["openai/o3"]["usd_per_mtok"]["input"] == "10"
    assert document("o3")["openai/o3"]["usd_per_mtok"]["input"] == "2"


def test_tiers_are_told(document):
    prices = document("gemini-2.5-pro")["google/gemini-2.5-pro"]["usd_per_mtok"]
    (tier,) = prices["tiers"]
    assert (tier["above_input_tokens"], tier["input"], tier["batch"]["input"]) == (
        200_000,
        "2.5",
        "1.25",
    )


def test_a_price_is_that_of_today(document, monkeypatch):
    on(monkeypatch, "2025-06-09")
    assert document("o3")["openai/o3"]["usd_per_mtok"]["input"] == "10"
    on(monkeypatch, "2025-06-10")
    assert document("o3")["openai/o3"]["usd_per_mtok"]["input"] == "2"


def test_models_of_ones_own_are_among_them(document, tmp_path):
    (tmp_path / "hybridllm.toml").write_text(LOCAL)
    found = document("local/")
    assert found["local/llama"]["usd_per_mtok"]["input"] == "0.123456"
    assert found["local/free"]["usd_per_mtok"] is None
    assert found["local/free"]["capabilities"] == []


@pytest.mark.parametrize("name", ["SONNET", "anthropic/claude-sonnet"])
def test_search_is_by_any_part_of_a_name(document, name):
    assert list(document(name, preset="guide")) == ["anthropic/claude-sonnet-4-6"]


def test_search_finds_aliases(document):
    assert list(document("opus-4-7-2026", preset="guide")) == ["anthropic/claude-opus-4-7"]


def test_a_name_that_nothing_has_is_refused():
    with pytest.raises(ConfigError, match='No model has "gpt-9"'):
        models("gpt-9")


def shown(capsys, monkeypatch, width, *args, **options):
    monkeypatch.setattr(module, "console", lambda: Console(width=width, highlight=False))
    models(*args, **options)
    return capsys.readouterr().out


@pytest.mark.parametrize(("width", "context"), [(80, "1,000K"), (140, "1,000,000")])
def test_the_table_for_people(capsys, monkeypatch, width, context):
    text = shown(capsys, monkeypatch, width, preset="guide")
    assert "…" not in text
    line = next(line for line in text.splitlines() if "claude-opus-4-7" in line)
    assert line.split()[1] == context
    assert {"5.00", "25.00", "0.50"} <= set(line.split())
    assert "11 models, as of 2026-04-01" in text


def test_all_of_todays_fits_a_terminal(capsys, monkeypatch):
    assert "…" not in shown(capsys, monkeypatch, 80)


def test_marks_of_the_table(capsys, monkeypatch, tmp_path):
    (tmp_path / "hybridllm.toml").write_text(LOCAL)
    text = shown(capsys, monkeypatch, 140)
    lines = {line.split()[0]: line for line in text.splitlines() if "/" in line}
    assert "1.25+" in lines["google/gemini-2.5-pro"]
    assert "embedding" in lines["openai/text-embedding-3-small"]
    assert lines["local/free"].split()[-4:] == ["?", "?", "chat", "2020-01-01"]
    assert "+ dearer for a large input" in text
    assert "…" not in text


def test_it_is_registered_with_an_example_in_its_help(capsys):
    app(["models", "--help"], result_action="return_value")
    assert "hybridllm models sonnet" in capsys.readouterr().out
