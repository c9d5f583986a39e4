"""A gateway in a process of its own: for the demo, for benchmarks, and for users' own tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from hybridllm.errors import ErrorKind, HybridError

_PROVIDER_VARIABLES = (
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "GOOGLE_GEMINI_BASE_URL",
    "HYBRIDLLM_KEY",
    "HYBRIDLLM_CONFIG",
)


class GatewayProcess:
    """`hybridllm serve` on a free port of this machine, as a context manager.

    `home` holds its ledger, its hybridllm.toml (`config`) and what it says on standard error.
    Providers' keys and addresses come from `env` alone, never from this process's environment.
    Raises HybridError if it does not start.
    """

    def __init__(
        self,
        home: Path,
        env: Mapping[str, str],
        *,
        config: str = "",
        preset: str = "guide",
        args: tuple[str, ...] = (),
    ) -> None:
        self.home = home
        self.ledger = home / "ledger"
        self.config = home / "hybridllm.toml"
        self.url = ""
        self._config_text = config
        self._env = dict(env)
        self._command = [
            *(sys.executable, "-m", "hybridllm", "serve", "--json", "--port", "0"),
            *("--config", str(self.config), "--preset", preset, "--ledger", str(self.ledger)),
            *args,
        ]
        self._process: subprocess.Popen[str] | None = None

    @property
    def process(self) -> subprocess.Popen[str]:
        """The running process. Raises HybridError if it was not started."""
        if self._process is None:
            raise HybridError("The gateway's process was not started.")
        return self._process

    def start(self) -> Self:
        """Start it, and wait until it serves."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.config.write_text(self._config_text)
        clean = {k: v for k, v in os.environ.items() if k not in _PROVIDER_VARIABLES}
        with (self.home / "stderr.txt").open("a") as errors:
            self._process = subprocess.Popen(
                self._command,
                env={**clean, **self._env},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            raise HybridError(
                f"The gateway did not start: {self.said().strip()}", kind=ErrorKind.UNAVAILABLE
            )
        self.url = json.loads(line)["url"]
        return self

    def said(self) -> str:
        """What it has said on standard error."""
        return (self.home / "stderr.txt").read_text()

    def hangup(self) -> None:
        """Have it read its configuration again."""
        self.process.send_signal(signal.SIGHUP)

    def stop(self) -> int:
        """Let it drain and end; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def kill(self) -> None:
        """End it at once, with no chance to tidy up."""
        self.process.kill()
        self.process.wait(timeout=60)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        if self.process.stdout is not None:
            self.process.stdout.close()
