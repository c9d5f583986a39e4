"""What the router hands back."""

from __future__ import annotations

from msgspec import Struct, field

from hybridllm.catalog.structs import Model
from hybridllm.routing.cascade import Cascading


class Verdict(Struct, kw_only=True, frozen=True):
    """What became of one model of the task (`model` is its id).

    `kept`: it qualified, and the cheapest of those that did is the task's choice. `why` says so in
    words, or names the limit that it broke. `expected` is the expected cost of the request in
    picodollars, with `cached` tokens of it read from the model's prompt cache; `nominal` is what it
    would cost with nothing cached. None where no price is known. `variant` is the label of the
    prompt's variant that it would get, "" for the caller's own prompt.
    """

    model: str
    kept: bool
    why: str
    expected: int | None
    nominal: int | None = None
    cached: int = 0
    variant: str = ""


class Plan(Struct, kw_only=True):
    """The models to try, in order, and why.

    `reason` is one sentence for a person. `verdicts` are filled by `Router.explain` alone.
    `previous` is the id of the model that the conversation was with, None where it is new;
    `moved_from` the same where the first of the chain is another. `cascade` is what became of the
    task's cascade, None where it has none; where it pays, its first model is asked before `chain`,
    which then are those who answer what fails its check.
    """

    task: str
    chain: list[Model]
    reason: str
    verdicts: list[Verdict] = field(default_factory=list)
    previous: str | None = None
    moved_from: str | None = None
    cascade: Cascading | None = None
