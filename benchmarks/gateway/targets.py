"""What is measured: how each is started, and what it must be sent."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from benchmarks.gateway import peers
from benchmarks.gateway.build import BENCH, ROOT
from benchmarks.gateway.config import GATEWAY_KEY, gateway_config, gateway_env
from benchmarks.gateway.machine import GATEWAY_CORE
from benchmarks.gateway.process import Process, Request, free_port
from benchmarks.gateway.scenarios import CHAT, PACES, Scenario

RUN = BENCH / "run" / str(os.getpid())
"""Configurations, logs and ledgers of this run."""


@dataclass
class Plan:
    """A command that serves on `port`."""

    command: list[str]
    port: int
    env: dict[str, str] = field(default_factory=dict)
    cwd: Path = ROOT
    sent: tuple[str, ...] = ()
    """Headers that every request must have."""


@dataclass(frozen=True)
class Target:
    """`plan` makes its files and says how it is started, given the upstream's port; `versions`
    names what it is, and installs it where it must be. `warm` is how many seconds of load it needs
    before a window, as just-in-time compilers do; `rate` is how many requests a second its added
    latency is measured at."""

    name: str
    title: str
    plan: Callable[[str, int], Plan]
    versions: Callable[[], str]
    warm: float = 1.0
    rate: int = 200
    patience: float = 20.0
    translates: bool = False
    streams: bool = True

    def takes(self, scenario: Scenario) -> bool:
        """Whether it is measured in `scenario`."""
        if scenario.crosses and not self.translates:
            return False
        return self.streams or not scenario.stream

    @property
    def ours(self) -> bool:
        """Whether it is hybridllm's gateway."""
        return self.translates

    def model(self, scenario: Scenario) -> str:
        """The model that a request names."""
        return "auto" if self.ours else f"bench-{scenario.pace}"

    def headers(self, scenario: Scenario) -> tuple[str, ...]:
        """Headers that only requests of `scenario` have."""
        return (f"x-hybridllm-task: {scenario.task}",) if self.ours else ()


class Running:
    """A target that serves, until it is stopped."""

    def __init__(
        self, target: Target, upstream_port: int, *, cores: tuple[int, ...] = (GATEWAY_CORE,)
    ) -> None:
        """Start it. Raises StartError."""
        self.target = target
        plan = target.plan(target.name, upstream_port)
        self.port = plan.port
        self._sent = plan.sent
        self.process = Process(
            plan.command, RUN / f"{target.name}.log", cores=cores, env=plan.env, cwd=plan.cwd
        )
        try:
            self.started_seconds = self.process.wait_until(self.request(CHAT), target.patience)
        except BaseException:
            self.process.stop()
            raise

    @property
    def pid(self) -> int:
        return self.process.pid

    def headers(self, scenario: Scenario) -> tuple[str, ...]:
        """All headers of a request."""
        return (*self._sent, *self.target.headers(scenario))

    def request(self, scenario: Scenario) -> Request:
        """One request of `scenario`."""
        body = scenario.body(self.target.model(scenario))
        return Request(self.port, scenario.path, body, self.headers(scenario))

    def stop(self) -> None:
        self.process.stop()


# -- ours


def _gateway(workers: int) -> Callable[[str, int], Plan]:
    def plan(name: str, upstream_port: int) -> Plan:
        home = RUN / name
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        (home / "hybridllm.toml").write_text(gateway_config(upstream_port))
        port = free_port()
        command = [
            *(sys.executable, "-m", "hybridllm", "serve", "--json", "--port", str(port)),
            *("--config", str(home / "hybridllm.toml"), "--preset", "guide"),
            *("--ledger", str(home / "ledger"), "--workers", str(workers)),
        ]
        sent = (f"authorization: Bearer {GATEWAY_KEY}",)
        return Plan(command, port, gateway_env(), home, sent)

    return plan


def _our_versions() -> str:
    names = ("hybridllm", "uvicorn", "uvloop", "httptools", "msgspec")
    python = ".".join(map(str, sys.version_info[:3]))
    return ", ".join([*(f"{name} {version(name)}" for name in names), f"python {python}"])


def _relay(name: str, upstream_port: int) -> Plan:
    port = free_port()
    module = "benchmarks.gateway.relay"
    return Plan([sys.executable, "-m", module, str(port), str(upstream_port)], port)


# -- peers


def _nginx(name: str, upstream_port: int) -> Plan:
    home = RUN / name
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    temporary = "\n".join(
        f"  {kind}_temp_path {home}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (home / "nginx.conf").write_text(
        f"""daemon off;
worker_processes 1;
pid {home}/pid;
error_log stderr warn;
events {{ worker_connections 8192; }}
http {{
  access_log off;
{temporary}
  keepalive_requests 1000000000;
  upstream provider {{
    server 127.0.0.1:{upstream_port};
    keepalive 4000;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://provider;
      proxy_http_version 1.1;
      proxy_set_header connection "";
      proxy_set_header authorization "Bearer sk-upstream";
      proxy_buffering off;
      client_body_buffer_size 64k;
    }}
  }}
}}
"""
    )
    nginx = shutil.which("nginx") or "nginx"
    return Plan([nginx, "-p", str(home), "-c", str(home / "nginx.conf")], port)


def _litellm(*more: str) -> Callable[[str, int], Plan]:
    def plan(name: str, upstream_port: int) -> Plan:
        home = RUN / name
        home.mkdir(parents=True, exist_ok=True)
        models = "".join(
            f"  - model_name: bench-{pace}\n"
            f"    litellm_params: {{model: openai/bench-{pace}, api_key: sk-upstream, "
            f'api_base: "http://127.0.0.1:{upstream_port}/v1"}}\n'
            for pace in PACES
        )
        (home / "config.yaml").write_text(
            f"model_list:\n{models}litellm_settings: {{telemetry: false}}\n"
        )
        port = free_port()
        key = f"sk-{secrets.token_hex(16)}"
        env = {
            "LITELLM_MASTER_KEY": key,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_LOG": "ERROR",
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_TELEMETRY": "False",
        }
        command = [
            *(str(peers.LITELLM / "bin" / "litellm"), "--config", str(home / "config.yaml")),
            *("--host", "127.0.0.1", "--port", str(port), "--num_workers", "1", *more),
        ]
        return Plan(command, port, env, home, (f"authorization: Bearer {key}",))

    return plan


def _portkey(name: str, upstream_port: int) -> Plan:
    port = free_port()
    command = ["node", str(peers.PORTKEY_SERVER), f"--port={port}", "--headless"]
    sent = (
        "authorization: Bearer sk-upstream",
        "x-portkey-provider: openai",
        f"x-portkey-custom-host: http://127.0.0.1:{upstream_port}/v1",
    )
    return Plan(command, port, {"NODE_ENV": "production"}, peers.PORTKEY, sent)


GATEWAY = Target("gateway", "hybridllm", _gateway(1), _our_versions, translates=True)
TWO_WORKERS = Target(
    "gateway-2", "hybridllm, 2 workers", _gateway(2), _our_versions, translates=True
)
RELAY = Target("relay", "bare relay", _relay, _our_versions)
NGINX = Target("nginx", "nginx", _nginx, peers.nginx)
LITELLM = Target("litellm", "LiteLLM", _litellm(), peers.litellm, warm=3, rate=20, patience=120)
LITELLM_GRANIAN = Target(
    "litellm-granian",
    "LiteLLM on granian",
    _litellm("--run_granian"),
    peers.litellm,
    warm=3,
    rate=20,
    patience=120,
)
PORTKEY = Target("portkey", "Portkey", _portkey, peers.portkey, warm=10, patience=60)

TARGETS: dict[str, Target] = {
    target.name: target for target in (GATEWAY, RELAY, NGINX, PORTKEY, LITELLM, LITELLM_GRANIAN)
}


def chosen(names: Iterable[str]) -> list[Target]:
    """The targets of these names. Raises KeyError."""
    return [TARGETS[name] for name in names]
