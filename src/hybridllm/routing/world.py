"""What the router must know of the world, handed in as data."""

from __future__ import annotations

from msgspec import Struct, field

from hybridllm.quality.passing import Passing
from hybridllm.routing.caching import Prospect


class World(Struct, kw_only=True):
    """The moment of a plan.

    `providers` are the names of those that can be called (a key is present, or none is needed);
    `down` the model ids that are resting after failures. `latency_ms` is the usual time to a full
    answer by model id and `output_tokens` the usual length of an answer by task, as far as they
    were learned. `day` is the UTC day as an ISO date: it decides prices and deprecations.
    `tokens_per_kbyte` is what was learned of tokens per 1,000 bytes, by kind of text and model id.
    `shared_tokens` says that the first so many tokens of the input are the same in call after call,
    so that any model's prompt cache holds them. `previous` is the model id that last answered this
    conversation; `warm_model` the one whose prompt cache still holds `warm_tokens` tokens of it.
    `prospect` is what is known of the input's prefixes: where they are warm, and how likely it is
    that they are used again. `passing` is how often the check of the task's cascade was seen to
    pass; None: no cascade is looked for.
    """

    providers: frozenset[str]
    day: str
    down: frozenset[str] = frozenset()
    latency_ms: dict[str, int] = field(default_factory=dict)
    output_tokens: dict[str, int] = field(default_factory=dict)
    tokens_per_kbyte: dict[str, dict[str, int]] = field(default_factory=dict)
    shared_tokens: int = 0
    previous: str | None = None
    warm_model: str | None = None
    warm_tokens: int = 0
    prospect: Prospect | None = None
    passing: Passing | None = None
