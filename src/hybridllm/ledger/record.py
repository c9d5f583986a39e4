"""What is written of one attempt: the row of the ledger, and the intent that precedes it.

An *attempt* is one HTTP call to a provider. Its intent is journalled before a byte is sent, its
record after the reply has ended, so that a killed process leaves no call unaccounted: an intent
without a record becomes a row of outcome `unknown`, priced at its upper bound.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

OUTCOMES = ("ok", "error", "cut", "cancelled", "unknown")


class Intent(Struct, kw_only=True, tag="i", array_like=True):
    """About to call. Times are Unix microseconds; money picodollars."""

    request_id: str
    attempt: int
    at: int
    key: str
    task: str
    task_source: str
    tier: str
    requested: str
    provider: str
    model: str
    account: str
    dialect_in: str
    dialect_out: str
    stream: bool
    upper_input_tokens: int
    upper_output_tokens: int
    upper_cost: int
    variant: str = ""


class Attempt(Struct, kw_only=True, tag="a", array_like=True):
    """One attempt, as it ended: one row of the ledger.

    `model` is the catalogue's model id and `requested` what the caller asked for. `status` is the
    provider's HTTP status, 0 where none came. `outcome` is one of OUTCOMES; `error_kind` an
    ErrorKind or "". `answered`: this attempt's reply is what the caller got. Usage kinds do not
    overlap (see wire.conversation.Usage). `cost` and `baseline` are picodollars; `baseline` is
    what the same call costs on `baseline_model`, and 0 on attempts that answered nothing.
    `usage_estimated`: the provider did not say, we estimated. `unpriced`: no price is known for
    the model, so `cost` is 0 and means nothing. Times are microseconds; `first_token_us` is 0
    where nothing came. `moved_from` is the model that a conversation left. `tags` is a JSON
    object's text or "". `text_bytes` are the UTF-8 bytes of the input's text and `text_kind` its
    kind (`tokens.kinds`), "" where the input was more than text, so that its tokens say nothing
    of bytes.

    What the levers of cost did, in picodollars at the row's own prices: `batch_gap` is what lies
    between this usage live and in a batch, whichever of the two it was; `read_saved` what reading
    from a cache saved against input at full price, `write_extra` what writing to one cost more;
    `prefix_left` what reading a repeated beginning from a cache would have saved. `cache_hit`: the
    gateway's own response cache answered; the usage is that of the stored answer, nothing was
    billed, and `hit_saved` is what it cost when it was made. `variant` is the label of the prompt's
    variant that was sent, "" for the caller's prompt as it was.

    Of a cascade: `role` is `first` (the cheap model's attempts), `sample` (its further answers, for
    comparison), `judge` or `escalated` (after the check failed), else "". `verdict` is what the
    check said of a first answer: `passed`, `failed`, `unknown` (it could not be checked), "" for
    all other rows. `cascade_saved` is what the answer that passed would have cost more on the model
    that it spared, `cascade_extra` what was paid for checks and for answers that did not pass.
    """

    request_id: str
    attempt: int
    at: int
    key: str
    tags: str
    task: str
    task_source: str
    tier: str
    requested: str
    provider: str
    model: str
    account: str
    dialect_in: str
    dialect_out: str
    stream: bool
    status: int
    outcome: str
    error_kind: str
    answered: bool
    provider_request_id: str
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cache_write_long_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost: int
    baseline: int
    baseline_model: str
    usage_estimated: bool
    unpriced: bool
    batch: bool
    first_token_us: int
    total_us: int
    reason: str
    moved_from: str
    text_bytes: int = 0
    text_kind: str = ""
    cache_hit: bool = False
    batch_gap: int = 0
    read_saved: int = 0
    write_extra: int = 0
    hit_saved: int = 0
    prefix_left: int = 0
    role: str = ""
    verdict: str = ""
    cascade_saved: int = 0
    cascade_extra: int = 0
    variant: str = ""

    def columns(self) -> dict[str, Any]:
        """The row by column name."""
        return {name: getattr(self, name) for name in self.__struct_fields__}
