"""`hybridllm route`: the plan for a request in any dialect, for people and for programs."""

import io
import json
from types import SimpleNamespace

import pytest

from hybridllm.cli import app
from hybridllm.cli.route import route
from hybridllm.errors import RequestError
from hybridllm.wire.telling import dialect_of

OPENAI = {"model": "auto", "messages": [{"role": "user", "content": "Is this spam? Buy now!"}]}
ANTHROPIC = {
    "model": "auto",
    "max_tokens": 50,
    "system": "Be brief.",
    "messages": [{"role": "user", "content": "Is this spam? Buy now!"}],
}
GOOGLE = {"contents": [{"role": "user", "parts": [{"text": "Is this spam? Buy now!"}]}]}
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY")


@pytest.fixture(autouse=True)
def no_keys(monkeypatch, tmp_path):
    """No key, no configuration and no measurement of the machine's own gets in."""
    monkeypatch.setenv("HYBRIDLLM_HOME", str(tmp_path))
    for name in (*KEYS, "HYBRIDLLM_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def ask(tmp_path, capsys):
    """Run the command on a body; its JSON document (or its text with json=False)."""

    def run(body, **options):
        path = tmp_path / "request.json"
        path.write_text(json.dumps(body))
        options = {"preset": "guide", "json": True, **options}
        route(path, **options)
        out = capsys.readouterr().out
        return json.loads(out) if options["json"] else out

    return run


@pytest.mark.parametrize("body", [OPENAI, ANTHROPIC, GOOGLE], ids=["openai", "anthropic", "google"])
def test_the_plan_as_json_in_each_dialect(ask, body):
    found = ask(body, task="classification")
    assert found["task"] == "classification"
    assert found["chain"][:2] == ["openai/gpt-4o-mini", "google/gemini-2.5-flash"]
    assert "gpt-4o-mini is the cheapest of 3 that meet the 0.90 bar (assumed)" in found["reason"]
    first = found["candidates"][0]
    assert set(first) == {
        "model",
        "kept",
        "why",
        "expected_usd",
        "nominal_usd",
        "cached_tokens",
        "variant",
    }
    assert (first["model"], first["kept"]) == ("openai/gpt-4o-mini", True)
    assert 0 < float(first["expected_usd"]) < 0.0002


def test_the_plan_as_a_table(ask):
    text = ask(OPENAI, task="classification", json=False)
    for part in ("classification", "openai/gpt-4o-mini", "kept", "the cheapest", "chain", "reason"):
        assert part in text
    assert "Every provider is treated as having a key." in text


def test_without_a_task_the_request_names_its_own(ask):
    assert ask({**OPENAI, "model": "tier/premium"})["task"] == "complex_reasoning"
    assert ask({**OPENAI, "model": "gpt-4o"})["chain"][0] == "openai/gpt-4o"


def test_with_one_key_only_its_provider_counts(ask, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "secret-4711")
    found = ask(OPENAI, task="classification")
    assert found["chain"] == ["anthropic/claude-sonnet-4-6"]
    assert "no key for provider 'openai'" in found["candidates"][0]["why"]
    assert "4711" not in json.dumps(found)
    assert ask(OPENAI, task="classification", assume_keys=True)["chain"][0] == "openai/gpt-4o-mini"


def test_a_request_that_nothing_serves_still_shows_every_candidate(tmp_path, capsys):
    path = tmp_path / "request.json"
    path.write_text(json.dumps({**OPENAI, "max_completion_tokens": 100_000}))
    with pytest.raises(SystemExit) as ended:
        route(path, task="classification", preset="guide", json=True)
    assert ended.value.code == 2
    found = json.loads(capsys.readouterr().out)
    assert found["chain"] == [] and "Ask for fewer output tokens" in found["reason"]
    assert all("100,000 output tokens wanted" in one["why"] for one in found["candidates"])


def test_a_request_from_standard_input(monkeypatch, capsys):
    body = io.BytesIO(json.dumps(OPENAI).encode())
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=body))
    words = ["route", "-", "--task", "extraction", "--preset", "guide", "--json"]
    app(words, result_action="return_value")
    assert json.loads(capsys.readouterr().out)["task"] == "extraction"


SHAPES = [
    (OPENAI, "openai"),
    ({**OPENAI, "max_tokens": 5}, "openai"),
    (ANTHROPIC, "anthropic"),
    ({"model": "claude-sonnet-4-6", "max_tokens": 5, "messages": []}, "anthropic"),
    (
        {"model": "auto", "max_tokens": 5, "tools": [{"name": "t", "input_schema": {}}]},
        "anthropic",
    ),
    ({"model": "auto", "max_tokens": 5, "tools": [{"type": "function"}]}, "openai"),
    (GOOGLE, "google"),
]


@pytest.mark.parametrize(("body", "dialect"), SHAPES)
def test_the_dialect_is_told_from_the_requests_shape(body, dialect):
    assert dialect_of(json.dumps(body).encode()) == dialect


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"'])
def test_what_is_no_request_is_refused(body):
    with pytest.raises(RequestError, match="not a JSON object"):
        dialect_of(body)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(RequestError, match="Cannot read"):
        route(tmp_path / "missing.json", preset="guide")


LONG = {
    "model": "auto",
    "messages": [
        {"role": "system", "content": "You answer questions about the handbook. " * 1_800},
        {"role": "user", "content": "What is the rule for leave?"},
    ],
}


def test_a_warm_conversation_is_not_moved_to_what_is_only_nominally_cheaper(ask):
    cold = ask(LONG, task="general")
    assert cold["chain"][0] == "openai/gpt-4o"
    warm = ask(LONG, task="general", warm=["claude-sonnet-4-6=20000"])
    assert warm["chain"][:2] == ["anthropic/claude-sonnet-4-6", "openai/gpt-4o"]
    assert "20,000 tokens cached" in warm["reason"]
    assert "gpt-4o is nominally cheaper, but would pay full price" in warm["reason"]
    kept, rival = warm["candidates"][:2]
    assert (kept["cached_tokens"], rival["cached_tokens"]) == (20_000, 0)
    assert float(kept["expected_usd"]) < float(rival["expected_usd"])
    assert float(kept["nominal_usd"]) > float(rival["nominal_usd"])


def test_what_is_cheaper_even_at_full_price_is_moved_to(ask):
    moved = ask(LONG, task="classification", warm=["claude-sonnet-4-6=20000"])
    assert moved["chain"][0] == "openai/gpt-4o-mini"
    assert "moved from claude-sonnet-4-6" in moved["reason"]


def test_the_table_shows_what_is_cached_and_what_it_would_cost_without(ask):
    text = ask(LONG, task="general", warm=["claude-sonnet-4-6=20000"], json=False)
    for part in ("cached", "nominal", "20,000", "$0.07173", "$0.01773"):
        assert part in text


@pytest.mark.parametrize("said", ["no-such-model=5", "gpt-4o", "gpt-4o=many"])
def test_a_wrong_warm_model_is_told(ask, said):
    with pytest.raises(RequestError) as refused:
        ask(LONG, task="general", warm=[said])
    assert said in refused.value.message and "MODEL=TOKENS" in (refused.value.remedy or "")
    assert refused.value.field == "--warm"
