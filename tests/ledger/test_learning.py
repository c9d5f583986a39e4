"""What loading the ledger teaches of tokens a byte, and that a restart keeps it."""

import pytest

from hybridllm.config import LedgerConfig
from hybridllm.ledger import Ledger
from hybridllm.ledger.learning import calibrations
from hybridllm.store import open_store
from tests.ledger.samples import attempt, intent

MODEL = "anthropic/claude-sonnet-4-6"


@pytest.fixture
def config(tmp_path):
    return LedgerConfig(directory=str(tmp_path), load_seconds=0.05)


def say(ledger, number, **changes):
    """Journal an attempt that tells 232 tokens of 1,000 bytes, unless `changes` say otherwise."""
    told = {"model": MODEL, "text_bytes": 1000, "text_kind": "prose", "input_tokens": 232}
    ledger.intend(intent(f"hl-{number}"))
    ledger.record(attempt(f"hl-{number}", **{**told, **changes}))


def stored(config):
    engine = open_store(f"sqlite:///{config.directory}/ledger.db")
    found = {(one.model, one.kind): one for one in calibrations(engine)}
    engine.dispose()
    return found


def test_reports_teach_and_a_restart_keeps_what_was_learned(config):
    told = []
    ledger = Ledger(config)
    ledger.on_learned = told.append
    ledger.open()
    say(ledger, 1)
    ledger.flush()
    assert told[-1] == {"prose": {MODEL: 261}}
    ledger.close()
    again, heard = Ledger(config), []
    again.on_learned = heard.append
    again.open()
    again.flush()
    assert heard[0] == {"prose": {MODEL: 261}}
    say(again, 2, input_tokens=261)
    again.close()
    assert (stored(config)[MODEL, "prose"].reports, stored(config)[MODEL, "prose"].error) == (
        2,
        125_000,
    )


def test_all_kinds_of_input_are_input(config):
    ledger = Ledger(config)
    ledger.open()
    say(ledger, 1, input_tokens=32, cache_read_tokens=100, cache_write_tokens=100)
    ledger.close()
    assert stored(config)[MODEL, "prose"].tokens_per_kbyte == 261


@pytest.mark.parametrize(
    "changes",
    [
        {"text_kind": ""},
        {"usage_estimated": True},
        {"outcome": "error"},
        {"outcome": "cut"},
        {"text_bytes": 100},
        {"input_tokens": 0},
    ],
    ids=str,
)
def test_what_no_provider_reported_of_text_alone_teaches_nothing(config, changes):
    ledger = Ledger(config)
    ledger.open()
    say(ledger, 1, **changes)
    ledger.close()
    assert stored(config) == {}


def test_models_and_kinds_learn_apart(config):
    ledger = Ledger(config)
    ledger.open()
    say(ledger, 1)
    say(ledger, 2, text_kind="code", input_tokens=400)
    say(ledger, 3, model="openai/gpt-4o", input_tokens=250)
    ledger.close()
    found = stored(config)
    assert {key: one.reports for key, one in found.items()} == {
        (MODEL, "prose"): 1,
        (MODEL, "code"): 1,
        ("openai/gpt-4o", "prose"): 1,
    }
    assert found["openai/gpt-4o", "prose"].error == 0
