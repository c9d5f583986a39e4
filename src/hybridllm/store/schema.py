"""The tables, as the newest migration leaves them.

Money in `attempts` is picodollars, one attempt at most 2^63. Sums are larger than that, and
SQLite's sum() fails beyond it, so `hourly` holds each amount in two columns: `*_micro` whole
millionths of a dollar and `*_pico` the picodollars over, added up apart and never carried. The
amount is `micro * 1_000_000 + pico` (`whole`). Either column has room for 9 * 10^12 additions of
its largest term.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    false,
    text,
)

PICO_PER_MICRO = 1_000_000

LINES_TO_DO = "state = 'waiting' OR state = 'live'"
"""Of the lines of batches, those that wait, or are with a process: all that an index must find."""

metadata = MetaData()


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _integer(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _boolean(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


attempts = Table(
    "attempts",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("attempt", BigInteger, primary_key=True, autoincrement=False),
    _integer("at"),
    _text("key"),
    _text("tags"),
    _text("task"),
    _text("task_source"),
    _text("tier"),
    _text("requested"),
    _text("provider"),
    _text("model"),
    _text("account"),
    _text("dialect_in"),
    _text("dialect_out"),
    _boolean("stream"),
    _integer("status"),
    _text("outcome"),
    _text("error_kind"),
    _boolean("answered"),
    _text("provider_request_id"),
    _integer("input_tokens"),
    _integer("cache_read_tokens"),
    _integer("cache_write_tokens"),
    _integer("cache_write_long_tokens"),
    _integer("output_tokens"),
    _integer("reasoning_tokens"),
    _integer("cost"),
    _integer("baseline"),
    _text("baseline_model"),
    _boolean("usage_estimated"),
    _boolean("unpriced"),
    _boolean("batch"),
    _integer("first_token_us"),
    _integer("total_us"),
    _text("reason"),
    _text("moved_from"),
    Column("text_bytes", BigInteger, nullable=False, server_default="0"),
    Column("text_kind", Text, nullable=False, server_default=""),
    Column("cache_hit", Boolean, nullable=False, server_default=false()),
    *(
        Column(name, BigInteger, nullable=False, server_default="0")
        for name in ("batch_gap", "read_saved", "write_extra", "hit_saved", "prefix_left")
    ),
    *(Column(name, Text, nullable=False, server_default="") for name in ("role", "verdict")),
    *(
        Column(name, BigInteger, nullable=False, server_default="0")
        for name in ("cascade_saved", "cascade_extra")
    ),
    Column("variant", Text, nullable=False, server_default=""),
)
"""A row an attempt. Its one index is the primary key, which is how requests are looked up: no
report reads this table, and every further index would be paid for by every insert."""

HOURLY_KEYS = ("hour", "task", "provider", "model", "key")
HOURLY_COUNTS = (
    "attempts",
    "answered",
    "errors",
    "cut",
    "cancelled",
    "unknown",
    "fallbacks",
    "estimated",
    "unpriced",
    "batched",
    "cache_hits",
    "checked",
    "passed",
)
HOURLY_TOKENS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_long_tokens",
    "output_tokens",
    "reasoning_tokens",
)
HOURLY_MONEY = (
    "cost",
    "baseline",
    "unanswered_cost",
    "batch_cost",
    "batch_saved",
    "batch_left",
    "read_saved",
    "write_extra",
    "hit_saved",
    "prefix_left",
    "cascade_saved",
    "cascade_extra",
)
HOURLY_SUMS = (
    *HOURLY_COUNTS,
    *HOURLY_TOKENS,
    *(f"{name}_{part}" for name in HOURLY_MONEY for part in ("micro", "pico")),
)

_LATER = frozenset(HOURLY_SUMS[HOURLY_SUMS.index("batch_cost_micro") :]) | {
    "batched",
    "cache_hits",
    "checked",
    "passed",
}
"""Columns that came later, and are zero for what was recorded before."""

hourly = Table(
    "hourly",
    metadata,
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    *(Column(name, Text, primary_key=True) for name in HOURLY_KEYS[1:]),
    *(
        Column(name, BigInteger, nullable=False, server_default="0" if name in _LATER else None)
        for name in HOURLY_SUMS
    ),
)
"""The sums of `attempts` by hour (Unix seconds of its start), task, provider, model and key.

`errors`, `cut`, `cancelled` and `unknown` count outcomes. `fallbacks` are answered attempts by
another model than the request's first attempt, but for those of a cascade. `estimated` and
`unpriced` count the flags.
`unanswered_cost` is the part of `cost` whose reply the caller never got. `batched` and `cache_hits`
count those rows; the tokens of hits are no provider's, so they are not in the sums. `checked` are
the first answers of cascades that were checked, `passed` those of them that passed. `batch_cost`
and `batch_saved` are the `cost` and the `batch_gap` of batched rows, `batch_left` the `batch_gap`
of whole answers that were not; the others are sums of the column of their name.
"""

loaded = Table(
    "loaded",
    metadata,
    Column("run", Text, primary_key=True),
    _integer("segment"),
    _integer("bytes"),
    _boolean("finished"),
)
"""How far each run of a process has been loaded from its journal. It changes in the transaction
that inserts the rows, so that a record is loaded exactly once."""

calibrations = Table(
    "calibrations",
    metadata,
    Column("model", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    _integer("start"),
    _integer("ratio"),
    _integer("reports"),
    _integer("error"),
    _integer("start_error"),
)
"""What `attempts` have taught of tokens a byte, by model and kind of text: the fields of
`tokens.calibration.Calibration`. It changes in the transaction that inserts the rows."""


reviews = Table(
    "reviews",
    metadata,
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    _text("origin"),
    _text("document"),
)
"""Reviews of prices and routes: when (Unix microseconds), who made it (`serve` or `cli`), and the
`reports.review.Review` as JSON."""

responses = Table(
    "responses",
    metadata,
    Column("digest", Text, primary_key=True),
    _integer("created_at"),
    _integer("expires_at"),
    _text("about"),
    Column("body", LargeBinary, nullable=False),
    Index("responses_by_expiry", "expires_at"),
)
"""Answers that the response cache keeps. `digest` is of the request, its caller and its task;
times are Unix microseconds; `about` is an `engine.stored.About` as JSON, and `body` the answer as
its caller got it, compressed by zlib."""

batches = Table(
    "batches",
    metadata,
    Column("id", Text, primary_key=True),
    _text("key"),
    _text("dialect"),
    _text("endpoint"),
    _text("kind"),
    _text("model"),
    _text("metadata"),
    _text("webhook"),
    _text("input_file"),
    _integer("deadline_at"),
    _text("state"),
    _integer("created_at"),
    _integer("total"),
    _integer("answered"),
    _integer("failed"),
    _integer("cancelled"),
    _integer("late"),
    _integer("cost"),
    _integer("baseline"),
    _integer("ended_at"),
    _integer("cancelled_at"),
    Index("batches_by_key", "key", "created_at"),
    Index("batches_by_state", "state", "created_at"),
)
"""Sets of requests that can wait, as callers brought them: the fields of
`batching.structs.Batch`. `state` is `arriving` (not acknowledged yet), `open`, `cancelling` or
`ended`; the counts change in the transactions that end lines."""

batch_lines = Table(
    "batch_lines",
    metadata,
    Column("batch", Text, primary_key=True),
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    _text("custom_id"),
    _text("state"),
    _text("model"),
    _text("dialect"),
    _text("job"),
    _integer("attempts"),
    _integer("retries"),
    _text("tried"),
    _integer("ready_at"),
    _integer("deadline_at"),
    _integer("created_at"),
    _integer("size"),
    _integer("tokens"),
    Column("note", LargeBinary, nullable=False),
    _integer("status"),
    _text("mode"),
    _integer("cost"),
    _integer("baseline"),
    _boolean("late"),
    Index(
        "batch_lines_to_do",
        *("model", "dialect", "deadline_at", "ready_at", "created_at", "size", "tokens"),
        sqlite_where=text(LINES_TO_DO),
        postgresql_where=text(LINES_TO_DO),
    ),
    Index(
        "batch_lines_by_job",
        "job",
        sqlite_where=text("job <> ''"),
        postgresql_where=text("job <> ''"),
    ),
    sqlite_with_rowid=False,
)
"""One request of a batch, by its place. `state` is one of `batching.states`. `model` is the id of
the model that it waits for, or that answered it; `dialect` what is spoken there; `tried` the models
given up, as a JSON array. `job` is the job that holds it, "" for none; `attempts` numbers its
attempts. `note` is a `batching.notes.Note`. Its two bodies have tables of their own, so that a
change of state does not write them again."""

batch_requests = Table(
    "batch_requests",
    metadata,
    Column("batch", Text, primary_key=True),
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)
"""The requests' bodies."""

batch_results = Table(
    "batch_results",
    metadata,
    Column("batch", Text, primary_key=True),
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)
"""The answers' bodies, or errors', in the caller's dialect."""

batch_jobs = Table(
    "batch_jobs",
    metadata,
    Column("id", Text, primary_key=True),
    _text("state"),
    _text("provider"),
    _text("model"),
    _text("dialect"),
    _text("account"),
    _text("credential"),
    _text("external_id"),
    _text("excluded"),
    _integer("lines"),
    _integer("size"),
    _integer("tokens"),
    _integer("deadline_at"),
    _integer("created_at"),
    _integer("submitted_at"),
    _integer("ended_at"),
    _integer("cancelled_at"),
    _integer("next_at"),
    _integer("polls"),
    _integer("failures"),
    _text("error"),
    Index("batch_jobs_by_state", "state", "next_at"),
    Index("batch_jobs_by_provider", "provider", "ended_at"),
)
"""Batches of ours at providers. `state` is one of `batching.states`; `external_id` is the
provider's name for it, and `excluded` a JSON array of names that turned out to be others'.
`credential` tells the API key again without being it. Times are Unix microseconds."""

batch_lease = Table(
    "batch_lease",
    metadata,
    Column("name", Text, primary_key=True),
    _text("holder"),
    _integer("until"),
)
"""Which process drives the lane, and until when (Unix microseconds) unless it says so again."""

batch_files = Table(
    "batch_files",
    metadata,
    Column("id", Text, primary_key=True),
    _text("key"),
    _text("purpose"),
    _text("filename"),
    _text("state"),
    _text("batch"),
    _integer("bytes"),
    _integer("created_at"),
    _integer("expires_at"),
    Index("batch_files_by_key", "key", "created_at"),
)
"""Files of batches. `state` is `uploading` (nobody sees it yet), `stored` (its bytes are in
`batch_file_chunks`), `derived` (its content is made of the results of `batch`; `bytes` is -1 until
someone asks) or `deleted` (of a derived one, which must not come back). Times are Unix
microseconds; `expires_at` 0: never."""

batch_file_chunks = Table(
    "batch_file_chunks",
    metadata,
    Column("file", Text, primary_key=True),
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)
"""The bytes of a stored file, in pieces of bounded size."""

batch_refusals = Table(
    "batch_refusals",
    metadata,
    Column("id", Text, primary_key=True),
    _text("key"),
    _integer("at"),
    _text("document"),
    Index("batch_refusals_by_key", "key", "at"),
)
"""Batches whose input file could not be taken: what their caller is told of them, as JSON."""

batch_webhooks = Table(
    "batch_webhooks",
    metadata,
    Column("id", Text, primary_key=True),
    _text("batch"),
    _text("key"),
    _text("url"),
    _text("state"),
    _text("body"),
    _integer("created_at"),
    _integer("attempts"),
    _integer("next_at"),
    Index("batch_webhooks_by_time", "state", "next_at"),
)
"""Who wants to be told of a batch's end. `state` is `waiting` (the batch goes on), `due` (`body` is
to be delivered at `next_at`, Unix microseconds), `told` or `given_up`. `id` is the message's, the
same at every attempt."""


SCORE_KEY = ("task", "model", "variant", "run", "sample", "metric")

scores = Table(
    "scores",
    metadata,
    *(Column(name, Text, primary_key=True) for name in SCORE_KEY),
    _integer("score"),
    _integer("weight"),
    _text("grader"),
    _text("source"),
    _integer("at"),
    _text("request_id"),
    _integer("cost"),
    Index("scores_by_time", "task", "model", "source", "at"),
)
"""What answers were worth: a row for each that was judged, the fields of `store.scores.Score`, with
`score` in millionths and `weight` in thousandths. The key counts a sample once in a run."""

SUM_KEY = ("task", "model", "variant", "metric", "source", "run", "week")
SUM_TOTALS = ("n", "weight", "weight_squares", "total", "squares", "cost", "last_at")

score_sums = Table(
    "score_sums",
    metadata,
    *(Column(name, Text, primary_key=True) for name in SUM_KEY[:-1]),
    Column("week", BigInteger, primary_key=True, autoincrement=False),
    *(_integer(name) for name in SUM_TOTALS),
)
"""The sums of `scores` by cell, run and week, as `store.scores.Sums` says. They change in the
transaction that inserts the rows."""

feedback = Table(
    "feedback",
    metadata,
    Column("request_id", Text, primary_key=True),
    _text("key"),
    _integer("at"),
    _integer("score"),
    _text("comment"),
    Index("feedback_by_time", "at"),
)
"""What callers said of answers: `score` in millionths, `at` in Unix microseconds. The score itself
counts in `scores`."""

alerts = Table(
    "alerts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    _text("event"),
    _text("subject"),
    _text("text"),
    _text("state"),
    _integer("at"),
    _integer("attempts"),
    _integer("next_at"),
    Index("alerts_by_subject", "subject", "at"),
    Index("alerts_by_time", "state", "next_at"),
)
"""What people were told: a row for each `target`, and one for the log, whose target is "". `id`
names what happened, the same to whoever notices it; `subject` is what it happened to. `state` is
`due` (to be delivered at `next_at`), `told` or `given_up`. Times are Unix microseconds. A target is
named by its place or variable: its URL, which may hold a secret, is not kept."""


captures = Table(
    "captures",
    metadata,
    Column("request_id", Text, primary_key=True),
    _text("task"),
    _text("model"),
    _integer("at"),
    _integer("expires_at"),
    _integer("bytes"),
    Column("body", LargeBinary, nullable=False),
    Index("captures_by_task", "task", "at"),
    Index("captures_by_expiry", "expires_at"),
)
"""Requests of tasks that capture, with their answers, redacted. `at` and `expires_at` are Unix
microseconds, `body` is zlib-compressed JSON of which `bytes` is the whole length."""


def split(picodollars: int) -> tuple[int, int]:
    """(micro, pico) of an amount."""
    return divmod(picodollars, PICO_PER_MICRO)


def whole(micro: int, pico: int) -> int:
    """The amount of a (micro, pico) pair, or of their sums."""
    return int(micro) * PICO_PER_MICRO + int(pico)
