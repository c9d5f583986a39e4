"""What a cascade does is told to the library's caller, summed up in a report, and learned from."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hybridllm import ConfigError, Stack
from hybridllm.checks import sandbox
from hybridllm.cli.route import route
from hybridllm.config_file import load_config
from hybridllm.engine.checking import refuse_unusable
from hybridllm.engine.passing import passes_of
from hybridllm.reports.levers import levers
from hybridllm.simulators import Simulators
from hybridllm.store import open_store

CONFIG = """
preset = "guide"
[tasks.general.cascade]
first = "gpt-4o-mini"
check = "regex"
expression = "^yes"
"""


@pytest.fixture
def home(simulators: Simulators, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYBRIDLLM_CONFIG", raising=False)
    monkeypatch.setenv("HYBRIDLLM_HOME", str(tmp_path))
    for name, value in simulators.env().items():
        monkeypatch.setenv(name, value)
    (tmp_path / "hybridllm.toml").write_text(CONFIG)
    return tmp_path


async def test_what_passed_is_saved_and_what_failed_is_paid(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Stack() as stack:
        yes = await stack.chat(task="general", messages=[said("yes")])
        noes = [await stack.chat(task="general", messages=[said("no")]) for _ in range(2)]
    assert (yes.cascade, yes.checks_usd) == ("passed: the expression is in it", 0)
    assert all(no.cascade.startswith("escalated") and no.checks_usd > 0 for no in noes)
    assert all(no.model != yes.model == "openai/gpt-4o-mini" for no in noes)

    config, url = load_config(), f"sqlite:///{home / 'ledger.db'}"
    store = open_store(url)
    found = levers(store, config, datetime.now(UTC) - timedelta(hours=1)).total
    store.dispose()
    extra = sum(no.checks_usd for no in noes)
    assert (found.checked, found.passed) == (3, 1)
    assert found.cascade_extra == extra * 10**12
    assert found.saved == found.cascade_saved - found.cascade_extra
    assert found.cost == (extra + yes.cost_usd + sum(no.cost_usd for no in noes)) * 10**12

    seen = passes_of(config, url).of(config.tasks["general"], datetime.now(UTC).timestamp())
    assert seen is not None
    assert (seen.checked, seen.passed) == pytest.approx((3, 1), rel=0.05)
    (home / "request.json").write_text(json.dumps({"model": "auto", "messages": [said("x")]}))
    route(home / "request.json", task="general", json=True)
    told = json.loads(capsys.readouterr().out)["cascade"]
    assert (told["first"], told["checks"], told["taken"]) == ("openai/gpt-4o-mini", 3, True)
    assert 0 < told["pass_rate_lower"] < told["pass_rate"] < 0.7, "it was taken for 0.7"
    route(home / "request.json", task="general")
    assert "openai/gpt-4o-mini (checked) →" in capsys.readouterr().out.replace("\n", " ")


async def test_a_cascade_that_stops_paying_is_not_gone_through(home: Path) -> None:
    hard = 'prior_checks = 4\nexpected_pass = 0.5\ncheck = "self-consistency"\ncompare = "number"\n'
    (home / "hybridllm.toml").write_text(CONFIG.replace('check = "regex"\n', hard))
    async with Stack() as stack:
        replies = [await stack.chat(task="general", messages=[said("none")]) for _ in range(12)]
    assert replies[0].cascade.startswith("escalated: 0 of 3 samples agree")
    assert replies[-1].cascade == "" and replies[-1].attempts == 1
    assert "no cascade from gpt-4o-mini, since its check at least" in replies[-1].reason


def test_a_check_that_cannot_be_made_here_is_refused_at_the_start(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tests = CONFIG.replace('"regex"', '"tests"') + 'tests = "assert True"\n'
    (home / "hybridllm.toml").write_text(tests)
    monkeypatch.setattr(sandbox, "unavailable", lambda: "no namespaces")
    with pytest.raises(ConfigError, match=r"no sandbox.*no namespaces"):
        refuse_unusable(load_config())
    (home / "hybridllm.toml").write_text(
        CONFIG.replace('"regex"', '"schema"') + "schema = '{\"type\": 7}'\n"
    )
    with pytest.raises(ConfigError, match="no JSON Schema"):
        refuse_unusable(load_config())


def said(text: str) -> dict[str, str]:
    return {"role": "user", "content": f"[[sim say {json.dumps(text)}]]"}
