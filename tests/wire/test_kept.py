"""The id of a reply that may be continued, found without reading the reply."""

from __future__ import annotations

import pytest

from hybridllm.wire.kept import kept_id


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (b'{"id":"resp_1","object":"response"}', "resp_1"),
        (b'{ "object":"response", "id" : "resp_a.b-c=" }', "resp_a.b-c="),
        (b'event: response.created\ndata: {"response":{"id":"resp_1"}}\n\n', "resp_1"),
        (b'{"previous_response_id":"resp_0","id":"resp_1"}', "resp_1"),
        (b'{"instructions":"say \\"id\\": \\"resp_0\\"","id":"resp_1"}', "resp_1"),
        (b'{"id":"chatcmpl-1"}', None),
        (b"", None),
        (b'{"output":"' + b"x" * 70_000 + b'","id":"resp_1"}', None),
    ],
)
def test_the_id_of_a_reply(reply: bytes, found: str | None) -> None:
    assert kept_id(reply) == found
