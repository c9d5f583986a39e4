"""The peers, each in an environment of its own under .bench/, so that none touches the project's.

What cannot be installed is reported in the results, never left out in silence.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.gateway.build import BENCH

LITELLM = BENCH / "litellm"
PORTKEY = BENCH / "portkey"
_PORTKEY_PACKAGE = PORTKEY / "node_modules" / "@portkey-ai" / "gateway"
PORTKEY_SERVER = _PORTKEY_PACKAGE / "build" / "start-server.js"
TOOLS = BENCH / "tools"
_INSTALL_SECONDS = 600


class MissingError(Exception):
    """A peer cannot be had here; says why."""


def _run(command: list[str], cwd: Path = BENCH) -> str:
    try:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=_INSTALL_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise MissingError(f"{command[0]}: {e}") from None
    if done.returncode:
        raise MissingError(f"{' '.join(command[:4])} ...: {(done.stderr or done.stdout)[-300:]}")
    return done.stdout.strip()


def _environment(at: Path, *packages: str) -> None:
    python = at / "bin" / "python"
    BENCH.mkdir(exist_ok=True)
    uv = [sys.executable, "-m", "uv"]
    if not python.exists():
        _run([*uv, "venv", "--quiet", "--python", sys.executable, str(at)])
    _run([*uv, "pip", "install", "--quiet", "--python", str(python), *packages])


def _versions(at: Path, *packages: str) -> str:
    code = (
        "import sys, importlib.metadata as m\n"
        "for name in sys.argv[1:]:\n"
        "    try: print(name, m.version(name))\n"
        "    except m.PackageNotFoundError: print('no', name)\n"
    )
    out = _run([str(at / "bin" / "python"), "-c", code, *packages])
    return ", ".join(out.splitlines())


def litellm() -> str:
    """LiteLLM's proxy, installed if need be; its versions. Raises MissingError."""
    if not (LITELLM / "bin" / "litellm").exists():
        _environment(LITELLM, "litellm[proxy]", "granian")
    return _versions(LITELLM, "litellm", "uvicorn", "uvloop", "httptools", "granian")


def portkey() -> str:
    """Portkey's gateway, installed if need be; its versions. Raises MissingError."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        raise MissingError("node and npm are not installed.")
    if not PORTKEY_SERVER.exists():
        PORTKEY.mkdir(parents=True, exist_ok=True)
        (PORTKEY / "package.json").write_text('{"private": true}\n')
        install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"]
        _run([*install, "@portkey-ai/gateway"], PORTKEY)
    version = json.loads((_PORTKEY_PACKAGE / "package.json").read_text())["version"]
    return f"@portkey-ai/gateway {version}, node {_run([node, '--version'])}"


def nginx() -> str:
    """nginx, installed by apt if need be and possible; its version. Raises MissingError."""
    if shutil.which("nginx") is None:
        if shutil.which("apt-get") is None:
            raise MissingError("nginx is not installed, and there is no apt-get to install it.")
        _run(["apt-get", "update", "-q"])
        _run(["apt-get", "install", "-y", "-q", "--no-install-recommends", "nginx-light"])
    done = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=False)
    return done.stderr.strip().replace("nginx version: ", "")


def py_spy() -> Path:
    """The sampling profiler. Raises MissingError."""
    program = TOOLS / "bin" / "py-spy"
    if not program.exists():
        _environment(TOOLS, "py-spy")
    return program
