"""The states of lines and of jobs, and every way from one to another: nothing moves but by here.

A *line* is one request of a batch. A *job* is a batch of ours at a provider, made of lines of one
model; its row is committed before the provider is called, so that a crash cannot send it twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

Event = Literal[
    "accept", "claim", "release", "submit", "answer", "fail", "retry", "overtake", "go_live",
    "abandon", "cancel",
]  # fmt: skip
JobEvent = Literal["submit", "refuse", "lose", "doubt", "end", "collect"]


class Move(Struct, frozen=True):
    """What `event` does: from any of `origins` to `to`, and why."""

    event: str
    origins: tuple[str, ...]
    to: str
    why: str


LINES: Sequence[Move] = (
    Move("accept", ("arriving",), "waiting", "The whole of its batch is stored."),
    Move("claim", ("waiting",), "claimed", "It is in a job that is about to be submitted."),
    Move("release", ("claimed",), "waiting", "The provider did not take the job."),
    Move("submit", ("claimed",), "submitted", "The provider has taken the job."),
    Move("answer", ("submitted", "live"), "answered", "Its answer is here."),
    Move("fail", ("waiting", "submitted", "live"), "failed",
         "The request is at fault, or nothing that could be tried has worked."),
    Move("retry", ("submitted", "live"), "waiting",
         "Its attempt failed, expired or was cancelled, and another may work."),
    Move("go_live", ("waiting",), "live",
         "No batch would be done by its deadline, or none can take it."),
    Move("overtake", ("claimed", "submitted"), "live",
         "Its job is not done and its deadline is near: it is asked live as well."),
    Move("abandon", ("live",), "waiting", "The process that asked it live is gone."),
    Move("cancel", ("waiting", "submitted"), "cancelled", "Its caller has cancelled the batch."),
)  # fmt: skip

JOBS: Sequence[Move] = (
    Move("submit", ("claimed", "doubtful"), "submitted", "The provider has taken it."),
    Move("refuse", ("claimed", "submitted"), "refused", "The provider will not do it."),
    Move("doubt", ("claimed", "ended"), "doubtful",
         "Whether the provider has it, and by which name, is not known: it is looked for there."),
    Move("lose", ("doubtful", "submitted"), "lost", "The provider does not have it."),
    Move("end", ("submitted",), "ended", "Its results can be read."),
    Move("collect", ("ended",), "collected", "Each of its lines has what became of it."),
)  # fmt: skip

ENDED = ("answered", "failed", "cancelled")
"""The states in which a line stays."""


class Illegal(Exception):
    """A move that is not in the table: the code is wrong."""


def _by_event(moves: Sequence[Move]) -> Mapping[str, Move]:
    return {move.event: move for move in moves}


_LINES, _JOBS = _by_event(LINES), _by_event(JOBS)


def after(state: str, event: Event) -> str:
    """A line's state after `event`. Raises Illegal."""
    return _after(_LINES[event], state)


def job_after(state: str, event: JobEvent) -> str:
    """A job's state after `event`. Raises Illegal."""
    return _after(_JOBS[event], state)


def ends(event: Event) -> tuple[str, str]:
    """The one state that `event` leads from, and the one that it leads to: for moves of many lines
    in one statement. Raises Illegal where it leads from several."""
    move = _LINES[event]
    if len(move.origins) != 1:
        raise Illegal(f"{event} leads from {', '.join(move.origins)}")
    return move.origins[0], move.to


def _after(move: Move, state: str) -> str:
    if state not in move.origins:
        raise Illegal(f"{move.event} of what is {state}")
    return move.to
