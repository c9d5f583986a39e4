"""What a grader is: an answer and what was expected of it in, a score from 0 to 1 out.

A grader is a frozen struct whose fields are its parameters, so that a set's file is checked against
them as it is read. One file each in `graders/`, listed in `graders/registry.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar

from msgspec import Struct


class Grade(Struct, frozen=True, kw_only=True):
    """`score` is 0 (wrong) to 1 (right); `why` says in a few words what was amiss, and never holds
    the answer; `label` is the class that was read from the answer, where there are classes."""

    score: float
    why: str = ""
    label: str | None = None


RIGHT = Grade(score=1.0)


def wrong(why: str) -> Grade:
    """Score 0."""
    return Grade(score=0.0, why=why)


class Grader(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all graders. `kind` is the name that sets call it by; a `slow` one takes more than
    a moment of its own (a process) and is called from a thread."""

    kind: ClassVar[str]
    slow: ClassVar[bool] = False

    def expect(self, expected: Any) -> Any:
        """`expected` as `grade` wants it. Raises ValueError, saying what it must be."""
        return expected

    def grade(self, answer: str, expected: Any) -> Grade:
        """The grade of one answer; `expected` has been through `expect`."""
        raise NotImplementedError

    def summary(self, graded: Sequence[tuple[Any, Grade]]) -> dict[str, float]:
        """Figures of all answers of a model together (expected, grade), besides the mean score."""
        return {}


class Case(Struct, frozen=True, kw_only=True):
    """One answer as a judge sees it: who gave it (a model's id), to which sample and question."""

    sample: str
    model: str
    question: str
    answer: str
    expected: Any


Ask = Callable[[str, Sequence[Mapping[str, Any]]], Awaitable[str]]
"""Asks a model (by its id) and gives its text; paid from the budget of the run."""


class Judge(Grader, frozen=True, kw_only=True):
    """A grader that does not grade by rule: a model, or a person whose labels are on file."""

    def judges(self) -> str | None:
        """The name of the model that judges; None where no model does."""
        return None

    async def judge(self, case: Case, ask: Ask) -> Grade:
        """The grade of one answer. Raises ValueError where the judge gives none that can be
        read."""
        raise NotImplementedError


def texts_of(expected: Any) -> tuple[str, ...]:
    """One text, or several of which any will do. Raises ValueError for anything else."""
    found = (expected,) if isinstance(expected, str) else expected
    if isinstance(found, list | tuple) and found and all(isinstance(x, str) for x in found):
        return tuple(found)
    raise ValueError("must be a text, or a list of texts of which any will do")
