"""A gateway's life: a configuration changes whole or not at all, and SIGTERM loses no request."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hybridllm.simulators import Simulators
from tests.gateway.upstream import (
    PATHS,
    STREAM_HEAD,
    Seen,
    gateway_before,
    http,
    piece,
    streaming,
)
from tests.providers.servers import Peer
from tests.running import RunningGateway

ASK = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}
ANSWER = (
    b'{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}'
)


def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    """Waits until it is true, and fails after long enough."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.02)


def task_of(gateway: RunningGateway) -> str:
    """Which task a request is taken for that names none."""
    return gateway.post(PATHS["openai"], ASK).headers["x-hybridllm-task"]


async def test_requests_under_way_end_after_sigterm_and_are_recorded(tmp_path: Path) -> None:
    finish = asyncio.Event()
    arrived = asyncio.Semaphore(0)

    async def script(peer: Peer, seen: Seen) -> None:
        arrived.release()
        if seen.json().get("stream"):
            delta = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
            await peer.send(STREAM_HEAD + piece(delta))
            await finish.wait()
            await peer.send(piece(b"data: [DONE]\n\n") + piece(b""))
        else:
            await finish.wait()
            await peer.send(http(ANSWER))

    async with gateway_before(script, tmp_path) as (gateway, _):
        whole = asyncio.create_task(asyncio.to_thread(gateway.post, PATHS["openai"], ASK))
        await arrived.acquire()
        async with streaming(gateway, PATHS["openai"], ASK | {"stream": True}) as stream:
            await stream.chunk()
            gateway.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.3)
            assert gateway.process.poll() is None, "it waits for the requests"
            finish.set()
            assert (await stream.rest()).endswith(b"data: [DONE]\n\n")
        reply = await whole
        assert reply.status == 200
        assert await asyncio.to_thread(gateway.process.wait, 20) == 0
    ids = {reply.headers["x-hybridllm-request-id"], stream.headers["x-hybridllm-request-id"]}
    assert recorded(gateway) == dict.fromkeys(ids, "ok")


def recorded(gateway: RunningGateway) -> dict[str, str]:
    """Request ids and outcomes in the ledger of a gateway that has ended."""
    from sqlalchemy import select

    from hybridllm.store import open_store
    from hybridllm.store.schema import attempts

    engine = open_store(f"sqlite:///{gateway.ledger / 'ledger.db'}")
    with engine.connect() as connection:
        found = connection.execute(select(attempts.c.request_id, attempts.c.outcome)).all()
    engine.dispose()
    return {row[0]: row[1] for row in found}


@pytest.mark.parametrize("how", ["SIGHUP", "file"])
def test_a_changed_configuration_is_taken_whole(
    simulators: Simulators, tmp_path: Path, how: str
) -> None:
    with RunningGateway(
        tmp_path, simulators.env(), config='[routing]\ndefault_task = "general"\n'
    ) as gateway:
        ask = ASK | {"model": "openai/gpt-4o-mini"}
        assert gateway.post(PATHS["openai"], ask).headers["x-hybridllm-task"] == "general"
        before = gateway.config.stat().st_mtime_ns
        gateway.config.write_text('[routing]\ndefault_task = "extraction"\n')
        if how == "SIGHUP":
            # The file's own time of change must not give it away.
            os.utime(gateway.config, ns=(before, before))
            gateway.hangup()
        until(
            lambda: gateway.post(PATHS["openai"], ask).headers["x-hybridllm-task"] == "extraction"
        )


def test_a_broken_configuration_changes_nothing_and_is_told_by_line(
    simulators: Simulators, tmp_path: Path
) -> None:
    with RunningGateway(tmp_path, simulators.env()) as gateway:
        before = task_of(gateway)
        gateway.config.write_text('[routing]\ndefault_task = "no-such-task"\n')
        gateway.hangup()
        until(lambda: "no-such-task" in gateway.said())
        assert f"{gateway.config}:2" in gateway.said()
        assert "routing.default_task" in gateway.said()
        assert task_of(gateway) == before


def test_several_workers_share_a_port_and_a_ledger(simulators: Simulators, tmp_path: Path) -> None:
    with RunningGateway(tmp_path, simulators.env(), args=("--workers", "2")) as gateway:
        replies = [gateway.post(PATHS["openai"], ASK) for _ in range(20)]
        assert {reply.status for reply in replies} == {200}
    ids = {reply.headers["x-hybridllm-request-id"] for reply in replies}
    assert len({one.split("-")[1] for one in ids}) == 2, "both workers have answered"
    assert recorded(gateway) == dict.fromkeys(ids, "ok")


def served(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """`hybridllm serve` with these arguments and nothing else in its environment but `env`."""
    clean = {k: v for k, v in os.environ.items() if "API_KEY" not in k and "HYBRIDLLM" not in k}
    return subprocess.run(
        [sys.executable, "-m", "hybridllm", "serve", *arguments],
        env=clean | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_off_loopback_a_key_is_required(tmp_path: Path) -> None:
    home = str(tmp_path)
    done = served("--host", "0.0.0.0", OPENAI_API_KEY="sim-key", HYBRIDLLM_HOME=home)
    assert done.returncode == 2
    assert "HYBRIDLLM_KEY" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_any_providers_key_the_error_says_what_to_do(tmp_path: Path) -> None:
    done = served(HYBRIDLLM_HOME=str(tmp_path))
    assert done.returncode == 2
    assert "OPENAI_API_KEY" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_named(gateway: RunningGateway, tmp_path: Path) -> None:
    port = gateway.url.rpartition(":")[2]
    done = served("--port", port, OPENAI_API_KEY="sim-key", HYBRIDLLM_HOME=str(tmp_path))
    assert done.returncode == 2
    assert port in done.stderr and "--port" in done.stderr
