"""Ordinary requests that can wait: a promise at once, and then exactly the live answer."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from hybridllm.simulators import Simulators
from tests.providers.servers import Peer, serving
from tests.running import Reply, RunningGateway
from tests.waiting import QUICK, until

SECRET = "whsec_" + b64encode(bytes(32)).decode()
WAITS = {"x-hybridllm-deadline": "6h"}
CHAT = "/v1/chat/completions"
TASK = "task/classification"
BODIES: dict[str, dict[str, Any]] = {
    CHAT: {"model": TASK, "messages": [{"role": "user", "content": "hi"}]},
    "/v1/responses": {"model": TASK, "input": "hi"},
    "/v1/messages": {
        "model": TASK,
        "max_tokens": 50,
        "messages": [{"role": "user", "content": "hi"}],
    },
    f"/v1beta/models/{TASK}:generateContent": {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}]
    },
}


def shape(value: Any) -> Any:
    """A JSON value with its keys and types alone."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return type(value).__name__


def ended(gateway: RunningGateway, url: str) -> Any:
    return until(
        lambda: gateway.request("GET", f"{url}?wait=5").json(),
        lambda seen: seen["status"] != "queued",
    )


@pytest.mark.parametrize("path", BODIES)
def test_the_result_is_the_live_answer(waiting_gateway: RunningGateway, path: str) -> None:
    live = waiting_gateway.post(path, BODIES[path])
    reply = waiting_gateway.post(path, BODIES[path], WAITS)
    assert reply.status == 202
    promise = reply.json()
    assert promise["status"] == "queued" and reply.headers["location"] == promise["url"]
    assert int(reply.headers["retry-after"]) >= 1
    done = ended(waiting_gateway, promise["url"])
    assert (done["status"], done["task"], done["late"]) == ("completed", "classification", False)
    result = waiting_gateway.request("GET", promise["result_url"])
    assert result.status == live.status == 200
    assert shape(result.json()) == shape(live.json())
    assert done["response"] == {"status_code": 200, "body": result.json()}
    assert result.headers["x-hybridllm-request-id"] == done["request_id"]
    assert result.headers["x-hybridllm-task"] == "classification"
    assert result.headers["x-hybridllm-cost-usd"] == done["cost_usd"]
    attempts = waiting_gateway.attempts(done["request_id"])
    assert attempts[-1]["cost_usd"] == done["cost_usd"] != "0"


@pytest.mark.parametrize("path", list(BODIES)[:3])
def test_a_request_that_cannot_be_served_gets_the_live_error(
    waiting_gateway: RunningGateway, path: str
) -> None:
    body = BODIES[path] | {"model": "nope"}
    live = waiting_gateway.post(path, body)
    promise = waiting_gateway.post(path, body, WAITS).json()
    assert ended(waiting_gateway, promise["url"])["status"] == "failed"
    result = waiting_gateway.request("GET", promise["result_url"])
    assert result.status == live.status == 404
    assert shape(result.json()) == shape(live.json())


def test_task_and_tags_go_with_it(waiting_gateway: RunningGateway) -> None:
    body = BODIES[CHAT] | {"model": "auto"}
    headers = {**WAITS, "x-hybridllm-task": "analysis", "x-hybridllm-tags": '{"team":"a"}'}
    promise = waiting_gateway.post(CHAT, body, headers).json()
    done = ended(waiting_gateway, promise["url"])
    row = waiting_gateway.attempts(done["request_id"])[-1]
    assert (row["task"], row["tags"]) == ("analysis", '{"team":"a"}')


@pytest.mark.parametrize("said", ["21600", "6h", "0.25d", "+6", "time"])
def test_a_deadline_is_said_in_many_ways(waiting_gateway: RunningGateway, said: str) -> None:
    at = datetime.now(UTC) + timedelta(hours=6)
    if said == "time":
        said = at.isoformat()
    elif said == "+6":
        said = at.replace(tzinfo=None).isoformat(timespec="seconds")
    promise = waiting_gateway.post(CHAT, BODIES[CHAT], {"x-hybridllm-deadline": said}).json()
    meant = datetime.fromisoformat(promise["deadline"])
    assert abs((meant - at).total_seconds()) < 60


@pytest.mark.parametrize("said", ["soon", "-6h", "40d", "2020-01-01T00:00:00Z", "9e99"])
def test_what_is_no_deadline_is_refused(waiting_gateway: RunningGateway, said: str) -> None:
    reply = waiting_gateway.post(CHAT, BODIES[CHAT], {"x-hybridllm-deadline": said})
    assert (reply.status, reply.json()["error"]["param"]) == (400, "x-hybridllm-deadline")


def test_a_streamed_request_cannot_wait(waiting_gateway: RunningGateway) -> None:
    def refused(path: str, body: dict[str, Any]) -> str:
        reply = waiting_gateway.post(path, body, WAITS)
        assert reply.status == 400
        return str(reply.json()["error"]["message"])

    assert "streamed request cannot wait" in refused(CHAT, BODIES[CHAT] | {"stream": True})
    google = f"/v1beta/models/{TASK}:streamGenerateContent"
    assert "streamed request cannot wait" in refused(google, list(BODIES.values())[3])


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_what_is_not_there_is_not_found(waiting_gateway: RunningGateway, method: str) -> None:
    assert waiting_gateway.request(method, "/api/v1/deferred/none").status == 404


@pytest.mark.parametrize("wait", ["x", "-1", "nan"])
def test_a_wait_is_a_number_of_seconds(waiting_gateway: RunningGateway, wait: str) -> None:
    url = waiting_gateway.post(CHAT, BODIES[CHAT], WAITS).json()["url"]
    assert waiting_gateway.request("GET", f"{url}?wait={wait}").status == 400


# -- tasks that wait by themselves, and webhooks

TASKS = QUICK + '\n[tasks.classification]\ndeadline = "6h"\n'


@pytest.fixture(scope="module")
def patient(
    simulators: Simulators, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    """A gateway one of whose tasks waits."""
    with RunningGateway(
        tmp_path_factory.mktemp("patient"), simulators.env(), config=TASKS
    ) as running:
        yield running


def test_every_request_of_a_task_may_wait(patient: RunningGateway) -> None:
    reply = patient.post(CHAT, BODIES[CHAT])
    assert reply.status == 202
    assert ended(patient, reply.json()["url"])["status"] == "completed"


def test_other_tasks_and_those_who_want_it_now_are_answered_live(patient: RunningGateway) -> None:
    other = BODIES[CHAT] | {"model": "task/analysis"}
    assert patient.post(CHAT, other).status == 200
    assert patient.post(CHAT, BODIES[CHAT], {"x-hybridllm-deadline": "now"}).status == 200
    watched: Reply = patient.post(CHAT, BODIES[CHAT] | {"stream": True})
    assert watched.status == 200 and watched.headers["content-type"].startswith("text/event-stream")


async def test_the_webhook_tells_the_end(simulators: Simulators, tmp_path: Any) -> None:
    import asyncio

    told: list[tuple[dict[str, str], bytes]] = []
    heard = asyncio.Event()

    async def receive(peer: Peer) -> None:
        while request := await peer.request():
            head, _, body = request.partition(b"\r\n\r\n")
            fields = (line.partition(": ") for line in head.decode().split("\r\n")[1:])
            told.append(({name.lower(): value for name, _, value in fields}, body))
            await peer.send(b"HTTP/1.1 204 No\r\n\r\n")
            heard.set()

    async with serving(receive) as server:
        config = QUICK + f'webhook_hosts = ["127.0.0.1:{server.port}"]\n'
        env = {**simulators.env(), "HYBRIDLLM_WEBHOOK_SECRET": SECRET}
        gateway = RunningGateway(tmp_path, env, config=config)
        await asyncio.to_thread(gateway.start)
        try:
            url = f"http://127.0.0.1:{server.port}/done"
            headers = {**WAITS, "x-hybridllm-webhook": url}
            reply = await asyncio.to_thread(gateway.post, CHAT, BODIES[CHAT], headers)
            assert reply.status == 202
            await asyncio.wait_for(heard.wait(), 20)
        finally:
            await asyncio.to_thread(gateway.__exit__, None, None, None)
    [(fields, body)] = told
    message = Webhook(SECRET).verify(body, fields)
    assert message["type"] == "deferred.completed"
    assert message["data"]["id"] == reply.json()["id"]


def test_a_webhook_that_is_not_allowed_is_refused_before_anything_is_taken(
    waiting_gateway: RunningGateway,
) -> None:
    for url in ("https://example.com/", "http://169.254.169.254/", "file:///etc/passwd"):
        headers = {**WAITS, "x-hybridllm-webhook": url}
        reply = waiting_gateway.post(CHAT, BODIES[CHAT], headers)
        assert (reply.status, reply.json()["error"]["param"]) == (400, "x-hybridllm-webhook")
