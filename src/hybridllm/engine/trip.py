"""What is known of one request on its way: read once, then handed forward."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridllm.catalog.structs import Model, Task
from hybridllm.engine.caching import Caching
from hybridllm.engine.call import Call, Headers
from hybridllm.money import dollars
from hybridllm.routing import Plan
from hybridllm.wire.conversation import Conversation
from hybridllm.wire.dialect import Facts

if TYPE_CHECKING:
    from hybridllm.engine.entry import Entry


class Trip:
    """One request; `requested` is the id of a model that the caller named, `text_kind` the kind of
    text that its input is, "" where it is more than text, `caching` what is done for its prefixes.
    `conversation` is decoded at most once, and only where dialects differ."""

    __slots__ = (
        "_conversation",
        "added",
        "attempts",
        "caching",
        "call",
        "dropped",
        "entry",
        "facts",
        "held",
        "kept",
        "plan",
        "request_id",
        "requested",
        "role",
        "session",
        "task",
        "task_source",
        "text_kind",
        "turns_before",
        "variant",
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
        caching: Caching | None = None,
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
        self.caching = caching
        self.attempts = 0
        self.dropped: list[str] = []
        self.variant = ""
        """The label of the prompt's variant in the body as it was last prepared; of it `added`
        bytes of text came in, and `turns_before` messages before the caller's first."""
        self.added = 0
        self.turns_before = 0
        self.kept = False
        """Whether the answer may be kept, to be given again."""
        self.entry: Entry | None = None
        """The latest attempt's, where the answer may be kept: to all others it would be a cycle."""
        self.role = ""
        """What its attempts are for in a cascade, as the ledger has it (`ledger.record`)."""
        self.held: list[Entry] | None = None
        """The answered attempts whose rows wait for what becomes of their answers; None: rows do
        not wait."""
        self._conversation: Conversation | None = None

    @property
    def conversation(self) -> Conversation:
        """The whole request. Raises RequestError naming the malformed field."""
        if self._conversation is None:
            self._conversation = self.call.dialect.decode_request(self.call.body, self.call.shape)
        return self._conversation

    def headers(self, model: Model, content_type: bytes, *, reason: str | None = None) -> Headers:
        """The headers of an answer by `model`, as far as they are known at its start. `reason` says
        why it was that model, if it was not by the plan."""
        found: Headers = [
            (b"content-type", content_type),
            (b"x-hybridllm-request-id", self.request_id.encode()),
            (b"x-hybridllm-task", _value(self.task.name)),
            (b"x-hybridllm-model", _value(model.id)),
            (b"x-hybridllm-provider", _value(model.provider)),
            (b"x-hybridllm-reason", _value(reason or self.plan.reason)),
            (b"x-hybridllm-attempts", b"%d" % self.attempts),
        ]
        if self.variant:
            found.append((b"x-hybridllm-variant", _value(self.variant)))
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
