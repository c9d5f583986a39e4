"""A command that only computes starts without the store's and the server's modules."""

import subprocess
import sys

import pytest

HEAVY = ("sqlalchemy", "uvicorn", "uvloop", "alembic")


@pytest.mark.parametrize("command", ["cost", "models", "route"])
def test_it_loads_neither_the_store_nor_the_server(command):
    code = f"import sys, hybridllm.cli.{command}; print([m for m in {HEAVY!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
