"""OpenAI's files and batches, byte by byte: whole results, and mistakes told."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from hybridllm.simulators import Simulators
from tests.running import Reply, RunningGateway
from tests.waiting import QUICK, until

CHAT = "/v1/chat/completions"


def line(name: str, *, model: str = "task/classification", text: str = "hi", **more: Any) -> Any:
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    return {"custom_id": name, "method": "POST", "url": CHAT, "body": body, **more}


def form(data: bytes, purpose: str | None = "batch", **fields: str) -> tuple[bytes, dict[str, str]]:
    """A multipart body and its headers, the file's part before the fields."""
    said = {**({} if purpose is None else {"purpose": purpose}), **fields}
    parts = [b'content-disposition: form-data; name="file"; filename="in.jsonl"\r\n\r\n' + data]
    parts += [
        f'content-disposition: form-data; name="{n}"\r\n\r\n{v}'.encode() for n, v in said.items()
    ]
    body = b"".join(b"--xyz\r\n" + part + b"\r\n" for part in parts) + b"--xyz--\r\n"
    return body, {"content-type": "multipart/form-data; boundary=xyz"}


def upload(gateway: RunningGateway, lines: bytes | list[Any], **how: Any) -> Any:
    data = lines if isinstance(lines, bytes) else "\n".join(map(json.dumps, lines)).encode()
    reply = gateway.post("/v1/files", *form(data, **how))
    assert reply.status == 200, reply.body
    return reply.json()


def create(gateway: RunningGateway, lines: bytes | list[Any], **more: Any) -> Any:
    said = {"endpoint": CHAT, "completion_window": "24h", **more}
    said.setdefault("input_file_id", upload(gateway, lines)["id"])
    reply = gateway.post("/v1/batches", said)
    assert reply.status == 200, reply.body
    return reply.json()


def batch(gateway: RunningGateway, id: str) -> Any:
    return gateway.request("GET", f"/v1/batches/{id}").json()


def ended(gateway: RunningGateway, id: str) -> Any:
    over = ("completed", "cancelled", "failed")
    return until(lambda: batch(gateway, id), lambda seen: seen["status"] in over)


def content(gateway: RunningGateway, file: str | None) -> list[Any]:
    if file is None:
        return []
    data = gateway.request("GET", f"/v1/files/{file}/content").body
    assert data.endswith(b"\n")
    return [json.loads(row) for row in data.splitlines()]


# -- results


def test_every_line_has_its_result_in_order(waiting_gateway: RunningGateway) -> None:
    names = [f"r{n}" for n in range(20)]
    made = create(waiting_gateway, [line(n) for n in names], metadata={"of": "me"})
    assert made["object"] == "batch" and made["request_counts"]["total"] == 20
    done = ended(waiting_gateway, made["id"])
    assert done["status"] == "completed" and done["error_file_id"] is None
    assert done["request_counts"] == {"total": 20, "completed": 20, "failed": 0}
    assert (done["metadata"], done["completion_window"]) == ({"of": "me"}, "24h")
    rows = content(waiting_gateway, done["output_file_id"])
    assert [row["custom_id"] for row in rows] == names
    assert {row["response"]["status_code"] for row in rows} == {200}
    assert all(row["response"]["body"]["object"] == "chat.completion" for row in rows)
    assert done["hybridllm"]["cost_usd"] != "0"


def test_each_line_goes_where_its_own_task_or_model_sends_it(
    waiting_gateway: RunningGateway,
) -> None:
    models = ("anthropic/claude-sonnet-4-6", "google/gemini-2.5-flash", "openai/gpt-4o")
    lines = [line(model, model=model) for model in models] + [line("task")]
    lines[3]["body"] |= {"model": "auto", "metadata": {"task": "classification"}}
    done = ended(waiting_gateway, create(waiting_gateway, lines)["id"])
    rows = content(waiting_gateway, done["output_file_id"])
    assert len(rows) == 4
    found = []
    for row in rows:
        attempts = waiting_gateway.attempts(row["response"]["request_id"])
        found.append((attempts[-1]["model"], attempts[-1]["task"]))
    assert [model for model, _ in found[:3]] == list(models)
    assert found[3][1] == "classification"


def test_a_line_that_cannot_be_served_fails_alone_with_the_live_error(
    waiting_gateway: RunningGateway,
) -> None:
    bad = line("bad", model="nope")
    live = waiting_gateway.post(CHAT, bad["body"])
    done = ended(waiting_gateway, create(waiting_gateway, [line("good"), bad])["id"])
    assert done["request_counts"] == {"total": 2, "completed": 1, "failed": 1}
    [good] = content(waiting_gateway, done["output_file_id"])
    [failed] = content(waiting_gateway, done["error_file_id"])
    assert (good["custom_id"], failed["custom_id"]) == ("good", "bad")
    assert failed["response"]["status_code"] == live.status == 404
    assert failed["response"]["body"] == live.json()


def test_the_files_of_a_batch_are_files_like_any_other(waiting_gateway: RunningGateway) -> None:
    done = ended(waiting_gateway, create(waiting_gateway, [line("a")])["id"])
    file = done["output_file_id"]
    shown = waiting_gateway.request("GET", f"/v1/files/{file}").json()
    data = waiting_gateway.request("GET", f"/v1/files/{file}/content").body
    assert (shown["purpose"], shown["bytes"]) == ("batch_output", len(data))
    listed = waiting_gateway.request("GET", "/v1/files?purpose=batch_output").json()["data"]
    assert shown in listed
    assert waiting_gateway.request("DELETE", f"/v1/files/{file}").json()["deleted"]
    assert waiting_gateway.request("GET", f"/v1/files/{file}/content").status == 404
    batch(waiting_gateway, done["id"])  # seeing its batch does not bring it back
    assert waiting_gateway.request("GET", f"/v1/files/{file}").status == 404


def test_responses_are_served_too(waiting_gateway: RunningGateway) -> None:
    said = {"custom_id": "a", "method": "POST", "url": "/v1/responses"}
    said["body"] = {"model": "task/classification", "input": "hi"}
    done = ended(waiting_gateway, create(waiting_gateway, [said], endpoint="/v1/responses")["id"])
    [row] = content(waiting_gateway, done["output_file_id"])
    assert row["response"]["body"]["object"] == "response"


def test_batches_are_listed_page_by_page(waiting_gateway: RunningGateway) -> None:
    made = [create(waiting_gateway, [line("a")])["id"] for _ in range(2)]
    made.append(create(waiting_gateway, b"{}\n")["id"])  # one that is refused
    made.append(create(waiting_gateway, [line("a")])["id"])
    seen: list[str] = []
    after = ""
    while len(seen) < 4:
        page = waiting_gateway.request("GET", f"/v1/batches?limit=1{after}").json()
        [found] = page["data"]
        assert (page["first_id"], page["last_id"]) == (found["id"], found["id"])
        seen.append(found["id"])
        after = f"&after={found['id']}"
        assert page["has_more"] or len(seen) == 4
    assert seen == made[::-1]


# -- mistakes in the input file


FAULTS = [
    (b'{"custom_id"', "invalid_json_line", None),
    (b"[1]", "invalid_json_line", None),
    (b'"\xff"', "invalid_json_line", None),
    (json.dumps(line("x") | {"url": "/v1/embeddings"}).encode(), "url_mismatch", "url"),
    (json.dumps(line("x") | {"method": "GET"}).encode(), "invalid_method", "method"),
    (json.dumps(line("x") | {"body": "b"}).encode(), "invalid_body", "body"),
    (json.dumps(line("first")).encode(), "duplicate_custom_id", "custom_id"),
    (json.dumps(line("n" * 600)).encode(), "invalid_custom_id", "custom_id"),
    (json.dumps(line("x") | {"custom_id": 5}).encode(), "invalid_type", "custom_id"),
    *(
        (
            json.dumps({k: v for k, v in line("x").items() if k != name}).encode(),
            "missing_required_parameter",
            name,
        )
        for name in ("custom_id", "method", "url", "body")
    ),
]


@pytest.mark.parametrize(("bad", "code", "param"), FAULTS)
def test_a_mistake_in_the_file_is_told_with_its_line(
    waiting_gateway: RunningGateway, bad: bytes, code: str, param: str | None
) -> None:
    data = json.dumps(line("first")).encode() + b"\n\n" + bad + b"\n"
    made = create(waiting_gateway, data)
    assert made["status"] == "failed"
    [fault] = made["errors"]["data"]
    assert (fault["code"], fault["line"], fault.get("param")) == (code, 3, param)
    assert batch(waiting_gateway, made["id"]) == made


def test_an_empty_file_is_no_batch(waiting_gateway: RunningGateway) -> None:
    [fault] = create(waiting_gateway, b"\n \n")["errors"]["data"]
    assert fault["code"] == "empty_file" and "line" not in fault


def test_of_many_mistakes_the_first_hundred_are_told(waiting_gateway: RunningGateway) -> None:
    faults = create(waiting_gateway, b"x\n" * 5000)["errors"]["data"]
    assert [fault["line"] for fault in faults] == list(range(1, 101))


# -- mistakes in the request


@pytest.mark.parametrize(
    ("changes", "status", "param"),
    [
        ({"endpoint": "/v1/embeddings"}, 400, "endpoint"),
        ({"endpoint": "/v1/nothing"}, 400, "endpoint"),
        ({"completion_window": "soon"}, 400, "completion_window"),
        ({"completion_window": "60d"}, 400, "completion_window"),
        ({"input_file_id": "file-none"}, 404, "input_file_id"),
        ({"metadata": {str(n): "x" for n in range(17)}}, 400, "metadata"),
        ({"metadata": {"a": "x" * 513}}, 400, "metadata"),
    ],
)
def test_what_cannot_be_a_batch_is_refused(
    waiting_gateway: RunningGateway, changes: dict[str, Any], status: int, param: str
) -> None:
    said = {"endpoint": CHAT, "completion_window": "24h"}
    said["input_file_id"] = upload(waiting_gateway, [line("a")])["id"]
    reply = waiting_gateway.post("/v1/batches", said | changes)
    assert (reply.status, reply.json()["error"]["param"]) == (status, param)


@pytest.mark.parametrize("name", ["input_file_id", "endpoint", "completion_window"])
def test_what_is_missing_is_named(waiting_gateway: RunningGateway, name: str) -> None:
    said = {"input_file_id": "f", "endpoint": CHAT, "completion_window": "24h"}
    del said[name]
    error = waiting_gateway.post("/v1/batches", said).json()["error"]
    assert error["param"] == name and "Missing required parameter" in error["message"]


@pytest.mark.parametrize(
    ("deadline", "status"), [("6h", 200), ("2d", 200), ("soon", 400), ("-1h", 400), ("31d", 400)]
)
def test_the_header_sets_another_deadline(
    waiting_gateway: RunningGateway, deadline: str, status: int
) -> None:
    file = upload(waiting_gateway, [line("a")])["id"]
    said = {"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"}
    reply = waiting_gateway.post("/v1/batches", said, {"x-hybridllm-deadline": deadline})
    assert reply.status == status
    if status == 200:
        hours = {"6h": 6, "2d": 48}[deadline]
        made = reply.json()
        assert abs(made["expires_at"] - made["created_at"] - hours * 3600) <= 2
    else:
        assert reply.json()["error"]["param"] == "x-hybridllm-deadline"


def test_a_batch_that_is_over_cannot_be_cancelled(waiting_gateway: RunningGateway) -> None:
    done = ended(waiting_gateway, create(waiting_gateway, [line("a")])["id"])
    reply = waiting_gateway.post(f"/v1/batches/{done['id']}/cancel", {})
    assert reply.status == 409
    assert "Cannot cancel a batch with status 'completed'" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/batches/batch_none"),
        ("POST", "/v1/batches/batch_none/cancel"),
        ("GET", "/v1/batches?after=batch_none"),
        ("GET", "/v1/files/file-none"),
        ("GET", "/v1/files/file-none/content"),
        ("DELETE", "/v1/files/file-none"),
        ("GET", "/v1/files?after=file-none"),
    ],
)
def test_what_is_not_there_is_not_found(
    waiting_gateway: RunningGateway, method: str, path: str
) -> None:
    reply = waiting_gateway.request(method, path)
    assert reply.status == 404 and reply.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("limit", ["0", "101", "x", "-1"])
def test_a_page_has_bounds(waiting_gateway: RunningGateway, limit: str) -> None:
    reply = waiting_gateway.request("GET", f"/v1/batches?limit={limit}")
    assert (reply.status, reply.json()["error"]["param"]) == (400, "limit")


# -- uploads


def test_a_file_is_given_back_byte_for_byte(waiting_gateway: RunningGateway) -> None:
    data = bytes(range(256)) * 5000 + b"\r\n--xy\r\n--xyzz"
    file = upload(waiting_gateway, data)
    assert (file["bytes"], file["filename"], file["purpose"]) == (len(data), "in.jsonl", "batch")
    got = waiting_gateway.request("GET", f"/v1/files/{file['id']}/content").body
    assert got == data
    day = 86_400
    assert file["expires_at"] - file["created_at"] == 30 * day


def refused(reply: Reply) -> tuple[int, str | None]:
    return reply.status, reply.json()["error"]["param"]


def test_what_is_no_upload_is_refused(waiting_gateway: RunningGateway) -> None:
    post = waiting_gateway.post
    assert refused(post("/v1/files", {"file": "x"})) == (400, "content-type")
    assert refused(post("/v1/files", *form(b"x", purpose=None))) == (400, "purpose")
    assert refused(post("/v1/files", *form(b"x", purpose="fine-tune"))) == (400, "purpose")
    lifetime = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "60"}
    assert refused(post("/v1/files", *form(b"x", **lifetime))) == (400, "expires_after[seconds]")
    _, headers = form(b"")
    assert refused(post("/v1/files", b"--xyz--\r\n", headers)) == (400, "file")
    assert refused(post("/v1/files", b"nonsense", headers)) == (400, None)
    cut = form(b"x" * 1000)[0][:500]
    assert refused(post("/v1/files", cut, headers)) == (400, None)
    two = form(b"x")[0].replace(b'name="purpose"', b'name="file"')
    assert refused(post("/v1/files", two, headers)) == (400, "file")


@pytest.fixture(scope="module")
def small(
    simulators: Simulators, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    """A gateway with narrow bounds and a key."""
    config = QUICK + "max_bytes = 2000\nmax_lines = 5\n"
    env = {**simulators.env(), "HYBRIDLLM_KEY": "secret"}
    with RunningGateway(tmp_path_factory.mktemp("small"), env, config=config) as running:
        yield running


KEY = {"authorization": "Bearer secret"}


def test_a_file_over_the_bound_is_refused_and_leaves_nothing(small: RunningGateway) -> None:
    body, headers = form(b"x" * 2001)
    reply = small.post("/v1/files", body, {**headers, **KEY})
    assert refused(reply) == (413, "file")
    body, headers = form(b"x" * 200_000)
    assert small.post("/v1/files", body, {**headers, **KEY}).status == 413
    assert small.request("GET", "/v1/files", headers=KEY).json()["data"] == []


def test_too_many_lines_are_refused(small: RunningGateway) -> None:
    body, headers = form("\n".join(json.dumps(line(str(n))) for n in range(6)).encode())
    file = small.post("/v1/files", body, {**headers, **KEY}).json()["id"]
    said = {"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"}
    [fault] = small.post("/v1/batches", said, KEY).json()["errors"]["data"]
    assert fault["code"] == "too_many_tasks"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/files"),
        ("GET", "/v1/files"),
        ("GET", "/v1/files/f/content"),
        ("POST", "/v1/batches"),
        ("GET", "/v1/batches"),
        ("GET", "/v1/batches/b"),
        ("POST", "/v1/batches/b/cancel"),
    ],
)
def test_nothing_is_told_without_the_key(small: RunningGateway, method: str, path: str) -> None:
    assert small.request(method, path).status == 401


def test_a_form_that_stalls_is_given_up(simulators: Simulators, tmp_path: Path) -> None:
    config = "[server]\nbody_seconds = 0.3\n" + QUICK
    with RunningGateway(tmp_path, simulators.env(), config=config) as gateway:
        at = urlsplit(gateway.url)
        with socket.create_connection((at.hostname, at.port), timeout=10) as sender:
            head = "POST /v1/files HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n"
            head += "content-type: multipart/form-data; boundary=xyz\r\n\r\n--xyz\r\n"
            sender.sendall(head.encode())
            assert sender.recv(100).startswith(b"HTTP/1.1 408 ")
        assert gateway.request("GET", "/v1/files").json()["data"] == []


def test_an_upload_that_is_broken_off_leaves_nothing(waiting_gateway: RunningGateway) -> None:
    before = waiting_gateway.request("GET", "/v1/files").json()["data"]
    at = urlsplit(waiting_gateway.url)
    with socket.create_connection((at.hostname, at.port), timeout=10) as sender:
        body, headers = form(b"x" * 2_000_000)
        head = f"POST /v1/files HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
        sender.sendall(f"{head}content-type: {headers['content-type']}\r\n\r\n".encode())
        sender.sendall(body[:1_500_000])
        time.sleep(0.1)
    assert waiting_gateway.request("GET", "/v1/files").json()["data"] == before
