"""Calls that a request needs beside its own: further samples of its answer, its judge's verdict.
They are attempts of the same request, counted with its others.
"""

from __future__ import annotations

from hybridllm.catalog.structs import Model
from hybridllm.engine.call import Call
from hybridllm.engine.trip import Trip
from hybridllm.routing import Plan
from hybridllm.wire.dialect import Facts, RequestShape
from hybridllm.wire.registry import get_dialect

SAMPLE, JUDGE = "sample", "judge"


class Beside(Trip):
    """A trip whose attempts are those of `parent`, and whose rows wait."""

    __slots__ = ("_parent",)

    def __init__(self, parent: Trip, role: str, call: Call, facts: Facts, plan: Plan) -> None:
        self._parent = parent
        before = parent.attempts
        super().__init__(
            parent.request_id,
            call,
            facts,
            parent.task,
            parent.task_source,
            plan,
            parent.session,
            requested=plan.chain[0].id if role == JUDGE else parent.requested,
            text_kind="" if role == JUDGE else parent.text_kind,
        )
        parent.attempts = before
        self.role = role
        self.held = []

    @property
    def attempts(self) -> int:
        """Of the whole request."""
        return self._parent.attempts

    @attempts.setter
    def attempts(self, count: int) -> None:
        self._parent.attempts = count


def sample_of(trip: Trip) -> Beside:
    """The same request once more."""
    return Beside(trip, SAMPLE, trip.call, trip.facts, trip.plan)


def judge_of(trip: Trip, judge: Model, body: bytes, reason: str) -> Beside:
    """A question to `judge`, whose `body` is that of OpenAI's chat completions."""
    dialect, shape = get_dialect("openai"), RequestShape()
    call = Call(
        dialect=dialect,
        shape=shape,
        body=body,
        key=trip.call.key,
        task=trip.task.name,
        tags=trip.call.tags,
    )
    plan = Plan(task=trip.task.name, chain=[judge], reason=reason)
    return Beside(trip, JUDGE, call, dialect.facts(body, shape), plan)
