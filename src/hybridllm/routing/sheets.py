"""What is settled of a task's models before a request comes: one row for each, for every kind of
request that there is, made once a day.

The way of a request then walks over rows of plain figures; words are found only for the rows that
a request breaks.
"""

from __future__ import annotations

from hybridllm.routing.candidates import Candidate, Look, TaskTable
from hybridllm.routing.cost import Offers
from hybridllm.routing.filters import STATIC_CHECKS
from hybridllm.routing.need import Need
from hybridllm.routing.world import World
from hybridllm.tokens.kinds import of_kind

Row = tuple[Candidate, str, str, str, int, int, int, int, int, int, int]
"""A candidate and its id; the limit that no such request is within, "" if none, and why; tokens per
1,000 bytes; context window and output limit in tokens; input tokens up to which its first prices
hold, -1 where none are known; picodollars per token of input and of output; bytes that the prompt's
variant adds."""

Sheet = tuple[Row, ...]

_NO_END = 1 << 62

_Key = tuple[str, str, bool, bool, bool, bool]


class Sheets:
    """The rows by task and kind of request, of the day and the providers of the last plan."""

    __slots__ = ("_day", "_providers", "_sheets")

    def __init__(self) -> None:
        self._day = ""
        self._providers: frozenset[str] = frozenset()
        self._sheets: dict[_Key, Sheet] = {}

    def of(self, table: TaskTable, need: Need, world: World, offers: Offers) -> Sheet:
        """The rows of `table.listed`, in its order."""
        # Sets are compared element by element, so first by identity.
        providers = world.providers
        if world.day != self._day or (
            providers is not self._providers and providers != self._providers
        ):
            self._day, self._providers, self._sheets = world.day, providers, {}
        key = (
            need.task.name,
            need.kind,
            need.tools,
            need.media > need.documents,
            need.documents > 0,
            need.json_schema,
        )
        found = self._sheets.get(key)
        if found is None:
            rows = tuple(_row(one, need, world, offers) for one in table.listed)
            found = self._sheets[key] = rows
        return found


def _row(candidate: Candidate, need: Need, world: World, offers: Offers) -> Row:
    model = candidate.model
    look = Look(candidate, 0, 0)
    block = why = ""
    for name, check in STATIC_CHECKS:
        if why := check(look, need, world):
            block = name
            break
    offer = offers.of(model, candidate.id)
    tiers = () if offer is None else offer.price.tiers
    return (
        candidate,
        candidate.id,
        block,
        why,
        of_kind(model.tokens_per_kbyte, need.kind),
        model.context_window,
        model.max_output_tokens,
        -1 if offer is None else tiers[0].above_input_tokens if tiers else _NO_END,
        0 if offer is None else offer.fresh,
        0 if offer is None else offer.output,
        candidate.extra,
    )
