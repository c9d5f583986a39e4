"""As how good a model may be taken that a policy knows nothing of: as a named one of the policy.

Nobody has measured it on the policy's tasks, so this is an assumption and says so. It is made in
one of two ways. hybridllm's own table (the preset `default`) holds the model for tasks of this
tier: then it is taken to be as good as the policy's model whose figure is next to that one, and
never better than either. Or it is the newer of a line that the policy uses (claude-sonnet-5 after
claude-sonnet-4-6): then it is taken to be as good as its predecessor. Of others nothing is assumed.
"""

from __future__ import annotations

import re
from functools import cache

from msgspec import Struct

from hybridllm.catalog.structs import Catalog, Model, Task
from hybridllm.config_file import load_preset
from hybridllm.quality import Table

_DATE = re.compile(r"-\d{4}-?\d\d-?\d\d$")
_VERSION = re.compile(r"\d+(?:\.\d+)*[a-z]?")
_NO_NAME = ("preview", "latest")


class Assumption(Struct, frozen=True, kw_only=True):
    """`value` is the quality assumed, since the model is taken to be as good as `comparable`, of
    which the policy says `comparable_value`; `why`: on what ground."""

    comparable: str
    comparable_value: float
    value: float
    why: str


class Line(Struct, frozen=True):
    """A line of models and a place in it: ("anthropic", "claude-sonnet"), (4, 6)."""

    name: tuple[str, str]
    version: tuple[int, ...]


@cache
def own_table() -> tuple[Table, str]:
    """hybridllm's own view of today's models, and its day."""
    ours = load_preset("default")
    return Table(ours.quality), max(quality.at for quality in ours.quality)


def assume(model: Model, task: Task, known: Table, catalog: Catalog) -> Assumption | None:
    """What to take `model`'s quality at `task` to be, by what is `known` of the models of
    `catalog` (the policy's). None: nothing can be said."""
    peers = {
        id: quality.lower
        for id in catalog.models
        if id != model.id and (quality := known.find(id, task)) is not None
    }
    table, day = own_table()
    ours = table.find(model.id, task)
    if ours is not None and peers:
        nearest = min(peers, key=lambda id: (abs(peers[id] - ours.lower), peers[id], id))
        return Assumption(
            comparable=nearest,
            comparable_value=peers[nearest],
            value=min(ours.lower, peers[nearest]),
            why=f"hybridllm's own table of {day} has it at {ours.lower:.2f}",
        )
    line = line_of(model)
    older = [id for id in peers if _precedes(line_of(catalog.models[id]), line)]
    if not older:
        return None
    before = max(older, key=lambda id: line_of(catalog.models[id]).version)
    return Assumption(
        comparable=before,
        comparable_value=peers[before],
        value=peers[before],
        why="it is the newer of the same line",
    )


def line_of(model: Model) -> Line:
    """`gemini-3.8-flash`: ("google", "gemini-flash"), (3, 8)."""
    words, version = [], []
    for word in _DATE.sub("", model.name).split("-"):
        if _VERSION.fullmatch(word):
            version += [int(number) for number in re.findall(r"\d+", word)]
        elif re.fullmatch(r"o\d+", word):
            words.append("o")
            version.append(int(word[1:]))
        elif word not in _NO_NAME:
            words.append(word)
    return Line((model.provider, "-".join(words)), tuple(version))


def _precedes(one: Line, other: Line) -> bool:
    return one.name == other.name and one.version < other.version
