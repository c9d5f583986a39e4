"""One typed tree of configuration, read once and swapped whole on reload.

The structs here are what `hybridllm.toml` may say; every field has a default, so that with the
providers' keys in the usual environment variables no file is needed. Reading, merging the preset
in and naming file, line and key of a mistake is `hybridllm.config_file`.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from hybridllm.catalog.prompts import Variant
from hybridllm.catalog.structs import Catalog, Model, ProviderSpec, Quality, Task, Tier


class KeyConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One API key of a provider, read from environment variable `env`. `account` labels the
    billing account in the ledger; `weight` is its share of the traffic."""

    env: str
    account: str = "default"
    weight: int = 1


class Deadlines(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Seconds a provider is given: to connect, to the first byte of the reply, between two bytes
    of it, and in total."""

    connect: float = 5.0
    first_byte: float = 120.0
    between_bytes: float = 60.0
    total: float = 600.0


class RetryConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`attempts` per model (the first included); waits are exponential from `base_seconds` with
    full jitter, capped at `cap_seconds`; a provider's retry-after above `cap_seconds` moves on to
    the next model instead of waiting. The budget allows `budget_ratio` retries per request in the
    last ten seconds, and `budget_floor` a second besides."""

    attempts: int = 3
    base_seconds: float = 0.2
    cap_seconds: float = 5.0
    budget_ratio: float = 0.2
    budget_floor: float = 2.0


class BreakerConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A provider and model's breaker opens after `failures` in a row, or when at least half of the
    last `window` outcomes failed; after `open_seconds` one probe is let through."""

    failures: int = 5
    window: int = 20
    open_seconds: float = 15.0


class ProviderConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A provider, known to the catalogue or new (then `dialect` and `base_url` are needed). `batch`
    says whether it has its dialect's batch API; by default OpenAI, Anthropic and Google do."""

    dialect: str | None = None
    base_url: str | None = None
    keys: tuple[KeyConfig, ...] = ()
    key_required: bool | None = None
    headers: dict[str, str] = field(default_factory=dict)
    ecosystem: str | None = None
    proxy: str | None = None
    ca_file: str | None = None
    max_connections: int = 1000
    batch: bool | None = None
    deadlines: Deadlines = Deadlines()


class ServerConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`key_env` names the variable that holds the gateway's own key (required off loopback)."""

    host: str = "127.0.0.1"
    port: int = 4000
    workers: int = 1
    key_env: str = "HYBRIDLLM_KEY"
    max_body_bytes: int = 32 * 1024 * 1024
    body_seconds: float = 60.0
    drain_seconds: float = 30.0


class LedgerConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`store` is an SQLAlchemy URL, or empty for SQLite in `directory`. `directory` holds the
    journal; `~` and $HYBRIDLLM_HOME (default ~/.hybridllm) are expanded. `log` is where the
    structured log lines go: `stderr`, `off`, or a path; by default the server's go to stderr and
    the library's nowhere."""

    store: str = ""
    directory: str = ""
    log: str = ""
    load_seconds: float = 0.5


class RoutingConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`baseline` is the single model that savings are measured against. `ecosystem` prefers one
    cloud's models wherever one qualifies. `concrete_fallbacks` says that a caller who names a
    model still gets `fallbacks` of the task, when that model fails. `session_seconds` is how long
    a conversation is remembered, `max_sessions` how many are at most. `classifier` is what names
    the task of a request for `auto`, `classifier_weights` the file of the learned one's weights, if
    not the package's."""

    baseline: str = "anthropic/claude-sonnet-4-6"
    default_task: str = "general"
    ecosystem: str | None = None
    concrete_fallbacks: bool = True
    session_seconds: float = 3600.0
    max_sessions: int = 20_000
    classifier: Literal["learned", "rules"] = "learned"
    classifier_weights: str | None = None


Range = tuple[float, float]
"""The least and the most that something is taken to be."""


class OverheadConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What several providers cost besides their bills, for `hybridllm report impact`. Each pair is
    a least and a most; the defaults are the hybrid stack guide's of April 2026, but for the three
    that it leaves open (`hourly_rate_usd`, `hours_a_day`, `amortise_months`) and
    `incident_requests`, which are ours.

    `setup_days` once, and `adaptation_hours` once for each task and provider, are spread over
    `amortise_months`; `maintenance_hours` and `evaluation_usd` are a month's. `incident_usd` is
    what an outage would have cost, had it not been survived, if fallbacks answered
    `incident_requests` requests in it or more. `target_percent` is the band that the net saving
    should lie in."""

    hourly_rate_usd: float = 100.0
    hours_a_day: float = 8.0
    setup_days: Range = (3.0, 5.0)
    adaptation_hours: Range = (2.0, 4.0)
    amortise_months: float = 12.0
    maintenance_hours: Range = (2.0, 4.0)
    evaluation_usd: Range = (300.0, 500.0)
    incident_usd: Range = (500.0, 2000.0)
    incident_requests: int = 10
    target_percent: Range = (25.0, 40.0)


class ReviewConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`every_days` is how often a gateway reviews prices and routes by itself and leaves the report
    in the ledger's store; 0: never."""

    every_days: float = 30.0


class DriftConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Models that become worse. `enabled` says that they are looked for. A model's first `baseline`
    live scores at a task are what later ones are held against, `margin` (0..1) is what their mean
    may fall by before that counts as worse, and `window` how many of the newest are watched."""

    enabled: bool = True
    baseline: int = 300
    margin: float = 0.02
    window: int = 2_000


class AlertsConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is told when something needs a person. `urls` are apprise's; `$NAME` in them is expanded
    from the environment, so that no secret need stand in a file. `events` are those that are told;
    a breaker that was open for `breaker_minutes` on end is one."""

    urls: tuple[str, ...] = ()
    events: tuple[Literal["degraded", "recovered", "breaker"], ...] = (
        "degraded",
        "recovered",
        "breaker",
    )
    breaker_minutes: float = 10.0


class BatchConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The asynchronous lane. `max_bytes` and `max_lines` bound a batch as a caller brings it.

    A job at a provider holds at most `job_lines` requests and `job_bytes`. Lines are submitted when
    there are `min_lines` for one model, when one has waited for `max_age_seconds`, or when a
    deadline asks for it; at most `max_enqueued_tokens` are with a provider for one model (0: no
    bound of ours). Jobs are asked after from `poll_seconds` on, more and more rarely up to
    `max_poll_seconds`. A provider's batches are taken to last `usual_seconds` until some were seen
    to end. A line whose deadline is nearer than `margin_seconds` is asked live, at most
    `live_calls` at a time. `retries` is how often a line, or a job that the provider cannot take,
    is tried again with the same model. `late` says what becomes of a line whose deadline has
    passed: `answer` asks once more and marks the answer, `fail` ends it. Ended batches are kept
    for `keep_days`.

    `webhook_hosts` are those that may be told of an end (`host`, `host:port`, `*.example.com`): no
    other is ever called. `webhook_secret_env` names the variable with the secret that signs."""

    max_bytes: int = 256 * 1024 * 1024
    max_lines: int = 100_000
    enabled: bool = True
    job_lines: int = 10_000
    job_bytes: int = 32 * 1024 * 1024
    min_lines: int = 1_000
    max_age_seconds: float = 30.0
    max_enqueued_tokens: int = 0
    poll_seconds: float = 10.0
    max_poll_seconds: float = 300.0
    usual_seconds: float = 3600.0
    margin_seconds: float = 300.0
    live_calls: int = 16
    retries: int = 3
    late: Literal["answer", "fail"] = "answer"
    keep_days: float = 30.0
    webhook_hosts: tuple[str, ...] = ()
    webhook_secret_env: str = "HYBRIDLLM_WEBHOOK_SECRET"


class CachingConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Providers' prompt caches. `enabled` says that breakpoints and cache keys are set where they
    pay; `long_ttl` that they may be of the longer lifetime; `isolate` keeps what callers of
    different keys send apart; `explicit` that Google's explicit caches are made too, where their
    storage pays; `off` names tasks whose requests are left as they are."""

    enabled: bool = False
    explicit: bool = False
    isolate: bool = True
    long_ttl: bool = True
    off: tuple[str, ...] = ()


class ResponseCacheConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Answers that are given again, of the tasks that say `response_cache`. An answer larger than
    `max_entry_bytes` is not kept; `memory_bytes` of answers are in each worker's memory."""

    max_entry_bytes: int = 1024 * 1024
    memory_bytes: int = 64 * 1024 * 1024


class WireConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fields to drop, or to refuse, when the chosen provider cannot express them."""

    drop: tuple[str, ...] = ()
    refuse: tuple[str, ...] = ()


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """If everything that is set holds, the task is `task`. `system` is a regex searched in the
    system prompt; `tools` whether tools are defined; sizes are estimated input tokens."""

    task: str
    system: str | None = None
    tools: bool | None = None
    min_input_tokens: int | None = None
    max_input_tokens: int | None = None


class Config(Struct, frozen=True, kw_only=True):
    """Everything, resolved: preset, file and environment merged, names checked."""

    preset: str
    catalog: Catalog
    tasks: dict[str, Task]
    quality: tuple[Quality, ...]
    rules: tuple[Rule, ...] = ()
    tier_tasks: dict[Tier, str] = field(default_factory=dict)
    """The task that stands for a tier when a caller says `tier/mid`."""
    providers: dict[str, ProviderConfig] = field(default_factory=dict)
    server: ServerConfig = ServerConfig()
    ledger: LedgerConfig = LedgerConfig()
    routing: RoutingConfig = RoutingConfig()
    retries: RetryConfig = RetryConfig()
    breaker: BreakerConfig = BreakerConfig()
    wire: WireConfig = WireConfig()
    overhead: OverheadConfig = OverheadConfig()
    review: ReviewConfig = ReviewConfig()
    drift: DriftConfig = DriftConfig()
    alerts: AlertsConfig = AlertsConfig()
    batch: BatchConfig = BatchConfig()
    response_cache: ResponseCacheConfig = ResponseCacheConfig()
    caching: CachingConfig = CachingConfig()
    variants: dict[str, dict[str, Variant]] = field(default_factory=dict)
    """Variants of prompts, by task and there by model id or provider."""
    path: str | None = None


class ResolvedProvider(Struct, frozen=True, kw_only=True):
    """A provider with its file, catalogue and environment settled, keys in hand. Never printed."""

    name: str
    spec: ProviderSpec
    dialect: str
    base_url: str
    keys: tuple[tuple[str, str, int], ...]
    """(secret, account label, weight) each; may be empty."""
    config: ProviderConfig

    def __repr__(self) -> str:
        return f"ResolvedProvider({self.name!r}, {self.base_url!r}, keys={len(self.keys)})"

    @property
    def usable(self) -> bool:
        """Whether calls can be made: a key is present, or none is needed."""
        return bool(self.keys) or not self.spec.key_required


__all__ = [
    "AlertsConfig",
    "BatchConfig",
    "BreakerConfig",
    "CachingConfig",
    "Config",
    "Deadlines",
    "KeyConfig",
    "LedgerConfig",
    "Model",
    "OverheadConfig",
    "ProviderConfig",
    "ResolvedProvider",
    "ResponseCacheConfig",
    "RetryConfig",
    "ReviewConfig",
    "RoutingConfig",
    "Rule",
    "ServerConfig",
    "WireConfig",
]
