"""The selector's five questions, with what may be answered to each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from hybridllm.config import Config
from hybridllm.planning.selector import SHARED_PERCENT, Answers, clouds


class Choice(Struct, frozen=True):
    """`says` are the answers (fields of `Answers`) that choosing it gives."""

    label: str
    says: dict[str, Any]


class Question(Struct, frozen=True):
    """One question of the five."""

    text: str
    choices: tuple[Choice, ...]


_SIZES = (
    (500, "about 500 tokens: a message, a review, a ticket"),
    (5_000, "about 5,000 tokens: some pages, a source file"),
    (50_000, "about 50,000 tokens: a long report, a module"),
    (200_000, "about 200,000 tokens: a book, a code base"),
    (600_000, "about 600,000 tokens: a shelf of documents"),
)
_BARS = (
    (0.80, "80 in 100 right will do: drafts, someone reads them"),
    (0.90, "90 in 100 right"),
    (0.95, "95 in 100 right: mistakes are costly"),
    (0.99, "99 in 100 right: as good as it gets"),
)


def questions(config: Config) -> tuple[Question, ...]:
    """The five, for the tasks and clouds that there are."""
    return (
        Question("What kind of task is it?", _tasks(config)),
        Question(
            "How large is one call's input?",
            tuple(Choice(label, {"input_tokens": size}) for size, label in _SIZES),
        ),
        Question(
            "How good is good enough?",
            (
                Choice("as good as the task asks by itself", {"bar": None}),
                *(Choice(label, {"bar": bar}) for bar, label in _BARS),
            ),
        ),
        Question(
            "Is context shared between calls?",
            (
                Choice("no, each call stands by itself", {"shared": False}),
                Choice(f"yes, some {SHARED_PERCENT}% of the input is the same", {"shared": True}),
            ),
        ),
        Question("Can it wait, and which cloud are you on?", _lanes(config)),
    )


def answers_of(chosen: Mapping[int, Choice]) -> Answers:
    """The answers of a choice for each question, by its number from 0."""
    said: dict[str, Any] = {}
    for _, choice in sorted(chosen.items(), key=lambda item: item[0]):
        said |= choice.says
    return Answers(**said)


def _tasks(config: Config) -> tuple[Choice, ...]:
    widest = max(len(name) for name in config.tasks)
    return tuple(
        Choice(f"{name:<{widest}}  {task.tier}: {task.description}".rstrip(": "), {"task": name})
        for name, task in config.tasks.items()
    )


def _lanes(config: Config) -> tuple[Choice, ...]:
    return tuple(
        Choice(
            f"{when}, {f'on {cloud.title()} Cloud' if cloud else 'no cloud preferred'}",
            {"wait": wait, "cloud": cloud},
        )
        for wait, when in ((False, "it must be answered at once"), (True, "it can wait for a day"))
        for cloud in (None, *clouds(config))
    )
