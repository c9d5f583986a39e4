"""`hybridllm audit`: for people, for programs, and the files that it writes."""

import builtins
import json
import socket
from pathlib import Path

import pytest
from rich.console import Console

from hybridllm.cli import app
from hybridllm.cli import audit as module
from hybridllm.cli.audit import audit
from hybridllm.config_file import load_config
from hybridllm.errors import ConfigError, HybridError

EXAMPLE = Path(__file__).parents[2] / "examples" / "usage.csv"
DAY = "2026-11-25"


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """No configuration of the machine's own, and no network."""
    monkeypatch.delenv("HYBRIDLLM_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)

    def refuse(*args):
        raise AssertionError("the command reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_as_json(capsys):
    audit([str(EXAMPLE)], day=DAY, json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["rows"], found["calls"], found["unpriced_rows"]) == (144, 144, 0)
    assert set(found) == {
        "day", "preset", "catalog_as_of", "first", "last", "rows", "calls", "unpriced_rows",
        "bill_usd", "now_usd", "hybrid_usd", "hybrid_batch_usd", "saving_usd",
        "saving_30_days_usd", "tasks", "models", "levers", "assumptions", "charged", "files",
        "notes",
    }  # fmt: skip
    assert sum(task["calls"] for task in found["tasks"]) == 144
    assert found["files"][0]["format"] == "generic"
    assert {made["name"] for made in found["assumptions"]} >= {"tasks", "quality", "waiting"}


@pytest.mark.parametrize("width", [80, 100, 140])
def test_for_people(capsys, monkeypatch, width):
    monkeypatch.setattr(module, "console", lambda: Console(width=width, highlight=False))
    audit([str(EXAMPLE)], day=DAY)
    shown = capsys.readouterr().out
    assert "…" not in shown
    for part in ("An audit of 144 rows", "ticket-triage", "THEN", "saving", "rests on"):
        assert part in shown


def test_faulty_rows_are_named(capsys, tmp_path):
    path = tmp_path / "[bold]usage.csv"
    path.write_text("model,input_tokens,output_tokens\ngpt-4o,1,1\ngpt-4o,many,1\n")
    audit([str(path)], day=DAY)
    shown = " ".join(capsys.readouterr().out.split())
    assert "1 faulty row left out: row 2, input_tokens: is no whole number" in shown


def test_the_files_that_it_writes(capsys, tmp_path):
    page, config = tmp_path / "audit.html", tmp_path / "new.toml"
    audit([str(EXAMPLE)], day=DAY, html=page, config=config)
    shown = " ".join(capsys.readouterr().out.split())
    assert str(page) in shown and str(config) in shown
    assert "contract-analysis" in page.read_text("utf-8")
    assert "contract-analysis" in load_config(str(config), env={}).tasks


def test_a_configuration_is_never_written_over(tmp_path):
    path = tmp_path / "hybridllm.toml"
    path.write_text("# mine\n")
    with pytest.raises(ConfigError, match="not written over"):
        audit([str(EXAMPLE)], config=path)
    assert path.read_text() == "# mine\n"


def test_labels_are_mapped_by_hand(capsys):
    audit([str(EXAMPLE)], day=DAY, task=["support chat=general"], json=True)
    found = json.loads(capsys.readouterr().out)
    (task,) = [task for task in found["tasks"] if task["name"] == "support chat"]
    assert (task["task"], task["known_by"]) == ("general", "mapped")


@pytest.mark.parametrize(
    "options", [{"task": ["x"]}, {"task": ["x=nothing"]}, {"day": "soon"}, {"format": "xls"}]
)
def test_options_that_make_no_sense_are_told(options):
    with pytest.raises(ConfigError):
        audit([str(EXAMPLE)], **options)


def test_without_duckdb_the_extra_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **more):
        if name == "duckdb":
            raise ImportError(name)
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(HybridError) as raised:
        audit([str(EXAMPLE)])
    assert "hybridllm[audit]" in raised.value.text()


def test_it_is_registered_with_examples_in_its_help(capsys):
    app(["audit", "--help"], result_action="return_value")
    assert "hybridllm audit usage.csv" in capsys.readouterr().out
