"""What waits outlives the gateway, is served by any worker, is nobody else's, and never fills the
memory."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, update

from hybridllm.batching.notes import Note, packed
from hybridllm.simulators import Simulators
from hybridllm.simulators.profiles import Profile
from hybridllm.store import batches as sql
from hybridllm.store import open_store, writing
from hybridllm.store.batches import BatchRow, BodyRow, LineRow
from hybridllm.store.schema import batch_files, batch_refusals, batches
from tests.gateway import test_anthropic_batches as anthropics
from tests.gateway import test_google_batches as googles
from tests.gateway import test_openai_batches as openais
from tests.gateway.test_deferred import BODIES, CHAT, WAITS
from tests.running import RunningGateway
from tests.waiting import QUICK, until

HOUR = 3600.0
LINES = int(os.environ.get("HYBRIDLLM_RESULTS", "20000"))
"""Of the longest batch whose results are read."""


def store_of(gateway: RunningGateway) -> str:
    return f"sqlite:///{gateway.ledger / 'ledger.db'}"


# -- restarts


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_gateway_that_ends_between_submission_and_result_loses_nothing(
    tmp_path: Path, end: str
) -> None:
    profile = Profile(event_tokens=8, batch_seconds=HOUR)
    count = 30
    with Simulators(profile=profile) as simulators:
        home = tmp_path / "home"
        first = RunningGateway(home, simulators.env(), config=QUICK).start()
        made = openais.create(first, [openais.line(f"r{n}") for n in range(count)])
        until(
            lambda: simulators.calls("openai"),
            lambda seen: any(call.endpoint == "batches.create" for call in seen),
        )
        time.sleep(0.3)
        (first.stop if end == "stop" else first.kill)()
        simulators.advance(2 * HOUR)
        with RunningGateway(home, simulators.env(), config=QUICK) as second:
            done = until(
                lambda: openais.batch(second, made["id"]),
                lambda seen: seen["status"] == "completed",
                seconds=60,
            )
            rows = openais.content(second, done["output_file_id"])
            ids = [row["response"]["request_id"] for row in rows]
            attempts = [attempt for id in ids for attempt in second.attempts(id)]
        assert [row["custom_id"] for row in rows] == [f"r{n}" for n in range(count)]
        assert len(attempts) == count and all(attempt["batch"] for attempt in attempts)
        lines = [call for call in simulators.calls() if call.batch]
        assert Counter(call.attempt for call in lines).most_common(1)[0][1] == 1
        assert len(lines) == count


def test_a_file_and_a_refusal_outlive_the_gateway(simulators: Simulators, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with RunningGateway(home, simulators.env(), config=QUICK) as first:
        file = openais.upload(first, b"{}\n")
        refused = openais.create(first, b"{}\n")
    with RunningGateway(home, simulators.env(), config=QUICK) as second:
        assert second.request("GET", f"/v1/files/{file['id']}").json() == file
        assert openais.batch(second, refused["id"]) == refused


# -- cancelling


def test_what_is_cancelled_ends_in_each_apis_own_way(tmp_path: Path) -> None:
    profile = Profile(event_tokens=8, batch_seconds=HOUR)
    with (
        Simulators(profile=profile) as simulators,
        RunningGateway(tmp_path, simulators.env(), config=QUICK) as gateway,
    ):
        batch = openais.create(gateway, [openais.line("a"), openais.line("b")])["id"]
        message = anthropics.create(gateway, anthropics.one("a"))["id"]
        job = googles.create(gateway, googles.one(metadata={"key": "k"}))["name"]
        promise = gateway.post(CHAT, BODIES[CHAT], WAITS).json()

        begun = gateway.post(f"/v1/batches/{batch}/cancel", {}).json()
        assert begun["status"] in ("cancelling", "cancelled") and begun["cancelling_at"]
        begun = gateway.post(f"{anthropics.ROOT}/{message}/cancel", {}).json()
        assert begun["processing_status"] in ("canceling", "ended")
        assert gateway.post(f"/v1beta/{job}:cancel", {}, googles.GOOGLE).json() == {}
        begun = gateway.request("DELETE", promise["url"]).json()
        assert begun["status"] in ("cancelling", "cancelled")

        done = openais.ended(gateway, batch)
        assert done["status"] == "cancelled" and done["cancelled_at"]
        assert done["hybridllm"]["cancelled"] == 2 and done["output_file_id"] is None
        rows = openais.content(gateway, done["error_file_id"])
        assert [row["error"]["code"] for row in rows] == ["batch_cancelled"] * 2
        shown = anthropics.ended(gateway, message)
        assert shown["request_counts"]["canceled"] == 1 and shown["cancel_initiated_at"]
        [row] = anthropics.results(gateway, message)
        assert row == {"custom_id": "a", "result": {"type": "canceled"}}
        operation = googles.ended(gateway, job)
        assert operation["metadata"]["state"] == "BATCH_STATE_CANCELLED"
        [row] = googles.responses(operation)
        assert row["error"]["code"] == 1 and row["metadata"] == {"key": "k"}
        look = gateway.request
        until(lambda: look("GET", promise["url"]).json()["status"], lambda s: s == "cancelled")
        assert look("GET", promise["result_url"]).status == 410


def test_what_has_not_ended_has_no_result_and_cannot_be_deleted(tmp_path: Path) -> None:
    profile = Profile(event_tokens=8, batch_seconds=HOUR)
    with (
        Simulators(profile=profile) as simulators,
        RunningGateway(tmp_path, simulators.env(), config=QUICK) as gateway,
    ):
        message = f"{anthropics.ROOT}/{anthropics.create(gateway, anthropics.one('a'))['id']}"
        job = f"/v1beta/{googles.create(gateway, googles.one())['name']}"
        promise = gateway.post(CHAT, BODIES[CHAT], WAITS).json()
        look = gateway.request
        assert look("GET", promise["result_url"]).status == 409
        assert look("GET", f"{promise['url']}?wait=0.2").json()["status"] == "queued"
        assert look("GET", f"{message}/results").status == 404
        assert look("DELETE", message).status == 400
        assert look("DELETE", job, headers=googles.GOOGLE).status == 400


# -- workers


@pytest.fixture(scope="module")
def workers(
    simulators: Simulators, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    """Two processes behind one port."""
    home = tmp_path_factory.mktemp("workers")
    args = ("--workers", "2")
    with RunningGateway(home, simulators.env(), config=QUICK, args=args) as running:
        yield running


def test_every_worker_serves_what_any_has_taken(workers: RunningGateway) -> None:
    made = [openais.create(workers, [openais.line(f"r{n}") for n in range(5)]) for _ in range(4)]
    done = [openais.ended(workers, batch["id"]) for batch in made]
    for batch in done:
        assert batch["request_counts"] == {"total": 5, "completed": 5, "failed": 0}
        for _ in range(4):  # each on a connection of its own
            rows = openais.content(workers, batch["output_file_id"])
            assert [row["custom_id"] for row in rows] == [f"r{n}" for n in range(5)]
    ids = [batch["id"] for batch in made]
    for _ in range(6):
        listed = workers.request("GET", "/v1/batches").json()["data"]
        assert [batch["id"] for batch in listed] == ids[::-1]


def test_a_long_poll_hears_of_an_end_in_another_worker(workers: RunningGateway) -> None:
    urls = [workers.post(CHAT, BODIES[CHAT], WAITS).json()["url"] for _ in range(4)]
    for url in urls:
        done = workers.request("GET", f"{url}?wait=20").json()
        assert done["status"] == "completed"


# -- keys


def give_away(connection: Connection) -> None:
    """All that waits is another key's."""
    for table in (batches, batch_files, batch_refusals):
        connection.execute(update(table).values(key="another"))


def test_one_key_never_sees_what_is_anothers(simulators: Simulators, tmp_path: Path) -> None:
    with RunningGateway(tmp_path, simulators.env(), config=QUICK) as gateway:
        done = openais.ended(gateway, openais.create(gateway, [openais.line("a")])["id"])
        refused = openais.create(gateway, b"x\n")
        message = anthropics.ended(gateway, anthropics.create(gateway, anthropics.one("a"))["id"])
        job = googles.ended(gateway, googles.create(gateway, googles.one())["name"])
        promise = gateway.post(CHAT, BODIES[CHAT], WAITS).json()
        until(lambda: gateway.request("GET", promise["url"]).json(), lambda s: "response" in s)
        gateway.request("GET", f"/v1/files/{done['output_file_id']}/content")
        engine = open_store(store_of(gateway))
        with writing(engine) as connection:
            give_away(connection)
        engine.dispose()
        files = (done["input_file_id"], done["output_file_id"])
        asked: list[tuple[str, str]] = [
            *(("GET", f"/v1/files/{file}{part}") for file in files for part in ("", "/content")),
            *(("DELETE", f"/v1/files/{file}") for file in files),
            *(("GET", f"/v1/batches/{id}") for id in (done["id"], refused["id"])),
            ("POST", f"/v1/batches/{done['id']}/cancel"),
            ("GET", f"{anthropics.ROOT}/{message['id']}"),
            ("GET", f"{anthropics.ROOT}/{message['id']}/results"),
            ("POST", f"{anthropics.ROOT}/{message['id']}/cancel"),
            ("DELETE", f"{anthropics.ROOT}/{message['id']}"),
            ("GET", f"/v1beta/{job['name']}"),
            ("POST", f"/v1beta/{job['name']}:cancel"),
            ("DELETE", f"/v1beta/{job['name']}"),
            ("GET", promise["url"]),
            ("GET", promise["result_url"]),
            ("DELETE", promise["url"]),
        ]
        seen = {ask: gateway.request(*ask).status for ask in asked}
        assert seen == dict.fromkeys(asked, 404)
        said = {"input_file_id": files[0], "endpoint": CHAT, "completion_window": "24h"}
        assert gateway.post("/v1/batches", said).status == 404
        for path in ("/v1/files", "/v1/batches", anthropics.ROOT):
            assert gateway.request("GET", path).json()["data"] == []
        listed = gateway.request("GET", "/v1beta/batches", headers=googles.GOOGLE).json()
        assert listed["operations"] == []


def test_one_api_does_not_show_the_batches_of_another(waiting_gateway: RunningGateway) -> None:
    id = anthropics.create(waiting_gateway, anthropics.one("a"))["id"]
    promise = waiting_gateway.post(CHAT, BODIES[CHAT], WAITS).json()
    for other in (id, promise["id"]):
        assert waiting_gateway.request("GET", f"/v1/batches/{other}").status == 404
        reply = waiting_gateway.request("GET", f"/v1beta/batches/{other}", headers=googles.GOOGLE)
        assert reply.status == 404
    assert waiting_gateway.request("GET", f"/api/v1/deferred/{id}").status == 404


# -- size


def fill(url: str, dialect: str, count: int, body: bytes) -> None:
    """An ended batch of `count` answers in the store, whose id is the dialect's name."""
    note = packed(
        Note(
            key="default", tags="", header="", dialect="openai", shape="", task="general",
            source="default", tier="mid", asked="auto", requested="", chain=[], reason="",
            text_bytes=0, text_kind="",
        )
    )  # fmt: skip
    now = time.time_ns() // 1000
    row = BatchRow(
        dialect, "default", dialect, CHAT, "batch", "auto", "", "", "", now, "ended", now,
        count, count, 0, 0, 0, 0, 0, now, 0,
    )  # fmt: skip
    engine = open_store(url)
    with writing(engine) as connection:
        sql.add_batch(connection, row)
        for first in range(0, count, 10_000):
            places = range(first, min(first + 10_000, count))
            lines = [
                LineRow(
                    dialect, n, f'[{n},{{"key":"k"}}]', "answered", "openai/gpt-4o", "openai",
                    "", 1, 0, "", 0, now, now, 1, 1, note, 200, "batch",
                )
                for n in places
            ]  # fmt: skip
            results = [BodyRow(dialect, n, body) for n in places]
            sql.add_lines(connection, lines, [], results)
    engine.dispose()


def peak_kilobytes(gateway: RunningGateway) -> int:
    """The most memory that the process has had."""
    status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory is read in /proc")
def test_results_are_streamed_and_never_held(simulators: Simulators, tmp_path: Path) -> None:
    reply = msgspec.json.encode({"choices": [{"message": {"content": "x" * 5000}}]})
    with RunningGateway(tmp_path, simulators.env(), config=QUICK) as gateway:
        counts = {"openai": LINES, "anthropic": LINES // 5, "google": LINES // 5}
        paths = {
            "openai": "/v1/files/file-openai-output/content",
            "anthropic": f"{anthropics.ROOT}/anthropic/results",
            "google": "/v1beta/batches/google",
        }
        for dialect, count in counts.items():
            fill(store_of(gateway), dialect, count, reply)
        openais.batch(gateway, "openai")
        before = peak_kilobytes(gateway)
        for dialect, path in paths.items():
            data = gateway.request("GET", path, headers=googles.GOOGLE, timeout=120).body
            assert data.count(reply) == counts[dialect], data[:500]
        # Held, the longest would take LINES * 5,000 bytes: 100 MB.
        assert peak_kilobytes(gateway) - before < 40_000


def test_every_line_of_a_long_result_is_json(waiting_gateway: RunningGateway) -> None:
    """Replies with line ends in them stay one line each."""
    done = openais.ended(
        waiting_gateway,
        openais.create(waiting_gateway, [openais.line("a", model="google/gemini-2.5-flash")])["id"],
    )
    rows: list[Any] = openais.content(waiting_gateway, done["output_file_id"])
    assert len(rows) == 1 and json.dumps(rows[0])
