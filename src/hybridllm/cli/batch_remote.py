"""The batch commands through a gateway: OpenAI's files and batches over HTTP."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from secrets import token_hex
from typing import IO, Any
from urllib.parse import urlencode, urlsplit

import msgspec

from hybridllm.cli.batch_desk import Shown
from hybridllm.cli.batch_input import Input
from hybridllm.durations import seconds_of
from hybridllm.errors import ErrorKind, RequestError

_TIMEOUT_SECONDS = 600.0
_PAGE = 100
_ENCODER = msgspec.json.Encoder()


class RemoteDesk:
    """A gateway. Its key is $HYBRIDLLM_KEY."""

    def __init__(self, url: str) -> None:
        """Raises RequestError for what is no URL."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RequestError(
                f"'{url[:200]}' is no gateway's URL.",
                field="url",
                remedy="Write it as http://127.0.0.1:4000.",
            )
        self.where = url.rstrip("/").removesuffix("/v1")
        self._parts = urlsplit(self.where)
        self._key = os.environ.get("HYBRIDLLM_KEY") or "none"

    def find(self, token: str) -> Shown | None:
        """See `Desk`."""
        for batch in self._all():
            if batch.run == token and batch.status != "failed":
                return batch
        return None

    def submit(self, given: Input, *, token: str, task: str, deadline: str) -> Shown:
        """See `Desk`."""
        file = self._upload(given)
        body: dict[str, Any] = {
            "input_file_id": file,
            "endpoint": given.endpoint,
            "completion_window": "24h",
            "metadata": {"run": token},
        }
        headers = {"x-hybridllm-deadline": deadline}
        try:
            seconds_of(deadline)
            body["completion_window"] = deadline
        except ValueError:
            pass  # a time of day: the header alone says it
        if task:
            headers["x-hybridllm-task"] = task
        made = self._json("POST", "/v1/batches", body, headers)
        if made["status"] == "failed":
            fault = made["errors"]["data"][0]
            raise RequestError(f"The gateway refused the batch: {fault['message']}")
        return _shown(made)

    def batch(self, id: str, *, wait: float = 0.0) -> Shown:
        """See `Desk`."""
        end = time.monotonic() + wait
        while True:
            found = _shown(self._json("GET", f"/v1/batches/{id}"))
            if found.over or time.monotonic() >= end:
                return found
            time.sleep(min(0.5, max(end - time.monotonic(), 0.0)))

    def batches(self, limit: int) -> list[Shown]:
        """See `Desk`."""
        found = []
        for batch in self._all():
            found.append(batch)
            if len(found) == limit:
                break
        return found

    def cancel(self, id: str) -> Shown:
        """See `Desk`."""
        return _shown(self._json("POST", f"/v1/batches/{id}/cancel", {}))

    def results(self, id: str, given: Input) -> Iterator[dict[str, Any]]:
        """See `Desk`. Both files are in the order of the requests, so that merging them takes one
        line of each."""
        batch = self._json("GET", f"/v1/batches/{id}")
        files = [self._lines(batch[name]) for name in ("output_file_id", "error_file_id")]
        heads = [next(lines, None) for lines in files]
        for name in given.names():
            for n, head in enumerate(heads):
                if head is not None and head["custom_id"] == name:
                    yield head
                    heads[n] = next(files[n], None)
                    break
            else:
                raise RequestError(
                    f"The gateway's files lack the result of {name[:100]}.",
                    kind=ErrorKind.MALFORMED_REPLY,
                )

    def _all(self) -> Iterator[Shown]:
        after = ""
        while True:
            query = {"limit": _PAGE, **({"after": after} if after else {})}
            page = self._json("GET", f"/v1/batches?{urlencode(query)}")
            for batch in page["data"]:
                yield _shown(batch)
            if not page["has_more"]:
                return
            after = page["last_id"]

    # -- HTTP

    def _upload(self, given: Input) -> str:
        boundary = f"hybridllm-{token_hex(16)}"
        with tempfile.TemporaryFile() as form:
            form.write(
                f'--{boundary}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
                f'--{boundary}\r\ncontent-disposition: form-data; name="file"; '
                f'filename="prompts.jsonl"\r\n\r\n'.encode()
            )
            for line in given.lines(""):
                said = {
                    "custom_id": line.custom_id,
                    "method": "POST",
                    "url": given.endpoint,
                    "body": msgspec.Raw(line.body),
                }
                form.write(_ENCODER.encode(said) + b"\n")
            form.write(f"\r\n--{boundary}--\r\n".encode())
            size = form.tell()
            form.seek(0)
            headers = {
                "content-type": f"multipart/form-data; boundary={boundary}",
                "content-length": str(size),
            }
            return str(self._send("POST", "/v1/files", form, headers)["id"])

    def _json(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Any:
        data = None if body is None else _ENCODER.encode(body)
        return self._send(
            method, path, data, {"content-type": "application/json", **(headers or {})}
        )

    def _send(
        self, method: str, path: str, body: bytes | IO[bytes] | None, headers: dict[str, str]
    ) -> Any:
        connection, response = self._open(method, path, body, headers)
        try:
            return msgspec.json.decode(response.read())
        except (HTTPException, OSError, msgspec.DecodeError) as e:
            raise self._unreachable(e) from None
        finally:
            connection.close()

    def _lines(self, file: str | None) -> Iterator[dict[str, Any]]:
        if file is None:
            return
        connection, response = self._open("GET", f"/v1/files/{file}/content", None, {})
        try:
            for line in response:
                yield msgspec.json.decode(line)
        except (HTTPException, OSError, msgspec.DecodeError) as e:
            raise self._unreachable(e) from None
        finally:
            connection.close()

    def _open(
        self, method: str, path: str, body: bytes | IO[bytes] | None, headers: dict[str, str]
    ) -> tuple[HTTPConnection, HTTPResponse]:
        secure = self._parts.scheme == "https"
        kind = HTTPSConnection if secure else HTTPConnection
        host = self._parts.hostname or ""
        connection = kind(host, self._parts.port, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request(
                method,
                self._parts.path + path,
                body,
                {"authorization": f"Bearer {self._key}", **headers},
            )
            response = connection.getresponse()
        except (HTTPException, OSError) as e:
            connection.close()
            raise self._unreachable(e) from None
        if response.status >= 400:
            try:
                raise _refused(response.status, response.read())
            finally:
                connection.close()
        return connection, response

    def _unreachable(self, error: Exception) -> RequestError:
        return RequestError(
            f"The gateway at {self.where} does not answer: {type(error).__name__}.",
            kind=ErrorKind.CONNECTION,
            remedy="Is `hybridllm serve` running there?",
        )


def _refused(status: int, body: bytes) -> RequestError:
    try:
        message = str(msgspec.json.decode(body)["error"]["message"])
    except (msgspec.DecodeError, LookupError, TypeError):
        message = f"The gateway answered with status {status}."
    return RequestError(message, status=status)


def _shown(batch: dict[str, Any]) -> Shown:
    counts, ours = batch["request_counts"], batch.get("hybridllm", {})
    ended = (batch.get(f"{name}_at") for name in ("completed", "cancelled", "failed"))
    return Shown(
        id=batch["id"],
        status=batch["status"],
        created_at=batch["created_at"],
        deadline=batch.get("expires_at") or 0,
        total=counts["total"],
        answered=counts["completed"],
        failed=counts["failed"],
        cancelled=ours.get("cancelled", 0),
        late=ours.get("late", 0),
        cost_usd=Decimal(ours.get("cost_usd", "0")),
        baseline_usd=Decimal(ours.get("baseline_usd", "0")),
        ended_at=next(filter(None, ended), 0),
        run=(batch.get("metadata") or {}).get("run", ""),
    )
