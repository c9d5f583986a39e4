"""Google's batches, byte by byte."""

from __future__ import annotations

from typing import Any

import pytest

from tests.running import RunningGateway
from tests.waiting import until

CREATE = "/v1beta/models/task/classification:batchGenerateContent"
GOOGLE = {"x-goog-api-key": "k"}


def one(text: str = "hi", metadata: Any = None, **more: Any) -> dict[str, Any]:
    request = {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}
    return {"request": request, **({} if metadata is None else {"metadata": metadata})}


def body(*requests: Any, **more: Any) -> dict[str, Any]:
    return {"batch": {"inputConfig": {"requests": {"requests": list(requests)}}, **more}}


def create(gateway: RunningGateway, *requests: Any, path: str = CREATE, **more: Any) -> Any:
    reply = gateway.post(path, body(*requests, **more), GOOGLE)
    assert reply.status == 200, reply.body
    return reply.json()


def ended(gateway: RunningGateway, name: str, version: str = "v1beta") -> Any:
    return until(
        lambda: gateway.request("GET", f"/{version}/{name}", headers=GOOGLE).json(),
        lambda seen: seen.get("done"),
    )


def responses(operation: Any) -> list[Any]:
    found: list[Any] = operation["metadata"]["output"]["inlinedResponses"]["inlinedResponses"]
    return found


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_every_request_has_its_response_in_order(
    waiting_gateway: RunningGateway, version: str
) -> None:
    requests = [one(metadata={"key": str(n)}) for n in range(5)]
    requests += [one(), one(metadata={"key": "0"})]  # names need not be there, nor be unique
    made = create(waiting_gateway, *requests, path=CREATE.replace("v1beta", version),
                  displayName="mine")  # fmt: skip
    assert made["metadata"]["displayName"] == "mine" and "done" not in made
    done = ended(waiting_gateway, made["name"], version)
    assert done["metadata"]["state"] == "BATCH_STATE_SUCCEEDED"
    assert done["metadata"]["batchStats"]["successfulRequestCount"] == "7"
    found = responses(done)
    keys = [row.get("metadata", {}).get("key") for row in found]
    assert keys == ["0", "1", "2", "3", "4", None, "0"]
    assert all(row["response"]["candidates"] for row in found)


def test_what_fails_has_its_error_in_its_place(waiting_gateway: RunningGateway) -> None:
    bad = {"request": {"contents": 5}}
    done = ended(waiting_gateway, create(waiting_gateway, one(), bad, one())["name"])
    good, failed, _ = responses(done)
    assert "response" in good and failed["error"]["code"] == 3
    assert failed["error"]["message"]


def test_a_request_may_name_the_batchs_own_model(waiting_gateway: RunningGateway) -> None:
    named = one(model="models/task/classification")
    done = ended(waiting_gateway, create(waiting_gateway, named)["name"])
    assert "response" in responses(done)[0]


def test_batches_are_listed_without_results(waiting_gateway: RunningGateway) -> None:
    made = [create(waiting_gateway, one())["name"] for _ in range(3)][::-1]
    ended(waiting_gateway, made[0])
    page = waiting_gateway.request("GET", "/v1/batches?pageSize=2", headers=GOOGLE).json()
    assert [each["name"] for each in page["operations"]] == made[:2]
    assert "output" not in page["operations"][0]["metadata"]
    query = f"/v1beta/batches?pageSize=1&pageToken={page['nextPageToken']}"
    rest = waiting_gateway.request("GET", query, headers=GOOGLE).json()
    assert rest["operations"][0]["name"] == made[2]


def test_an_ended_batch_can_be_deleted(waiting_gateway: RunningGateway) -> None:
    name = create(waiting_gateway, one())["name"]
    ended(waiting_gateway, name)
    assert waiting_gateway.request("DELETE", f"/v1beta/{name}", headers=GOOGLE).json() == {}
    reply = waiting_gateway.request("GET", f"/v1beta/{name}", headers=GOOGLE)
    assert (reply.status, reply.json()["error"]["status"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "batch"),
        ({"batch": {}}, "input"),
        ({"batch": {"inputConfig": {"fileName": "files/x"}}}, "Only inlined requests"),
        (body(), "A batch has 1 to"),
        (body({"metadata": {}}), "request"),
        (body({"request": []}), "is no object"),
        (body(one(metadata={"key": "x" * 2000})), "metadata of the request is too large"),
        (body(one(metadata={"key": 5})), "metadata"),
        (body(one(model="models/other")), "another model than the batch"),
    ],
)
def test_what_cannot_be_a_batch_is_refused(
    waiting_gateway: RunningGateway, said: Any, words: str
) -> None:
    reply = waiting_gateway.post(CREATE, said, GOOGLE)
    assert reply.status == 400
    error = reply.json()["error"]
    assert error["status"] == "INVALID_ARGUMENT" and words in error["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "batches/none"), ("POST", "batches/none:cancel"), ("DELETE", "batches/none")],
)
def test_what_is_not_there_is_not_found(
    waiting_gateway: RunningGateway, method: str, path: str
) -> None:
    reply = waiting_gateway.request(method, f"/v1beta/{path}", headers=GOOGLE)
    assert (reply.status, reply.json()["error"]["status"]) == (404, "NOT_FOUND")
