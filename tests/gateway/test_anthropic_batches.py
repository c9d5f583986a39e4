"""Anthropic's message batches, byte by byte."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.running import RunningGateway
from tests.waiting import until

ROOT = "/v1/messages/batches"


def one(name: str, model: str = "task/classification", **more: Any) -> dict[str, Any]:
    params = {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}
    return {"custom_id": name, "params": params, **more}


def create(gateway: RunningGateway, *requests: Any) -> Any:
    reply = gateway.post(ROOT, {"requests": list(requests)})
    assert reply.status == 200, reply.body
    return reply.json()


def ended(gateway: RunningGateway, id: str) -> Any:
    return until(
        lambda: gateway.request("GET", f"{ROOT}/{id}").json(),
        lambda seen: seen["processing_status"] == "ended",
    )


def results(gateway: RunningGateway, id: str) -> list[Any]:
    reply = gateway.request("GET", f"{ROOT}/{id}/results")
    assert reply.status == 200
    return [json.loads(line) for line in reply.body.splitlines()]


def test_every_request_has_its_result(waiting_gateway: RunningGateway) -> None:
    requests = [one(f"r{n}") for n in range(10)] + [one("bad", "nope")]
    made = create(waiting_gateway, *requests)
    assert made["type"] == "message_batch" and made["results_url"] is None
    counts = {"processing": 11, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    assert made["request_counts"] == counts
    done = ended(waiting_gateway, made["id"])
    assert done["request_counts"] == counts | {"processing": 0, "succeeded": 10, "errored": 1}
    assert done["results_url"] == f"{waiting_gateway.url}{ROOT}/{made['id']}/results"
    found = results(waiting_gateway, made["id"])
    assert [row["custom_id"] for row in found] == [request["custom_id"] for request in requests]
    assert {row["result"]["type"] for row in found[:10]} == {"succeeded"}
    assert all(row["result"]["message"]["type"] == "message" for row in found[:10])
    live = waiting_gateway.post("/v1/messages", requests[-1]["params"]).json()
    error = found[-1]["result"]
    assert (error["type"], error["error"]["error"]) == ("errored", live["error"])


def test_the_results_address_follows_a_proxy(waiting_gateway: RunningGateway) -> None:
    id = create(waiting_gateway, one("a"))["id"]
    ended(waiting_gateway, id)
    headers = {"host": "llm.example.com", "x-forwarded-proto": "https"}
    shown = waiting_gateway.request("GET", f"{ROOT}/{id}", headers=headers).json()
    assert shown["results_url"] == f"https://llm.example.com{ROOT}/{id}/results"


def test_batches_are_listed_both_ways(waiting_gateway: RunningGateway) -> None:
    made = [create(waiting_gateway, one("a"))["id"] for _ in range(5)][::-1]

    def page(query: str) -> tuple[list[str], bool]:
        found = waiting_gateway.request("GET", f"{ROOT}?{query}").json()
        ids = [batch["id"] for batch in found["data"]]
        assert (found["first_id"], found["last_id"]) == (ids[0], ids[-1]) if ids else (None, None)
        return ids, found["has_more"]

    assert page("limit=2") == (made[:2], True)
    assert page(f"limit=2&after_id={made[1]}") == (made[2:4], True)
    assert page(f"limit=2&before_id={made[3]}") == (made[1:3], True)
    assert page(f"limit=9&before_id={made[2]}") == (made[:2], False)
    assert page(f"before_id={made[0]}") == ([], False)
    both = f"{ROOT}?before_id={made[0]}&after_id={made[1]}"
    assert waiting_gateway.request("GET", both).status == 400


def test_an_ended_batch_can_be_deleted(waiting_gateway: RunningGateway) -> None:
    id = create(waiting_gateway, one("a"))["id"]
    ended(waiting_gateway, id)
    reply = waiting_gateway.request("DELETE", f"{ROOT}/{id}")
    assert reply.json() == {"id": id, "type": "message_batch_deleted"}
    for path in (id, f"{id}/results"):
        assert waiting_gateway.request("GET", f"{ROOT}/{path}").status == 404


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "no valid JSON"),
        (b"[]", "no valid JSON object"),
        ({}, "requests: Field required"),
        ({"requests": []}, "requests: a batch has 1 to"),
        ({"requests": [{"params": {}}]}, "requests.0.custom_id: Field required"),
        ({"requests": [{"custom_id": "a"}]}, "requests.0.params: Field required"),
        ({"requests": [{"custom_id": 5, "params": {}}]}, "requests.0.custom_id: "),
        ({"requests": [one("a"), one("")]}, "requests.1.custom_id: String should match"),
        ({"requests": [one("a b")]}, "requests.0.custom_id: String should match"),
        ({"requests": [one("x" * 65)]}, "requests.0.custom_id: String should match"),
        ({"requests": [one("a"), one("b"), one("a")]}, "requests.2.custom_id: custom_id 'a'"),
        ({"requests": [one("a") | {"params": []}]}, "requests.0.params: Input should be"),
    ],
)
def test_what_cannot_be_a_batch_is_refused(
    waiting_gateway: RunningGateway, body: Any, words: str
) -> None:
    reply = waiting_gateway.post(ROOT, body)
    assert reply.status == 400
    error = reply.json()["error"]
    assert error["type"] == "invalid_request_error" and words in error["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/results"), ("POST", "/cancel"), ("DELETE", "")],
)
def test_what_is_not_there_is_not_found(
    waiting_gateway: RunningGateway, method: str, path: str
) -> None:
    reply = waiting_gateway.request(method, f"{ROOT}/msgbatch_none{path}")
    assert reply.status == 404 and reply.json()["error"]["type"] == "not_found_error"
