"""What is known of one request on its way: read once, then handed forward."""

from __future__ import annotations

from hybridllm.catalog.structs import Model, Task
from hybridllm.engine.call import Call, Headers
from hybridllm.money import dollars
from hybridllm.routing import Plan
from hybridllm.wire.conversation import Conversation
from hybridllm.wire.dialect import Facts


class Trip:
    """One request; `requested` is the id of a model that the caller named, `text_kind` the kind of
    text that its input is, "" where it is more than text. `conversation` is decoded at most once,
    and only where dialects differ."""

    __slots__ = (
        "_conversation",
        "attempts",
        "call",
        "dropped",
        "facts",
        "plan",
        "request_id",
        "requested",
        "session",
        "task",
        "task_source",
        "text_kind",
    )

    def __init__(
        self,
        request_id: str,
        call: Call,
        facts: Facts,
        task: Task,
        task_source: str,
        plan: Plan,
        session: bytes,
        requested: str | None = None,
        text_kind: str = "",
    ) -> None:
        self.request_id = request_id
        self.call = call
        self.facts = facts
        self.task = task
        self.task_source = task_source
        self.plan = plan
        self.session = session
        self.requested = requested
        self.text_kind = text_kind
        self.attempts = 0
        self.dropped: list[str] = []
        self._conversation: Conversation | None = None

    @property
    def conversation(self) -> Conversation:
        """The whole request. Raises RequestError naming the malformed field."""
        if self._conversation is None:
            self._conversation = self.call.dialect.decode_request(self.call.body, self.call.shape)
        return self._conversation

    def headers(self, model: Model, content_type: bytes) -> Headers:
        """The headers of an answer by `model`, as far as they are known at its start."""
        found: Headers = [
            (b"content-type", content_type),
            (b"x-hybridllm-request-id", self.request_id.encode()),
            (b"x-hybridllm-task", _value(self.task.name)),
            (b"x-hybridllm-model", _value(model.id)),
            (b"x-hybridllm-provider", _value(model.provider)),
            (b"x-hybridllm-reason", _value(self.plan.reason)),
            (b"x-hybridllm-attempts", b"%d" % self.attempts),
        ]
        if self.dropped:
            found.append((b"x-hybridllm-dropped", _value(", ".join(self.dropped))))
        return found


def money_headers(cost: int, baseline: int) -> Headers:
    """Cost of the answering attempt and of the same usage on the baseline model, exact dollars."""
    return [
        (b"x-hybridllm-cost-usd", dollars(cost).encode()),
        (b"x-hybridllm-baseline-usd", dollars(baseline).encode()),
    ]


def _value(text: str) -> bytes:
    """A header's value: Latin-1, and no control character can get in."""
    if text.isascii() and text.isprintable():
        return text.encode("ascii")
    return "".join(c if c.isprintable() else " " for c in text).encode("latin-1", "replace")
