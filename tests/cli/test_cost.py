"""`hybridllm cost`: the guide's month for people and for programs, without a key."""

import json
import socket

import pytest
from rich.console import Console

from hybridllm.cli import app
from hybridllm.cli import cost as module
from hybridllm.cli.cost import cost
from hybridllm.errors import ConfigError

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY")
SONNET = "anthropic/claude-sonnet-4-6"
MONTH = """
[[tasks]]
task = "classification"
calls = 3
input_tokens = 7
output_tokens = 1
"""
REMARK = "prints $4,376.75 for hybrid+batch"


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """No key, no configuration of the machine's own, and no network."""
    for name in (*KEYS, "HYBRIDLLM_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def refuse(*args):
        raise AssertionError("the command reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def document(capsys):
    """Run the command; its JSON document."""

    def run(*args, **options):
        cost(*args, **{"json": True, **options})
        return json.loads(capsys.readouterr().out)["strategies"]

    return run


@pytest.fixture
def text(capsys):
    """Run the command; what a person sees, in one line."""

    def run(*args, **options):
        cost(*args, **options)
        return " ".join(capsys.readouterr().out.split())

    return run


def test_the_guides_month_as_json(document):
    found = document(preset="guide")
    assert [(one["name"], one["monthly_usd"]) for one in found] == [
        ("single", "7125.00"),
        ("hybrid", "5377.50"),
        ("hybrid+batch", "4376.25"),
    ]
    assert set(found[0]) == {"name", "monthly_usd", "lines"}
    assert found[2]["lines"][0] == {
        "task": "classification",
        "model": "openai/gpt-4o-mini",
        "mode": "batch",
        "calls": 500_000,
        "input_tokens": 500,
        "output_tokens": 50,
        "usd": "26.25",
    }
    assert [line["usd"] for line in found[0]["lines"]] == [
        "1125.00",
        "3000.00",
        "1950.00",
        "1050.00",
    ]


def test_amounts_are_exact_and_have_two_decimals_at_least(document, tmp_path):
    path = tmp_path / "month.toml"
    path.write_text(MONTH)
    single, hybrid, batched = document(str(path), preset="guide")
    assert single["monthly_usd"] == "0.000108"  # 3 x (7 x 3 + 1 x 15) millionths
    assert hybrid["monthly_usd"] == "0.00000495"  # 3 x (7 x 0.15 + 1 x 0.60) millionths
    assert batched["monthly_usd"] == "0.000002475"


def test_another_baseline(document):
    single, hybrid, _ = document(preset="guide", baseline="o3")
    assert {line["model"] for line in single["lines"]} == {"openai/o3"}
    assert single["monthly_usd"] == "21000.00"  # 1,000M x 10 + 275M x 40
    assert hybrid["monthly_usd"] == "5377.50"


def test_the_guides_month_for_people(text):
    shown = text(preset="guide")
    for part in (
        "A month of 660,000 calls, preset guide, prices as of 2026-04-01",
        f"single: all on {SONNET}, which is below the bar of complex_reasoning",
        "classification 500,000 500 50 $1,125.00 openai/gpt-4o-mini $52.50 batch $26.25",
        "analysis 100,000 5,000 1,000 $3,000.00 google/gemini-2.5-pro $1,625.00 $1,625.00",
        "a month $7,125.00 $5,377.50 $4,376.25",
        "saved a month $1,747.50 $2,748.75",
        "saved a year $20,970.00 $32,985.00",
        "saved of single 24.5% 38.6%",
        f"The guide of April 2026 {REMARK}; its own lines, which are those above, sum to "
        "$4,376.25, a saving of $2,748.75.",
    ):
        assert part in shown


@pytest.mark.parametrize(
    "other", [{"preset": "default"}, {"preset": "guide", "baseline": "gpt-4o"}]
)
def test_the_guides_total_is_set_beside_its_own_models_and_prices_only(text, other):
    assert "prints" not in text(**other)


def test_nor_beside_a_configuration_of_ones_own(text, tmp_path):
    (tmp_path / "hybridllm.toml").write_text("[tasks.classification]\nbar = 0.95\n")
    assert "prints" not in text(preset="guide")


@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_column_is_cut_short_at_usual_widths(capsys, monkeypatch, width):
    monkeypatch.setattr(module, "console", lambda: Console(width=width, highlight=False))
    cost(preset="guide")
    shown = capsys.readouterr().out
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= width
    for part in ("classification", "gpt-4o-mini", "HYBRID+BATCH", "$4,376.25"):
        assert part in shown


def test_a_month_without_calls_divides_by_nothing(text, tmp_path):
    path = tmp_path / "month.toml"
    path.write_text(MONTH.replace("calls = 3", "calls = 0"))
    assert "A month of 0 calls," in text(str(path), preset="guide")


def test_a_bracket_in_a_name_is_no_markup(tmp_path):
    path = tmp_path / "month.toml"
    path.write_text(MONTH.replace("classification", "[bold]"))
    with pytest.raises(ConfigError, match=r"no task \"\[bold\]\""):
        cost(str(path), preset="guide")


def test_it_is_registered_with_an_example_in_its_help(capsys):
    app(["cost", "--help"], result_action="return_value")
    assert "hybridllm cost --preset guide" in capsys.readouterr().out
