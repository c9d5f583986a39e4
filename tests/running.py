"""A gateway of its own process, as a user starts it, for tests that talk to it over HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PROVIDER_VARIABLES = (
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


@dataclass
class Reply:
    """One HTTP reply, whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class RunningGateway:
    """`url` has no path; `home` holds the ledger."""

    url: str
    home: Path
    process: subprocess.Popen[str]

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,
    ) -> Reply:
        """One request on a connection of its own. `body`: bytes as they are, else JSON."""
        at = urlsplit(self.url)
        connection = HTTPConnection(at.hostname or "", at.port, timeout=timeout)
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            connection.request(
                method, path, data, {"content-type": "application/json", **(headers or {})}
            )
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, found, response.read())
        finally:
            connection.close()

    def post(
        self, path: str, body: Any, headers: Mapping[str, str] | None = None, timeout: float = 30.0
    ) -> Reply:
        return self.request("POST", path, body, headers, timeout)

    def attempts(self, request_id: str) -> list[dict[str, Any]]:
        """The ledger's rows of a request."""
        found: list[dict[str, Any]] = self.request("GET", f"/api/v1/requests/{request_id}").json()[
            "attempts"
        ]
        return found

    def stop(self) -> int:
        """SIGTERM, wait for the drain; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def kill(self) -> None:
        """SIGKILL: no chance to tidy up."""
        self.process.kill()
        self.process.wait(timeout=30)


@contextmanager
def serve(
    home: Path,
    env: Mapping[str, str],
    *,
    config: str = "",
    preset: str = "guide",
    args: tuple[str, ...] = (),
) -> Iterator[RunningGateway]:
    """`hybridllm serve` with `config` as its hybridllm.toml and `env` over a clean environment."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / "hybridllm.toml"
    path.write_text(config)
    clean = {k: v for k, v in os.environ.items() if k not in PROVIDER_VARIABLES}
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "hybridllm", "serve", "--json", "--port", "0"),
            *("--config", str(path), "--preset", preset, "--ledger", str(home / "ledger")),
            *args,
        ],
        env={**clean, **env},
        stdout=subprocess.PIPE,
        stderr=(home / "stderr.txt").open("w"),
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"the gateway did not start: {(home / 'stderr.txt').read_text()}"
        yield RunningGateway(json.loads(line)["url"], home, process)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(timeout=30)
        process.stdout.close()
