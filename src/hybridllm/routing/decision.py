"""What the router has settled of one request, before it is put into words."""

from __future__ import annotations

from msgspec import Struct, field

from hybridllm.routing.candidates import Look, TaskTable
from hybridllm.routing.choice import Choice
from hybridllm.routing.need import Need
from hybridllm.routing.world import World


class Decision(Struct, kw_only=True):
    """`looks` are at the models of `table.listed`, in its order. `choice` is None when none of them
    can serve the request, and `chain` is empty when it must be refused. `requested` is the look at
    a model asked for by name, `stayed` at the warm model that a conversation keeps, and `spared`
    at the model that the conversation would have moved to, had nothing been cached."""

    need: Need
    world: World
    table: TaskTable
    looks: list[Look]
    choice: Choice | None
    chain: list[Look] = field(default_factory=list)
    requested: Look | None = None
    stayed: Look | None = None
    spared: Look | None = None

    def is_fallback_only(self, look: Look) -> bool:
        """Whether the task lists this model as a fallback and not as a candidate."""
        return look.candidate.position >= self.table.candidates

    @property
    def moved_from(self) -> str | None:
        """The model that the conversation leaves."""
        previous = self.world.previous
        if previous is None or not self.chain or self.chain[0].candidate.id == previous:
            return None
        return previous
