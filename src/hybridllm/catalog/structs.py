"""The structs that the catalogue's data files fill.

Money is an integer number of picodollars (1e-12 dollar). A price is picodollars per token, which
is dollars per million tokens times 1e6: $0.15/MTok is 150_000.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec
from msgspec import Struct

CheckKind = Literal["schema", "regex", "tests", "self-consistency", "judge"]
"""How a cascade checks an answer."""


class Tier(StrEnum):
    """How demanding a task is."""

    SIMPLE = "simple"
    MID = "mid"
    PREMIUM = "premium"


class Usage(Struct, kw_only=True):
    """Tokens of one attempt, counted one way for all providers. The kinds do not overlap:

    - `input_tokens`: input billed at full price (neither read from nor written to a cache);
    - `cache_read_tokens`: input read from a cache;
    - `cache_write_tokens`: input written to a cache of the provider's default lifetime
      (Anthropic 5 minutes, OpenAI 30 minutes);
    - `cache_write_long_tokens`: written for the longer lifetime (Anthropic 1 h, OpenAI 12 h);
    - `output_tokens`: everything generated, reasoning included;
    - `reasoning_tokens`: the part of `output_tokens` that was reasoning.
    """

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_long_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def total_input(self) -> int:
        """All input, however it is billed: what a context window and a price tier look at."""
        return (
            self.input_tokens
            + self.cache_read_tokens
            + self.cache_write_tokens
            + self.cache_write_long_tokens
        )


class Rates(Struct, frozen=True, kw_only=True):
    """Picodollars per token by kind. None: this kind is not billed apart, and `fill` says how.

    A missing `cache_read` is billed as `input` (never derived by a percentage), a missing
    `cache_write` as `input`, a missing `cache_write_long` as `cache_write`, and a missing
    `reasoning` as `output`.
    """

    input: int
    output: int
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_long: int | None = None
    reasoning: int | None = None


class PriceTier(Struct, frozen=True, kw_only=True):
    """Rates for requests whose whole input exceeds `above_input_tokens`; they reprice the whole
    request, not the excess."""

    above_input_tokens: int
    rates: Rates
    batch: Rates | None = None


class Price(Struct, frozen=True, kw_only=True):
    """What a model costs from `since` (inclusive, UTC day, ISO date) until the next
    price's `since`.

    `tiers` are ordered by rising threshold. `batch` are the rates of the provider's batch API;
    None means that it offers none. `storage` is what an explicit cache costs for as long as it is
    kept, picodollars per token and hour; None: the model has none that we know the price of.
    """

    since: str
    rates: Rates
    batch: Rates | None = None
    tiers: tuple[PriceTier, ...] = ()
    storage: int | None = None
    source: str = ""


class Model(Struct, frozen=True, kw_only=True):
    """A model as one provider sells it. `id` is `provider/name`, set by itself; `name` is the wire
    name.

    `aliases` are further names that callers use for it. `tokens_per_kbyte` is how many tokens
    1,000 UTF-8 bytes of English text make, for estimates (integer, so routing stays in integers).
    `kind` is "chat" or "embedding"; tasks route among chat models alone.
    """

    provider: str
    name: str
    context_window: int
    max_output_tokens: int
    prices: tuple[Price, ...]
    kind: str = "chat"
    aliases: tuple[str, ...] = ()
    tools: bool = True
    vision: bool = True
    json_schema: bool = True
    reasoning: bool = False
    reasoning_required: bool = False
    documents: bool = False
    min_cache_tokens: int = 1024
    tokens_per_kbyte: int = 250
    deprecated_on: str | None = None
    released_on: str | None = None
    source: str = ""
    id: str = ""

    def __post_init__(self) -> None:
        # Kept and not worked out at each use: the way of a request asks for it again and again.
        msgspec.structs.force_setattr(self, "id", f"{self.provider}/{self.name}")


class ProviderSpec(Struct, frozen=True, kw_only=True):
    """A provider as the catalogue knows it: its dialect, public base URL, usual environment
    variables and the ecosystem (cloud) that it belongs to."""

    name: str
    dialect: str
    base_url: str
    key_env: tuple[str, ...] = ()
    base_url_env: str | None = None
    ecosystem: str | None = None
    key_required: bool = True


class Cascade(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A cheap model is asked `first`, its answer is checked, and what fails goes to the task's
    chain: to those of it that are stronger.

    `check` says how. `schema`: the answer is JSON that fits `schema` (JSON Schema as text), or the
    schema that the request itself states, of its answer or of its tools. `regex`: `expression` is
    found in it. `tests`: its Python code, with `before` in front, passes `tests` within `seconds`,
    in the sandbox. `self-consistency`: of `samples` answers, `agree` say the same (None: all), as
    `compare` says, each whole or as far as `expression` finds it. `judge`: the model `judge` gives
    it `least` of `scale` points or more by `rubric`; if it gives none, `on_judge_error` says what
    becomes of the answer.

    `expected_pass` is the share (0..1) that is taken to pass before any was checked, which weighs
    as much as `prior_checks` checks. With `force`, the cascade is gone through also where it is not
    expected to pay.
    """

    first: str
    check: CheckKind
    schema: str | None = None
    expression: str | None = None
    tests: str | None = None
    before: str = ""
    seconds: float = 5.0
    samples: int = 3
    agree: int | None = None
    compare: Literal["text", "json", "number"] = "text"
    judge: str | None = None
    rubric: str | None = None
    scale: int = 5
    least: int = 4
    on_judge_error: Literal["escalate", "accept"] = "escalate"
    expected_pass: float = 0.7
    prior_checks: int = 20
    force: bool = False


class Capture(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which of a task's requests are kept with their answers, redacted: a `share` of them (0..1),
    for `keep_days`, and at most the newest `keep`. `redact` are further regular expressions of
    what is to be taken out."""

    share: float
    keep_days: float = 30.0
    keep: int = 1_000
    redact: tuple[str, ...] = ()


class Monitor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `share` (0..1) of a task's answers is checked after the reply, each for a live score of 1
    or 0. `check` says how, as in `Cascade`: by `schema`, `expression`, or `tests` (with `before` in
    front, within `seconds`)."""

    share: float
    check: Literal["schema", "regex", "tests"]
    schema: str | None = None
    expression: str | None = None
    tests: str | None = None
    before: str = ""
    seconds: float = 5.0


class Task(Struct, frozen=True, kw_only=True):
    """A kind of work and its bar.

    `bar` is the share of good answers that a model must reach (0..1), compared with a measured
    lower bound or, where nothing was measured, an assumed quality. `candidates` are model ids in
    order of preference, used to break ties of cost; `fallbacks` are tried after the candidates.
    `output_tokens` is what an answer of this task usually takes, for expected cost, until the
    ledger has learned better. `max_latency_ms` is the time to a full answer that the task can
    bear; `can_wait` says that a batch is welcome, and `deadline` (`6h`, `2d`) that every ordinary
    request of the task waits, to be answered by then. `response_cache` (`1h`) is how long an answer
    may be given again to the same request at temperature 0; None: never. `cascade`: a cheaper
    model, which need not meet the bar, is asked first and its answer checked. `capture` says which
    requests are kept with their answers; None: none.
    """

    name: str
    tier: Tier
    bar: float = 0.0
    candidates: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = ()
    output_tokens: int = 500
    max_latency_ms: int | None = None
    can_wait: bool = False
    deadline: str | None = None
    response_cache: str | None = None
    ecosystem: str | None = None
    description: str = ""
    cascade: Cascade | None = None
    capture: Capture | None = None
    monitor: Monitor | None = None


class Quality(Struct, frozen=True, kw_only=True):
    """How good `model` is at `task` (or at every task of a tier, `tier:mid`).

    Measured: `value` is the estimate, `lower` its lower confidence bound, `samples` > 0. Assumed
    (`samples` == 0): `lower` is `value`, and `source` says whose assumption it is. `decline` says
    in words since when the model is degraded, "" where it is not: `value` is then that since.
    """

    model: str
    task: str
    value: float
    lower: float
    samples: int = 0
    source: str = ""
    at: str = ""
    decline: str = ""


class Catalog(Struct, frozen=True, kw_only=True):
    """One dated snapshot of everything. `as_of` is the ISO date of the snapshot."""

    as_of: str
    providers: dict[str, ProviderSpec]
    models: dict[str, Model]
    names: dict[str, str]
    """Every name and alias to a model id: `gpt-4o-mini`, `openai/gpt-4o-mini`, ..."""
    source: str = ""
