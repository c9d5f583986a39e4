"""Bytes on the wire: plain HTTP to a simulator, and replies held against the SDKs' own types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, TypeAdapter

from hybridllm.simulators import Simulators
from tests.running import Reply

PATHS = {
    "openai": "/v1/chat/completions",
    "anthropic": "/v1/messages",
    "google": "/v1beta/models/gemini-2.5-flash:generateContent",
}


class Raw:
    """Sends JSON to a provider's simulator with a good key."""

    def __init__(self, sims: Simulators, key: str) -> None:
        self._sims = sims
        self._headers = {
            "openai": {"authorization": f"Bearer {key}"},
            "anthropic": {"x-api-key": key, "anthropic-version": "2023-06-01"},
            "google": {"x-goog-api-key": key},
        }

    def post(
        self,
        provider: str,
        path: str,
        body: Any,
        headers: Mapping[str, str | None] | None = None,
    ) -> Reply:
        return self.request("POST", provider, path, body, headers)

    def request(
        self,
        method: str,
        provider: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str | None] | None = None,
        timeout: float = 30,
    ) -> Reply:
        """One request on a connection of its own. `body`: bytes as they are, else JSON. A header
        of None is left out. Raises http.client's errors where the reply is cut off."""
        at = urlsplit(getattr(self._sims.addresses, provider))
        connection = HTTPConnection(at.hostname or "", at.port, timeout=timeout)
        wanted = {**self._headers[provider], **(headers or {})}
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            connection.request(
                method,
                path,
                data,
                {name: value for name, value in wanted.items() if value is not None},
            )
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, found, response.read())
        finally:
            connection.close()

    def chat(self, **body: Any) -> Reply:
        return self.post("openai", "/v1/chat/completions", {"model": "gpt-4o-mini", **body})

    def messages(self, **body: Any) -> Reply:
        usual = {"model": "claude-sonnet-4-6", "max_tokens": 2000}
        return self.post("anthropic", "/v1/messages", {**usual, **body})

    def generate(
        self, model: str = "gemini-2.5-flash", method: str = "generateContent", **body: Any
    ) -> Reply:
        return self.post("google", f"/v1beta/models/{model}:{method}", body)


def events(reply: Reply) -> list[Any]:
    """The JSON of every server-sent event, `[DONE]` left out."""
    found = []
    for block in reply.body.decode().replace("\r\n", "\n").split("\n\n"):
        lines = [line for line in block.split("\n") if line]
        data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
        if data and data != ["[DONE]"]:
            found.append(json.loads("".join(data)))
    return found


def conforms(kind: Any, data: Any) -> Any:
    """`data` as the SDK's type. Fails where a field is missing or wrong, as the SDK itself would
    let pass, and where there is a field that the type does not have."""
    made = TypeAdapter(kind).validate_python(data)
    assert _extras(made, "") == []
    return made


def _extras(value: Any, path: str) -> list[str]:
    if isinstance(value, BaseModel):
        found = [f"{path}.{name}" for name in value.model_extra or ()]
        for name in value.model_fields_set:
            found += _extras(getattr(value, name, None), f"{path}.{name}")
        return found
    if isinstance(value, list):
        return [one for at, part in enumerate(value) for one in _extras(part, f"{path}[{at}]")]
    return []
