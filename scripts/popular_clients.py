"""`make clients`: the libraries that people call models with, against the gateway.

Each group of libraries has an environment of its own under .scratch/clients/, made once, so that
none of them constrains hybridllm or another. The providers are simulated; the gateway is a process
as a user starts it; the tests in tests/clients/popular/ get their addresses by environment.

    .venv/bin/python scripts/popular_clients.py [pytest arguments]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from hybridllm.gateway.process import GatewayProcess
from hybridllm.simulators import Simulators

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests/clients/popular"
HOME = ROOT / ".scratch/clients"
UV = Path(sys.executable).with_name("uv")

GROUPS = {
    "langchain": ["langchain-openai>=1.7", "langchain-anthropic>=1.7"],
    "llama_index": ["llama-index-llms-openai>=0.6"],
    "pydantic_ai": ["pydantic-ai-slim[anthropic,google,openai]>=2.38"],
    "instructor": ["instructor>=1.17", "anthropic>=2"],
    "openai_agents": ["openai-agents>=0.24"],
    "dspy": ["dspy>=3.4"],
}
"""The libraries of each environment. Its tests are `test_<name>.py`."""

CONFIG = "[routing]\nconcrete_fallbacks = false\n"
"""A model that is named is the one that answers."""


def environment(name: str, wanted: list[str]) -> Path:
    """The Python of an environment that holds `wanted` and pytest."""
    home = HOME / name
    python = home / "bin/python"
    made = home / "made-for.txt"
    needs = "\n".join(wanted)
    if not made.exists() or made.read_text() != needs:
        print(f"{name}: installing {', '.join(wanted)}", flush=True)
        uv = [str(UV)]
        subprocess.run([*uv, "venv", "-q", "--clear", "-p", sys.executable, home], check=True)
        install = [*uv, "pip", "install", "-q", "-p", python, "pytest>=9", *wanted]
        subprocess.run(install, check=True)
        made.write_text(needs)
    return python


def main() -> int:
    """Run every group's tests; the number of groups that failed."""
    chosen = os.environ.get("CLIENTS", " ".join(GROUPS)).split()
    pythons = {name: environment(name, GROUPS[name]) for name in chosen}
    failed = []
    with Simulators() as simulators, tempfile.TemporaryDirectory() as home:
        gateway = GatewayProcess(Path(home), simulators.env(), preset="default", config=CONFIG)
        with gateway as running:
            addresses = {
                "HYBRIDLLM_GATEWAY": running.url,
                "HYBRIDLLM_SIMULATORS": simulators.control,
            }
            for name, python in pythons.items():
                print(f"== {name}", flush=True)
                # The suite's own conftest wants hybridllm, which these environments do not have.
                quiet = ["-q", "-c", os.devnull, "--rootdir", TESTS, "--confcutdir", TESTS]
                quiet += ["--import-mode", "importlib", "-p", "no:cacheprovider"]
                command = [python, "-m", "pytest", *quiet, TESTS / f"test_{name}.py"]
                done = subprocess.run(
                    [*command, *sys.argv[1:]], env={**_clean(), **addresses}, cwd=TESTS
                )
                if done.returncode:
                    failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "every client works")
    return len(failed)


def _clean() -> dict[str, str]:
    """The environment without keys and addresses of real providers; nothing calls home."""
    ours = ("OPENAI_", "ANTHROPIC_", "GOOGLE_", "GEMINI_", "HYBRIDLLM_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {
        "OPENAI_AGENTS_DISABLE_TRACING": "1",
        "LANGSMITH_TRACING": "false",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "PYTHONWARNINGS": "ignore",
    }


if __name__ == "__main__":
    sys.exit(main())
