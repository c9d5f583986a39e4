"""What the router hands back."""

from __future__ import annotations

from msgspec import Struct, field

from hybridllm.catalog.structs import Model


class Verdict(Struct, kw_only=True, frozen=True):
    """What became of one model of the task (`model` is its id).

    `kept`: it qualified, and the cheapest of those that did is the task's choice. `why` says so in
    words, or names the limit that it broke. `expected` is the expected cost of the request in
    picodollars; None where no price is known.
    """

    model: str
    kept: bool
    why: str
    expected: int | None


class Plan(Struct, kw_only=True):
    """The models to try, in order, and why.

    `reason` is one sentence for a person. `verdicts` are filled by `Router.explain` alone.
    `moved_from` is the model id that the conversation leaves, None where it stays or is new.
    """

    task: str
    chain: list[Model]
    reason: str
    verdicts: list[Verdict] = field(default_factory=list)
    moved_from: str | None = None
