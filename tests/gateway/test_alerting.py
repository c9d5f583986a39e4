"""People are told what needs them: once, whoever notices it, and again where it did not arrive."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from hybridllm.config import AlertsConfig, BreakerConfig, Config
from hybridllm.config_file import load_config
from hybridllm.engine.runtime import Runtime
from hybridllm.errors import ConfigError
from hybridllm.gateway.alerting import Alerts
from hybridllm.gateway.notifying import targets_of
from hybridllm.providers.breakers import Breakers
from hybridllm.simulators import Simulators
from hybridllm.store import open_store
from hybridllm.store.alerts import AlertRow, read_alerts
from tests.gateway.test_measuring import live
from tests.running import RunningGateway

SECRET = "s3cret-path"


class Receiver:
    """A webhook that keeps what it is sent, and fails as often as it is told to."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.failures = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                bad = receiver.failures > 0
                receiver.failures -= bad
                if not bad:
                    receiver.got.append(body)
                self.send_response(500 if bad else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self.server.server_port}/{SECRET}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def said(self) -> list[str]:
        return [each["message"] for each in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def configured(**alerts: Any) -> Config:
    base = load_config(None, "guide", env={})
    return msgspec.structs.replace(base, alerts=AlertsConfig(**alerts))


def rows_of(url: str) -> list[AlertRow]:
    engine = open_store(url)
    try:
        with engine.connect() as connection:
            return read_alerts(connection, 100)
    finally:
        engine.dispose()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


def opened(url: str, config: Config, delays: tuple[float, ...] = (0.0, 0.0)) -> Alerts:
    made = Alerts(url, delays)
    made.use(config)
    return made


async def test_of_two_who_notice_the_same_one_tells_it(url: str, receiver: Receiver) -> None:
    config = configured(urls=(receiver.url,))
    one, other = opened(url, config), opened(url, config)
    assert one.changed("degraded", "", "m at t", "m at t is worse.")
    assert not other.changed("degraded", "", "m at t", "m at t is worse.")
    assert one.deliver() == 1 and other.deliver() == 0
    assert receiver.said == ["m at t is worse."]
    assert receiver.got[0]["title"] == "hybridllm: degraded"
    assert other.still("degraded", ("degraded", "recovered")) == ["m at t"]
    assert other.changed("recovered", "degraded", "m at t", "m at t is well.")
    assert not one.changed("recovered", "degraded", "m at t", "m at t is well.")
    assert one.changed("degraded", "", "m at t", "m at t is worse again.")
    one.deliver()
    assert receiver.said[1:] == ["m at t is well.", "m at t is worse again."]
    assert not one.changed("recovered", "degraded", "n at t", "n was never told to be degraded.")
    for each in (one, other):
        await each.stop()


async def test_what_did_not_arrive_is_tried_again_and_then_given_up(
    url: str, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    alerts = opened(url, configured(urls=(receiver.url,)))
    receiver.failures = 2
    alerts.tell("degraded", "a", "first", id="1")
    assert [alerts.deliver() for _ in range(4)] == [1, 1, 1, 0]
    assert receiver.said == ["first"]
    receiver.failures = 3
    alerts.tell("degraded", "b", "second", id="2")
    assert [alerts.deliver() for _ in range(4)] == [1, 1, 1, 0]
    assert receiver.said == ["first"]
    states = {(row.id, row.target): row.state for row in rows_of(url)}
    assert states == {
        ("1", ""): "told",
        ("1", "JSON"): "told",
        ("2", ""): "told",
        ("2", "JSON"): "given_up",
    }
    assert "given up" in caplog.text and SECRET not in caplog.text
    await alerts.stop()


async def test_a_former_processs_alert_is_delivered_by_the_next(
    url: str, receiver: Receiver
) -> None:
    first = opened(url, configured(urls=(receiver.url,)))
    first.tell("degraded", "a", "left behind", id="1")
    await first.stop()
    second = opened(url, configured(urls=(receiver.url,)))
    assert second.deliver() == 1 and receiver.said == ["left behind"]
    await second.stop()


async def test_only_the_events_that_were_chosen_are_sent(url: str, receiver: Receiver) -> None:
    alerts = opened(url, configured(urls=(receiver.url,), events=("breaker",)))
    assert alerts.tell("degraded", "a", "worse", id="1")
    assert alerts.deliver() == 0
    assert [row.target for row in rows_of(url)] == [""], "the log has it"
    await alerts.stop()


async def test_a_model_that_keeps_failing_is_told_of_once(url: str, receiver: Receiver) -> None:
    breakers = Breakers(BreakerConfig(failures=1))
    breakers.failure("openai/gpt-4o", time.monotonic())
    breakers.failure("openai/o3", time.monotonic() - 60)
    breakers.success("openai/o3", time.monotonic())
    alerts = opened(url, configured(urls=(receiver.url,), breaker_minutes=0.002))
    alerts.start(lambda: cast(Runtime, SimpleNamespace(breakers=breakers)))
    end = time.monotonic() + 20
    while not receiver.got and time.monotonic() < end:
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.5)
    await alerts.stop()
    assert receiver.said == ["openai/gpt-4o has failed for 0.002 minutes and is passed over."]


def test_targets_are_checked_and_never_shown() -> None:
    with pytest.raises(ConfigError, match="ALERT_URL is not set") as missing:
        targets_of(configured(urls=("$ALERT_URL",)), env={})
    assert missing.value.field == "alerts.urls[0]"
    with pytest.raises(ConfigError, match="no URL of a service") as unknown:
        targets_of(configured(urls=("json://localhost", "nonsense://hush")), env={})
    assert unknown.value.field == "alerts.urls[1]" and "hush" not in str(unknown.value)
    found = targets_of(
        configured(urls=("$ALERT_URL", "json://a/${WORD}", "json://b")),
        env={"ALERT_URL": f"json://h/{SECRET}", "WORD": SECRET},
    )
    assert [one.name for one in found] == ["$ALERT_URL", "JSON", "JSON #2"]
    assert SECRET not in repr(found)


def test_without_apprise_the_start_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigError, match=r"hybridllm\[alerts\]"):
        targets_of(configured(urls=("json://localhost",)))
    assert targets_of(configured()) == [], "nothing is needed where nobody is told"


def test_a_pasted_secret_is_no_url_and_is_not_repeated(tmp_path: Path) -> None:
    file = tmp_path / "hybridllm.toml"
    file.write_text('[alerts]\nurls = ["xoxb-hush"]\n')
    with pytest.raises(ConfigError) as e:
        load_config(str(file), env={})
    assert f"{file}:2" in str(e.value) and "alerts.urls[0]" in str(e.value)
    assert "hush" not in str(e.value)


def until(gateway: RunningGateway, receiver: Receiver, n: int) -> None:
    end = time.monotonic() + 40
    while len(receiver.got) < n and time.monotonic() < end:
        time.sleep(0.2)
    assert len(receiver.got) == n, gateway.said()


def test_a_gateway_tells_of_a_model_that_became_worse_once_over_restarts(
    simulators: Simulators, tmp_path: Path, receiver: Receiver
) -> None:
    said = '[alerts]\nurls = ["$ALERT_URL"]\n'
    env = {**simulators.env(), "ALERT_URL": receiver.url}
    with RunningGateway(tmp_path, env, config=said) as gateway:
        ledger = gateway.ledger
        live(ledger, 0, 600, 100)
        live(ledger, 600, 120, 4)
        until(gateway, receiver, 1)
        assert "openai/gpt-4o-mini at classification is degraded since" in receiver.said[0]
    live(ledger, 720, 210, 100)  # well again while nobody looks
    with RunningGateway(tmp_path, env, config=said) as gateway:
        until(gateway, receiver, 2)
        assert receiver.said[1] == "openai/gpt-4o-mini at classification is no longer degraded."
        assert SECRET not in gateway.said()
        gateway.process.send_signal(signal.SIGTERM)
    done = subprocess.run(
        [sys.executable, "-m", "hybridllm", "alerts", "list", "--ledger", str(ledger)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "degraded" in done.stdout and "$ALERT_URL told" in done.stdout
