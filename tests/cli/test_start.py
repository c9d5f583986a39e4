"""Starting: help lists every command, and a command that only computes does not load the store."""

import subprocess
import sys

import pytest

from hybridllm.cli import COMMANDS, REPORTS, main

HEAVY = ("sqlalchemy", "uvicorn", "uvloop", "alembic")


@pytest.mark.parametrize("command", ["cost", "models", "route"])
def test_it_loads_neither_the_store_nor_the_server(command):
    code = f"import sys, hybridllm.cli.{command}; print([m for m in {HEAVY!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def said(monkeypatch, capsys, *arguments):
    """What the program prints before it ends well."""
    monkeypatch.setattr(sys, "argv", ["hybridllm", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "names"),
    [([], COMMANDS), (["--help"], COMMANDS), (["-h"], COMMANDS), (["report", "--help"], REPORTS)],
)
def test_help_lists_every_command_with_a_summary(monkeypatch, capsys, arguments, names):
    text = said(monkeypatch, capsys, *arguments)
    for name in names:
        line = next(line for line in text.splitlines() if line.startswith(f"│ {name} "))
        assert len(line.strip("│ ").split()) > 4, line
    assert "Example" not in text


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_own_help_shows_how_it_is_called(monkeypatch, capsys, name):
    assert f"hybridllm {name} " in said(monkeypatch, capsys, name, "--help").partition("\n")[2]
