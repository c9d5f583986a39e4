"""What callers say of answers: a score for a request, which counts for its task and model."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from hybridllm.errors import ErrorKind, RequestError

if TYPE_CHECKING:
    from hybridllm.ledger.ledger import Ledger

SOURCE = "feedback"
GRADER = "caller"
LONGEST_COMMENT = 4_000
THUMBS = {"up": 1.0, "down": 0.0}


class Feedback(Struct, frozen=True, kw_only=True):
    """`score` lies in 0..1. `comment` is kept as it is, for people to read."""

    request_id: str
    score: float
    comment: str = ""


class Taken(Struct, frozen=True, kw_only=True):
    """The cell that the feedback counts for. `counted` is false where that request has feedback
    already: the first one counts."""

    request_id: str
    task: str
    model: str
    score: float
    counted: bool


def read_feedback(body: bytes) -> Feedback:
    """The feedback of a JSON object with `request_id`, either `score` (0..1) or `thumb` ("up" or
    "down"), and perhaps `comment`. Raises RequestError naming the field."""
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise RequestError(
            "Feedback is a JSON object.",
            remedy='Write it as {"request_id": "hl-...", "score": 0.8} or with "thumb": "up".',
        )
    for name in said:
        if name not in ("request_id", "score", "thumb", "comment"):
            raise RequestError(
                f"Feedback has no field '{name[:50]}'.",
                field=name[:50],
                remedy="It has request_id, score or thumb, and comment.",
            )
    return made(said.get("request_id"), said.get("score"), said.get("thumb"), said.get("comment"))


def made(request_id: Any, score: Any = None, thumb: Any = None, comment: Any = None) -> Feedback:
    """The feedback of these fields. Raises RequestError naming the one that is wrong."""
    if not isinstance(request_id, str) or not request_id:
        raise RequestError(
            "Feedback needs the id of its request.",
            field="request_id",
            remedy="Give the value of the answer's header x-hybridllm-request-id.",
        )
    if (score is None) == (thumb is None):
        raise RequestError(
            "Feedback has either a score or a thumb.",
            field="score",
            remedy='Give "score" between 0 and 1, or "thumb": "up" or "down".',
        )
    if thumb is not None:
        if thumb not in THUMBS:
            raise RequestError(
                "A thumb is neither up nor down.", field="thumb", remedy='Give "up" or "down".'
            )
        score = THUMBS[thumb]
    if (
        isinstance(score, bool)
        or not isinstance(score, int | float)
        or not math.isfinite(score)
        or not 0 <= score <= 1
    ):
        raise RequestError(
            "A score is a number between 0 and 1.",
            field="score",
            remedy="Divide what you have by its highest value.",
        )
    if comment is not None and not isinstance(comment, str):
        raise RequestError("A comment is a text.", field="comment", remedy="Give a string.")
    if comment and len(comment) > LONGEST_COMMENT:
        raise RequestError(
            f"A comment has {LONGEST_COMMENT:,} characters at most; this one has {len(comment):,}.",
            field="comment",
            remedy="Shorten it.",
        )
    return Feedback(request_id=request_id, score=float(score), comment=comment or "")


def take_feedback(ledger: Ledger, feedback: Feedback, key: str) -> Taken:
    """Count it, if it is the first for a request of the caller `key` that was answered. Blocks.

    Raises RequestError(NOT_FOUND) for a request that is unknown, of another caller, or had no
    answer; HybridError(UNAVAILABLE) when the store cannot be reached.
    """
    from hybridllm.store.feedback import add_feedback
    from hybridllm.store.scores import Score, add_scores

    rows = [row for row in ledger.find(feedback.request_id) if row["key"] == key]
    answered = next((row for row in rows if row["answered"]), None)
    if answered is None:
        raise RequestError(
            f"The request '{feedback.request_id[:100]}' "
            + ("had no answer." if rows else "is not in the ledger."),
            kind=ErrorKind.NOT_FOUND,
            field="request_id",
            remedy="Use the x-hybridllm-request-id header of an answer that has ended.",
        )
    at = time.time_ns() // 1000
    score = Score(
        task=answered["task"],
        model=answered["model"],
        run=SOURCE,
        sample=feedback.request_id,
        score=feedback.score,
        at=at,
        grader=GRADER,
        source=SOURCE,
        request_id=feedback.request_id,
        variant=answered["variant"],
    )
    with ledger.writing() as connection:
        counted = add_scores(connection, [score]) == 1
        if counted:
            add_feedback(connection, feedback.request_id, key, at, score.score, feedback.comment)
    return Taken(
        request_id=feedback.request_id,
        task=score.task,
        model=score.model,
        score=score.score,
        counted=counted,
    )
