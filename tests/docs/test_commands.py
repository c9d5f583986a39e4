"""What README.md and docs/ tell one to type works, as typed.

Every `sh` block is run whole by bash in an empty directory, with a ledger in which something was
recorded. Where it starts a gateway, or speaks to simulators, simulated providers are there. What
only a Makefile can do is checked for being there. Every `toml` block is read as a configuration, or
as the fault plan that it is.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from hybridllm.config import LedgerConfig
from hybridllm.config_file import load_config
from hybridllm.ledger import Ledger
from hybridllm.simulators import Simulators
from hybridllm.simulators.fault_files import read_faults
from tests.docs.blocks import PAGES, ROOT, Block, blocks, blocks_of
from tests.ledger.samples import attempt, intent

SHELL = blocks("sh", "bash", "shell")
RUN = [block for block in SHELL if block.reason is None]
SECONDS = 50
GATEWAY = "4000"
SIMULATORS = {"9101": "OPENAI", "9102": "ANTHROPIC", "9103": "GOOGLE_GEMINI"}
"""The ports that the pages speak of: a block is run with others in their place."""
_MAKE = re.compile(r"\bmake ([a-z][a-z0-9-]*)")
_OURS = re.compile(r"^(HYBRIDLLM|OPENAI|ANTHROPIC|GEMINI|GOOGLE)_")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose ledger has one attempt, of today."""
    path = tmp_path_factory.mktemp("home")
    ledger = Ledger(LedgerConfig(directory=str(path)))
    ledger.open()
    now = time.time_ns() // 1000
    ledger.intend(intent(at=now))
    ledger.record(attempt(at=now))
    ledger.close()
    return path


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture(scope="module")
def providers() -> Iterator[Simulators]:
    """Simulated providers of this module's own, since the pages set faults."""
    with Simulators(profile="fast") as running:
        yield running


def ports_of(env: Mapping[str, str]) -> dict[str, str]:
    """By the pages' ports, those that are served here."""
    found = {page: env[f"{name}_BASE_URL"] for page, name in SIMULATORS.items()}
    served = {page: str(urlsplit(url).port) for page, url in found.items()}
    return {**served, GATEWAY: free_port()}


def script_of(block: Block, ports: Mapping[str, str]) -> str:
    """The block as a script: without what the Makefile does, on ports of its own, waiting for a
    gateway that it starts in the background, and ending servers when it ends."""
    text = re.sub("|".join(ports), lambda found: ports[found[0]], block.text)
    lines = ["set -euo pipefail", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"]
    for line in text.splitlines():
        if line.startswith("make "):
            continue
        if re.match(r"hybridllm simulate\b[^&]*$", line):
            # It would serve until Ctrl-C. That it says where it serves is enough.
            line += " --openai-port 0 --anthropic-port 0 --google-port 0 > said &"
            waiting = "test -s said"
        elif re.match(r"hybridllm serve\b[^#]*&", line):
            waiting = f"(exec 3<>/dev/tcp/127.0.0.1/{ports[GATEWAY]}) 2>/dev/null"
        else:
            lines.append(line)
            continue
        lines += [line, f"for i in $(seq 200); do {waiting} && break; sleep 0.1; done", waiting]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("block", RUN, ids=str)
def test_what_one_is_told_to_type_works(
    block: Block, home: Path, tmp_path: Path, providers: Simulators
) -> None:
    env = {name: value for name, value in os.environ.items() if not _OURS.match(name)}
    env |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HYBRIDLLM_HOME": str(home),
    }
    ports = ports_of(providers.env())
    if "hybridllm serve" in block.text:
        settings = tmp_path / "settings.toml"
        settings.write_text(f"[server]\nport = {ports[GATEWAY]}\n")
        env |= {**providers.env(), "HYBRIDLLM_CONFIG": str(settings)}
        env["HYBRIDLLM_HOME"] = str(tmp_path / "home")
    done = subprocess.run(
        ["bash", "-c", script_of(block, ports)],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{block}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def test_every_page_that_names_our_commands_has_some_that_are_run() -> None:
    pages = {block.page.name for block in RUN if "hybridllm " in block.text}
    assert {"README.md", "costs.md", "ledger.md", "routing.md"} <= pages


@pytest.mark.parametrize("block", [b for b in SHELL if b.reason is not None], ids=str)
def test_what_is_not_run_says_why(block: Block) -> None:
    assert block.reason and len(block.reason.split()) >= 3


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_target_that_is_named_is_in_the_makefile(page: Path) -> None:
    code = [block.text for block in blocks_of(page)]
    code += re.findall(r"`(make [^`]*)`", page.read_text())
    known = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {target for text in code for target in _MAKE.findall(text)} <= known


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_every_configuration_loads(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "hybridllm.toml"
    path.write_text(block.text)
    if "[[faults]]" in block.text:
        assert read_faults(path)
        return
    assert load_config(str(path), env={}).path == str(path)


def test_blocks_and_their_markers_are_found() -> None:
    page = Path("page.md")
    text = "a\n```sh\nx\n```\n<!-- not run: no key here -->\n```sh\ny\n```\n<!-- not run -->\n"
    text += "```toml\nz\n```\n\nb\n```\n```sh\n```\n"
    found = [(b.line, b.language, b.text, b.reason) for b in blocks_of(page, text)]
    assert found == [
        (2, "sh", "x\n", None),
        (6, "sh", "y\n", "no key here"),
        (10, "toml", "z\n", ""),
        (15, "", "```sh\n", None),
    ]
