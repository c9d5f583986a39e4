"""What goes into the lane and what comes out of it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from hybridllm.catalog.prompts import Variant

BatchState = Literal["open", "cancelling", "ended"]


class NewBatch(Struct, kw_only=True):
    """A set of lines that one caller brings. `dialect` names the API it came by: openai (also its
    responses endpoint: `endpoint` then says so), anthropic or google; `endpoint` is the path of
    OpenAI's batch lines, "" elsewhere. `key` is the label of the caller's key. `deadline_at` is
    Unix microseconds: by then every line is answered, or reported as late. `kind` is `batch` for a
    batch API's, `deferred` for an ordinary request that can wait, `run` for the command line's.
    `model` is the model of the batch where its path names one (Google), "" else. `metadata` is a
    JSON object's text that the caller gave, "" else; `webhook` a URL to be told of the end."""

    dialect: str
    key: str
    deadline_at: int
    endpoint: str = ""
    kind: str = "batch"
    model: str = ""
    metadata: str = ""
    webhook: str = ""
    input_file: str = ""


class NewLine(Struct, kw_only=True):
    """One request: its name, unique in the batch, and its body in the batch's dialect. `task` is a
    label given beside the body, "" else; `tags` a JSON object's text or "". `variant` is the
    prompt's variant that it gets whichever model is chosen, instead of the configuration's."""

    custom_id: str
    body: bytes
    task: str = ""
    tags: str = ""
    variant: Variant | None = None


class Batch(Struct, kw_only=True):
    """A batch as it stands. Times are Unix microseconds, 0 where that has not come. `total` counts
    its lines, `answered`, `failed`, `cancelled` and `late` those that ended so; `late` ones were
    answered, but after the deadline, and are among `answered`. `cost` is picodollars so far."""

    id: str
    new: NewBatch
    state: BatchState
    created_at: int
    total: int
    answered: int = 0
    failed: int = 0
    cancelled: int = 0
    late: int = 0
    cost: int = 0
    baseline: int = 0
    ended_at: int = 0
    cancelled_at: int = 0

    @property
    def ended(self) -> int:
        """Lines that have ended, however."""
        return self.answered + self.failed + self.cancelled


class Result(Struct, kw_only=True):
    """One line's end. `status` and `body` are what the same request would have got live, in the
    caller's dialect (an error in its documented shape); `cancelled` has neither. `mode` says how it
    was done: `batch` or `sync`. `cost` is picodollars of all its `attempts`, `baseline` of the same
    usage on the baseline model."""

    custom_id: str
    place: int
    state: Literal["answered", "failed", "cancelled"]
    status: int
    body: bytes
    request_id: str
    task: str = ""
    model: str = ""
    mode: str = ""
    cost: int = 0
    late: bool = False
    baseline: int = 0
    attempts: int = 0
