"""`hybridllm cost`: the guide's month for people and for programs, without a key."""

import json
import socket
import sys

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
        ("optimal", "4287.9375"),
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
    single, hybrid, batched, optimal = document(str(path), preset="guide")
    assert single["monthly_usd"] == "0.000108"  # 3 x (7 x 3 + 1 x 15) millionths
    assert hybrid["monthly_usd"] == "0.00000495"  # 3 x (7 x 0.15 + 1 x 0.60) millionths
    assert batched["monthly_usd"] == optimal["monthly_usd"] == "0.000002475"


def test_another_baseline(document):
    single, hybrid, *_ = document(preset="guide", baseline="o3")
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
        "a month $7,125.00 $5,377.50 $4,376.25 $4,287.94",
        "saved a month $1,747.50 $2,748.75 $2,837.06",
        "saved a year $20,970.00 $32,985.00 $34,044.75",
        "saved of single 24.5% 38.6% 39.8%",
        "Optimal is $88.31 below hybrid+batch",
        "code_generation claude-sonnet-4-6 batch, marked 0.93* 0.90 $88.31",
        "code_generation: $88.31 less by marking the first 1,500 tokens in batches, read 9 times "
        "for each write.",
        "Assumed of code_generation: half of the input is shared",
        "claude-sonnet-4-6 batch 1,500 > 0.28 9 pays $88.31",
        "hybrid+batch $2,748.75 $1,016.67 $1,732.08 24.3% 1.9 months 244,111",
        "$700.00 a month, and $3,800.00 once for set-up and 2 adapted prompts",
        "volume x 2 $14,250.00 $10,755.00 $8,752.50 $8,575.88 31%",
        "google prices x 2 $7,125.00 $6,002.50 $5,001.25 $4,912.94 16%",
        "66k 220k 660k 1.98M 6.6M",
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


def test_what_stands_behind_the_optimal_month_as_json(capsys):
    cost(preset="guide", json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["strategies"][3]["lines"][2] == {
        "task": "code_generation",
        "model": SONNET,
        "mode": "batch",
        "calls": 50_000,
        "input_tokens": 3_000,
        "output_tokens": 2_000,
        "cache": "batch",
        "usd": "886.6875",
    }
    line = found["optimal"]["lines"][2]
    assert (line["before_usd"], line["saved_by_batch_and_marks_usd"]) == ("975.00", "88.3125")
    assert line["models"] == [
        {"model": SONNET, "lower": 0.93, "measured": False, "source": "guide"}
    ]
    assert len(found["optimal"]["assumes"]) == 6
    assert found["break_even"]["middle"][1]["break_even_calls"] == 244_111
    assert found["caching"][2]["gain_usd"] == "88.3125"
    assert found["sensitivity"][1] == {
        "change": "volume",
        "provider": None,
        "factor": 0.1,
        "monthly_usd": {
            "single": "712.50",
            "hybrid": "537.75",
            "hybrid+batch": "437.625",
            "optimal": "428.79375",
        },
    }


SPREAD = """
[[tasks]]
task = "classification"
calls = 1_000
input_tokens = [{ tokens = 1_000, share = 0.9 }, { tokens = 200_000, share = 0.1 }]
output_tokens = 10
async_share = 0.5
"""


def test_calls_of_one_task_that_differ_go_where_each_is_routed(document, text, tmp_path):
    path = tmp_path / "month.toml"
    path.write_text(SPREAD)
    _, hybrid, batched, _ = document(str(path), preset="guide")
    assert [(x["model"], x["mode"], x["calls"]) for x in hybrid["lines"]] == [
        ("openai/gpt-4o-mini", "sync", 900),
        ("google/gemini-2.5-flash", "sync", 100),
    ]
    assert [(x["mode"], x["calls"]) for x in batched["lines"]] == [
        ("sync", 450),
        ("batch", 450),
        ("sync", 50),
        ("batch", 50),
    ]
    assert "google/gemini-2.5-flash +1" in text(str(path), preset="guide")


def test_a_bar_that_nothing_meets_is_said(text, tmp_path):
    path = tmp_path / "month.toml"
    path.write_text(MONTH + "bar = 0.999\n")
    assert "is known to meet 0.999, so the policy's own is kept" in text(str(path), preset="guide")


def test_the_plot_has_each_curve_and_level_at_the_width_there_is(capsys, monkeypatch):
    monkeypatch.setattr(module, "console", lambda: Console(width=72, highlight=False))
    cost(preset="guide")
    plotted = capsys.readouterr().out.partition("by calls a month\n")[2].splitlines()
    assert [len(line.rstrip()) for line in plotted[:-2]] == [72] * 13
    assert [line[:4].strip() for line in plotted if "%" in line] == ["40%", "25%", "0%", "-25%"]
    assert plotted[-2].split() == ["66k", "220k", "660k", "1.98M", "6.6M"]
    assert plotted[-1].split() == ["━━", "hybrid", "━━", "hybrid+batch", "━━", "optimal"]
    assert sum("\u2800" < sign <= "\u28ff" for line in plotted for sign in line) > 80


def test_a_net_far_below_the_plot_is_cut_at_its_edge(capsys, tmp_path):
    """Engineering of $1,000 a month on a bill of a hundredth of a cent is -10^9%."""
    path = tmp_path / "month.toml"
    path.write_text(MONTH)
    cost(str(path), preset="guide")
    shown = capsys.readouterr().out
    plotted = shown.partition("by calls a month\n")[2]
    assert "40%" in plotted and "0.3" in plotted
    assert not any("\u2800" < sign <= "\u28ff" for sign in plotted)


def test_without_plotext_a_line_says_how_to_get_the_plot(text, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotext", None)
    shown = text(preset="guide")
    assert "The plot needs plotext: pip install 'hybridllm[terminal]'" in shown
    assert "66k" not in shown


def test_the_page_is_written_beside_the_table(text, tmp_path):
    shown = text(preset="guide", html=tmp_path / "out.html")
    assert "The page is in" in shown
    assert "$4,287.94" in (tmp_path / "out.html").read_text()


def test_a_page_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(ConfigError, match="page cannot be written: No such file"):
        cost(preset="guide", html=tmp_path / "no" / "out.html")


def test_engineering_as_one_says_it(text):
    shown = text(preset="guide", setup_days=1, hourly_rate_usd=50, evaluation_usd=0)
    # 3 h x $50 a month; 1 day x 8 h x $50 and 2 prompts x 3 h x $50 once.
    assert "$150.00 a month, and $700.00 once" in shown


def test_engineering_that_cannot_be_is_told():
    with pytest.raises(ConfigError, match=r"--setup-days.*out of range"):
        cost(preset="guide", setup_days=-1)
    with pytest.raises(ConfigError, match=r"--hourly-rate-usd.*out of range"):
        cost(preset="guide", hourly_rate_usd=float("nan"))


def test_it_is_registered_with_an_example_in_its_help(capsys):
    app(["cost", "--help"], result_action="return_value")
    assert "hybridllm cost --preset guide" in capsys.readouterr().out
