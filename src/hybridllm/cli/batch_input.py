"""The file that `hybridllm batch run` reads: whole chat bodies, lines of OpenAI's batches, or bare
prompts, told apart line by line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from hybridllm.batching.structs import NewLine
from hybridllm.errors import RequestError

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
_MOST_TOLD = 10
_ENCODER = msgspec.json.Encoder()


class Input:
    """A file of requests, each with a name of its own. Reading it twice gives the same lines."""

    def __init__(self, path: Path) -> None:
        """Reads it once. Raises RequestError naming the lines that are no requests."""
        self.path = path
        self.endpoint = CHAT
        self.count = 0
        self.digest = self._check()

    def lines(self, task: str) -> Iterator[NewLine]:
        """The requests in their order."""
        for number, data in self._read():
            custom_id, _, body = _request(number, data)
            yield NewLine(custom_id=custom_id, body=_ENCODER.encode(body), task=task)

    def names(self) -> Iterator[str]:
        """The requests' names in their order."""
        for number, data in self._read():
            yield _request(number, data)[0]

    def _check(self) -> str:
        bad: list[str] = []
        seen: dict[str, int] = {}
        endpoint = ""
        digest = hashlib.blake2b(digest_size=16)
        for number, data in self._read():
            digest.update(data + b"\n")
            self.count += 1
            try:
                custom_id, url, _ = _request(number, data)
            except ValueError as e:
                bad.append(f"line {number}: {e}")
                continue
            first = seen.setdefault(custom_id, number)
            if first != number:
                bad.append(f"line {number}: its custom_id is that of line {first}")
            endpoint = endpoint or url
            if url != endpoint:
                bad.append(f"line {number}: it is for {url}, those before it for {endpoint}")
        if bad:
            more = f", and {len(bad) - _MOST_TOLD:,} more" if len(bad) > _MOST_TOLD else ""
            raise RequestError(
                f"Nothing was sent, because of {self.path}: {'; '.join(bad[:_MOST_TOLD])}{more}.",
                remedy='A line is a chat body, a line of OpenAI\'s batches, or {"prompt": "..."}.',
            )
        if not self.count:
            raise RequestError(f"There is no request in {self.path}.")
        self.endpoint = endpoint
        return digest.hexdigest()

    def _read(self) -> Iterator[tuple[int, bytes]]:
        try:
            with self.path.open("rb") as file:
                for number, data in enumerate(file, 1):
                    if line := data.strip():
                        yield number, line
        except OSError as e:
            raise RequestError(f"Cannot read {self.path}: {e.strerror}.") from None


def _request(number: int, data: bytes) -> tuple[str, str, dict[str, Any]]:
    """(custom_id, endpoint, body) of a line. Raises ValueError saying what is wrong with it."""
    try:
        said = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ValueError("it is no JSON") from None
    if not isinstance(said, dict):
        raise ValueError("it is no JSON object")
    name = said.get("custom_id", f"line-{number}")
    if not isinstance(name, str) or not name:
        raise ValueError("its custom_id is no text")
    if "body" in said:
        return name, _endpoint(said), _body(said["body"])
    if "prompt" in said:
        return name, CHAT, _prompted(said)
    if "messages" in said:
        body = {key: value for key, value in said.items() if key != "custom_id"}
        return name, CHAT, _body(body)
    raise ValueError("it has neither messages, nor a body, nor a prompt")


def _endpoint(said: dict[str, Any]) -> str:
    url = said.get("url", CHAT)
    if url not in (CHAT, RESPONSES):
        raise ValueError(f"its url is neither {CHAT} nor {RESPONSES}")
    return str(url)


def _body(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise ValueError("its body is no object")
    if body.get("stream"):
        raise ValueError("it asks for a stream")
    return {"model": "auto", **body}


def _prompted(said: dict[str, Any]) -> dict[str, Any]:
    unknown = set(said) - {"prompt", "system", "custom_id"}
    if unknown:
        raise ValueError(f"beside a prompt it has {', '.join(sorted(unknown))}")
    messages = []
    for key, role in (("system", "system"), ("prompt", "user")):
        if key in said:
            if not isinstance(said[key], str):
                raise ValueError(f"its {key} is no text")
            messages.append({"role": role, "content": said[key]})
    return {"model": "auto", "messages": messages}
