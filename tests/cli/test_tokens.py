"""`hybridllm tokens`: for people and programs, its calibrations, and what providers say."""

import io
import json
from types import SimpleNamespace

import pytest

from hybridllm.cli import app
from hybridllm.cli.tokens import tokens
from hybridllm.config import LedgerConfig
from hybridllm.errors import HybridError, RequestError
from hybridllm.ledger import Ledger
from hybridllm.simulators import Simulators
from hybridllm.tokens import token_ids
from tests.ledger.samples import attempt, intent

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY")
CLAUDE = "anthropic/claude-sonnet-4-6"
TEXT = "The router takes the cheapest model that is good enough. " * 20


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    for name in (*KEYS, "HYBRIDLLM_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HYBRIDLLM_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(tmp_path, capsys):
    def call(data=TEXT, **options):
        path = tmp_path / "input"
        path.write_text(data if isinstance(data, str) else json.dumps(data))
        tokens(path, **options)
        out = capsys.readouterr().out
        return json.loads(out) if options.get("json") else " ".join(out.split())

    return call


@pytest.fixture
def taught(tmp_path):
    """A ledger of two replies of 1,000 bytes: 232 tokens (25% less than 290), and 261, as expected
    by then. MAPE 12.5%; without calibration (25% + 11.1%) / 2."""
    ledger = Ledger(LedgerConfig(directory=str(tmp_path / "home")))
    ledger.open()
    for number, reply in enumerate((232, 261)):
        ledger.intend(intent(f"hl-{number}"))
        told = {"model": CLAUDE, "text_bytes": 1000, "text_kind": "prose"}
        ledger.record(attempt(f"hl-{number}", **told, input_tokens=reply))
    ledger.close()


def test_a_text_at_the_models_of_the_tasks(run):
    text = run(preset="guide")
    for part in ("1,140 bytes of prose", "openai/gpt-4o-mini", "exact", CLAUDE, "331 248 - 414"):
        assert part in text


def test_named_models_and_all_of_them(run):
    found = run(model=["gpt-4o", "claude-sonnet-4-6"], json=True)
    assert [one["model"] for one in found["estimates"]] == ["openai/gpt-4o", CLAUDE]
    assert found["estimates"][0]["tokens"] == len(token_ids(TEXT))
    assert found["estimates"][1] == {
        "model": CLAUDE,
        "tokens": 331,
        "low": 248,
        "high": 414,
        "text": 331,
        "images": 0,
        "pages": 0,
        "basis": "assumed",
        "reports": 0,
        "input_usd": "0.000993",
        "fits": True,
        "notes": [],
    }
    assert len(run(all=True, json=True)["estimates"]) > 50


def test_a_model_that_is_not_there_is_named_with_the_nearest(run):
    with pytest.raises(RequestError, match="no model") as refused:
        run(model=["claude-sonet-4-6"])
    assert "claude-sonnet-4-6" in refused.value.remedy


def test_from_standard_input_and_from_nothing(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"hello world")))
    app(["tokens", "-", "--model", "gpt-4o", "--json"], result_action="return_value")
    assert json.loads(capsys.readouterr().out)["estimates"][0]["tokens"] == 2
    with pytest.raises(SystemExit):
        app(["tokens", "--modle", "gpt-4o"], result_action="return_value")
    with pytest.raises(RequestError, match="nothing to count"):
        tokens()
    with pytest.raises(RequestError, match="Cannot read"):
        tokens(tmp_path / "missing")


def test_calibrations_with_their_errors(run, taught):
    assert run(calibration=True, json=True)["calibrations"] == [
        {
            "model": CLAUDE,
            "kind": "prose",
            "tokens_per_kbyte": 261,
            "started_at": 290.0,
            "replies": 2,
            "mape": 0.125,
            "mape_uncalibrated": pytest.approx((0.25 + 29 / 261) / 2, abs=2e-6),
        }
    ]
    assert f"{CLAUDE} prose 2 261.0 290.0 12.5% 18.1%" in run(calibration=True)


def test_what_the_ledger_taught_is_used(run, taught):
    (found,) = run(model=[CLAUDE], json=True)["estimates"]
    assert (found["tokens"], found["reports"]) == (-(-len(TEXT) * 261 // 1000), 2)


def test_calibrations_without_a_ledger_say_so(run):
    with pytest.raises(HybridError, match="no ledger yet"):
        run(calibration=True)


@pytest.fixture(scope="module")
def simulated():
    with Simulators(profile="fast") as running:
        yield running.env()


BODY = {
    "model": "auto",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": TEXT}],
}


def test_exact_asks_the_providers_that_count(run, monkeypatch, simulated):
    for name, value in simulated.items():
        monkeypatch.setenv(name, value)
    found = run(
        BODY, model=["claude-sonnet-4-6", "gemini-2.5-flash", "gpt-4o"], exact=True, json=True
    )
    claude, gemini, gpt = found["estimates"]
    said = len(token_ids(TEXT))
    for one in (claude, gemini):
        assert one["basis"] == "asked" and one["low"] == one["tokens"] == one["high"]
        assert said <= one["tokens"] <= said + 30
        assert "the estimate was" in one["notes"][0]
    assert gpt["basis"] == "counted"


def test_exact_without_a_key_keeps_the_estimate_and_says_why(run):
    (found,) = run(BODY, model=["claude-sonnet-4-6"], exact=True, json=True)["estimates"]
    assert found["basis"] == "assumed"
    assert "no key for provider 'anthropic'" in found["notes"][0]


def test_an_error_of_the_provider_is_told(run, monkeypatch, simulated):
    for name, value in simulated.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "wrong")
    (found,) = run(BODY, model=["claude-sonnet-4-6"], exact=True, json=True)["estimates"]
    assert found["basis"] == "assumed" and found["notes"][0].startswith("not asked:")
