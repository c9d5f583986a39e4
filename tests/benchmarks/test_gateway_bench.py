"""The bench's own machinery: that what it counts is there, and that it sees what is wrong. Nothing
here looks at how long anything took."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("the bench runs on Linux alone", allow_module_level=True)

from benchmarks.gateway.build import build, compiler
from benchmarks.gateway.config import GATEWAY_KEY, gateway_config, gateway_env
from benchmarks.gateway.load import Generator, Load, Times, Upstream
from benchmarks.gateway.machine import cpu_seconds, pss_kb
from benchmarks.gateway.process import Process, Request
from benchmarks.gateway.report import markdown, ratio_text
from benchmarks.gateway.results import Results, Window
from benchmarks.gateway.scenarios import (
    BODY_BYTES,
    CHAT,
    CHAT_BACK,
    CHAT_CROSS,
    CHUNKS,
    PACED,
    STREAM,
    STREAM_CROSS,
    WINDOWS,
    Scenario,
)
from benchmarks.gateway.steps import Steps
from benchmarks.gateway.targets import RELAY
from benchmarks.gateway.verdict import Verdict, us_request

from hybridllm.gateway.process import GatewayProcess

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no C compiler (cc)")

SECONDS = 0.3


@pytest.fixture
def generator(tmp_path: Path) -> Generator:
    return Generator(tmp_path / "load", core=None)


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    with Upstream(tmp_path, core=None) as running:
        yield running


def run(generator: Generator, scenario: Scenario, port: int, headers: tuple[str, ...] = ()) -> Load:
    model = "auto" if headers else f"bench-{scenario.pace}"
    return generator.run(
        scenario, [port], model=model, headers=headers, seconds=SECONDS, connections=4
    )[0]


def check(load: Load, scenario: Scenario) -> None:
    assert load.errors == 0, load.sample
    assert load.good == load.started > 0
    assert load.chunks == (load.good * CHUNKS if scenario.stream else 0)


def test_programs_build_without_a_warning(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("upstream", "load"):
        assert build(name, tmp_path).stat().st_size > 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("scenario", WINDOWS, ids=lambda s: s.name)
def test_a_body_has_its_size_whatever_it_asks(scenario: Scenario) -> None:
    assert len(scenario.body("auto")) == BODY_BYTES


@pytest.mark.parametrize("scenario", [CHAT, CHAT_CROSS, STREAM, STREAM_CROSS, PACED])
def test_the_upstream_counts_what_the_generator_counts(
    generator: Generator, upstream: Upstream, scenario: Scenario
) -> None:
    before = upstream.stats()
    load = run(generator, scenario, upstream.port)
    check(load, scenario)
    after = upstream.stats()
    assert after["requests"] - before["requests"] == load.good
    assert after["streams"] - before["streams"] == (load.good if scenario.stream else 0)
    assert after["truncated"] == after["abandoned"] == after["refused"] == 0


def test_ports_share_an_open_loop_evenly(generator: Generator, upstream: Upstream) -> None:
    first, second = generator.run(
        CHAT, [upstream.port, upstream.port], model="bench", seconds=SECONDS, rate=100
    )
    check(first, CHAT)
    check(second, CHAT)
    assert abs(first.started - second.started) <= 1


def test_a_number_of_requests_is_kept(generator: Generator, upstream: Upstream) -> None:
    load = generator.run(CHAT, [upstream.port], model="bench", seconds=60, requests=100)[0]
    assert load.good == load.started == 100


def test_the_relay_relays(generator: Generator, upstream: Upstream, tmp_path: Path) -> None:
    plan = RELAY.plan("relay", upstream.port)
    relay = Process(plan.command, tmp_path / "relay.log", cwd=plan.cwd)
    try:
        relay.wait_until(Request(plan.port, CHAT.path, CHAT.body("bench"), ()), 30)
        for scenario in (CHAT, STREAM, PACED):
            check(run(generator, scenario, plan.port), scenario)
        assert cpu_seconds(relay.pid) > 0
        assert pss_kb(relay.pid) > 0
    finally:
        relay.stop()


@pytest.mark.parametrize("workers", [1, 2])
def test_the_gateway_serves_every_scenario(
    generator: Generator, upstream: Upstream, tmp_path: Path, workers: int
) -> None:
    gateway = GatewayProcess(
        tmp_path / "gateway",
        gateway_env(),
        config=gateway_config(upstream.port),
        args=("--workers", str(workers)),
    )
    with gateway:
        port = int(gateway.url.rsplit(":", 1)[1])
        for scenario in (CHAT, CHAT_CROSS, CHAT_BACK, STREAM, STREAM_CROSS):
            headers = (
                f"authorization: Bearer {GATEWAY_KEY}",
                f"x-hybridllm-task: {scenario.task}",
            )
            check(run(generator, scenario, port, headers), scenario)
    assert upstream.stats()["truncated"] == 0


def test_a_request_cut_short_is_seen_by_the_upstream(upstream: Upstream) -> None:
    with socket.create_connection(("127.0.0.1", upstream.port)) as s:
        s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 500\r\n\r\n{")
    with socket.create_connection(("127.0.0.1", upstream.port)) as s:
        s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\n\r\n{}")
        assert s.recv(100).startswith(b"HTTP/1.1 411 ")
    stats = upstream.stats()
    assert (stats["truncated"], stats["refused"]) == (1, 1)


def test_text_that_looks_like_a_field_is_no_field(upstream: Upstream) -> None:
    body = rb'{"messages": [{"content": "say \"stream\":true", "stream":true}], "model": "m"}'
    with socket.create_connection(("127.0.0.1", upstream.port)) as s:
        head = b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body)
        s.sendall(head + body)
        assert b"application/json" in s.recv(4096)
    assert upstream.stats()["streams"] == 0


@contextmanager
def saying(reply: bytes) -> Iterator[int]:
    """A server that gives every connection this reply, and closes it; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(4096)
                        connection.sendall(reply)
            except OSError:
                pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


@pytest.mark.parametrize(
    ("scenario", "reply", "field"),
    [
        (CHAT, b"HTTP/1.1 500 Oops\r\ncontent-length: 2\r\n\r\n{}", "bad_status"),
        (CHAT, OK + b'content-length: 15\r\n\r\n{"choices": []}', "bad_body"),
        (CHAT, OK + b'content-length: 99\r\n\r\n{"completion_tokens": 3}', "cut"),
        (CHAT, OK + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n", "cut"),
        (CHAT, b"", "cut"),
        (STREAM, OK + b"content-length: 14\r\n\r\ndata: [DONE]\n\n", "bad_body"),
        (
            STREAM,
            OK + b"transfer-encoding: chunked\r\n\r\n400\r\n" + b"data: ~1~\n\n" * 85,
            "cut",
        ),
    ],
    ids=["status", "no usage", "short", "chunk missing", "nothing", "no chunks", "stream cut"],
)
def test_a_reply_that_is_not_right_is_counted(
    generator: Generator, scenario: Scenario, reply: bytes, field: str
) -> None:
    with saying(reply) as port:
        load = generator.run(scenario, [port], model="m", seconds=30, requests=3, connections=1)[0]
    assert getattr(load, field) == load.errors == 3
    assert load.good == 0
    assert load.sample


async def test_the_steps_of_a_request_can_be_taken_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in gateway_env().items():
        monkeypatch.setenv(name, value)
    steps = Steps(tmp_path, seconds=0.0001)
    for scenario in (CHAT, CHAT_CROSS, STREAM, STREAM_CROSS):
        await steps.way(scenario.name, scenario)
    steps.parts()
    assert "chunk translated, alone" in capsys.readouterr().out


# -- what is made of the figures


def window(target: str, number: int, cpu: float, errors: int = 0) -> Window:
    load = Load(
        port=1, seconds=1, started=1000, good=1000 - errors, errors=errors, bad_status=errors,
        bad_body=0, cut=0, refused=0, late=0, unfinished=0, reconnects=0, bytes=0, most_open=1,
        requests_s=1000, chunks=0, chunks_s=0, latency_us=Times(), first_us=Times(),
        transit_us=Times(),
    )  # fmt: skip
    return Window(
        scenario="chat",
        target=target,
        round=number,
        load=load,
        cpu_seconds=cpu,
        others_seconds=0.5,
        stolen_seconds=0,
        pss_kb=50_000,
    )


def results(*windows: Window) -> Results:
    made = Results(began="then", command="bench", machine={}, rounds=3, seconds=1)
    made.windows = list(windows)
    made.titles = {"gateway": "gateway", "relay": "relay"}
    return made


def test_a_ratio_is_within_the_round_so_that_noise_cancels() -> None:
    made = results(
        *(window("gateway", n, 0.2 * slow) for n, slow in enumerate((1, 3, 2))),
        *(window("relay", n, 0.1 * slow) for n, slow in enumerate((1, 3, 2))),
    )
    assert made.ratio(("chat", "gateway"), ("chat", "relay"), us_request) == pytest.approx(2)
    assert made.median("chat", "gateway", us_request) == pytest.approx(400)


def test_a_machine_that_is_not_quiet_is_said_to_be_so() -> None:
    noisy = results(window("gateway", 0, 0.2))
    assert noisy.disturbance() == pytest.approx(0.5)
    assert "not quiet" in markdown(noisy)
    assert "not quiet" not in markdown(results())


def test_a_window_with_errors_makes_no_figure() -> None:
    made = results(window("gateway", 0, 0.1), window("gateway", 1, 9.0, errors=1))
    assert made.median("chat", "gateway", us_request) == pytest.approx(100)
    assert made.errors("gateway") == 1
    assert "(1 errors)" in markdown(made)


@pytest.mark.parametrize(
    ("verdict", "word"),
    [
        (Verdict("x", 1.0, 2.0), "met"),
        (Verdict("x", 1.9, 2.0), "met, within 20% of it"),
        (Verdict("x", 2.1, 2.0), "missed, within 20% of it"),
        (Verdict("x", 3.0, 2.0), "missed"),
        (Verdict("x", 3.0, 2.0, at_least=True), "met"),
        (Verdict("x", 0.0, 0), "met"),
        (Verdict("x", 1.0, 0), "missed"),
        (Verdict("x", None, 2.0), "not measured"),
    ],
)
def test_verdicts(verdict: Verdict, word: str) -> None:
    assert verdict.word == word


def test_what_is_within_the_noise_is_not_quoted() -> None:
    assert [ratio_text(r) for r in (0.9, 1.19, 1.3, 0.5, 70.4, None)] == [
        "about the same",
        "about the same",
        "1.30x",
        "0.50x",
        "70x",
        "-",
    ]
