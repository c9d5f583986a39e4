"""A gateway of its own process, as a user starts it, for tests that talk to it over HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from hybridllm.gateway.process import GatewayProcess


@dataclass
class Reply:
    """One HTTP reply, whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class RunningGateway(GatewayProcess):
    """With a plain HTTP client, which shows every byte."""

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,
    ) -> Reply:
        """One request on a connection of its own. `body`: bytes as they are, else JSON."""
        at = urlsplit(self.url)
        connection = HTTPConnection(at.hostname or "", at.port, timeout=timeout)
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            connection.request(
                method, path, data, {"content-type": "application/json", **(headers or {})}
            )
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, found, response.read())
        finally:
            connection.close()

    def post(
        self, path: str, body: Any, headers: Mapping[str, str] | None = None, timeout: float = 30.0
    ) -> Reply:
        return self.request("POST", path, body, headers, timeout)

    def attempts(self, request_id: str) -> list[dict[str, Any]]:
        """The ledger's rows of a request."""
        found: list[dict[str, Any]] = self.request("GET", f"/api/v1/requests/{request_id}").json()[
            "attempts"
        ]
        return found
