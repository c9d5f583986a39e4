"""The id of a reply that its provider keeps, by which a later request may refer to it.

Only OpenAI's Responses API has such ids. They stand in the reply itself, and in the first events of
a streamed one: `{"id": "resp_...`, before anything that a model has written.
"""

from __future__ import annotations

import re

_FIRST_BYTES = 65_536
_ID = re.compile(rb'"id"\s*:\s*"(resp_[^"\\]{1,200})"')


def kept_id(reply: bytes) -> str | None:
    """The id in a reply of the Responses API, whole or begun; None if there is none."""
    found = _ID.search(reply, 0, _FIRST_BYTES)
    return found[1].decode() if found is not None else None
