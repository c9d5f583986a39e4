"""What the Responses API remembers: replies, and the conversation that led to each."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from msgspec import Struct

Item = dict[str, Any]
_REMEMBERED = 10_000


class Stored(Struct, frozen=True):
    """`reply` is the response's JSON; `items` are the conversation's, the reply's output included,
    as the input of a request would give them."""

    reply: dict[str, Any]
    items: list[Item]


class ResponseStore:
    """In memory, the oldest forgotten first. Not kept apart by key: every key is one's own."""

    def __init__(self) -> None:
        self._stored: OrderedDict[str, Stored] = OrderedDict()
        self._items: dict[str, Item] = {}

    def keep(self, reply: dict[str, Any], items: list[Item]) -> None:
        self._stored[reply["id"]] = Stored(reply, items)
        for item in reply["output"]:
            self._items[item["id"]] = item
        if len(self._stored) > _REMEMBERED:
            _, oldest = self._stored.popitem(last=False)
            self._forget_items(oldest)

    def find(self, response_id: str) -> Stored | None:
        return self._stored.get(response_id)

    def item(self, item_id: str) -> Item | None:
        """An item of a stored reply's output."""
        return self._items.get(item_id)

    def delete(self, response_id: str) -> bool:
        """Whether there was such a response."""
        stored = self._stored.pop(response_id, None)
        if stored is not None:
            self._forget_items(stored)
        return stored is not None

    def clear(self) -> None:
        self._stored.clear()
        self._items.clear()

    def _forget_items(self, stored: Stored) -> None:
        for item in stored.reply["output"]:
            self._items.pop(item["id"], None)
