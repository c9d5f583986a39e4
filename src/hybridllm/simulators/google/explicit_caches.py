"""Google's explicit caches: what callers have had it keep, until when, and what a request that
names one becomes (https://ai.google.dev/gemini-api/docs/caching).

A cache holds a system instruction, tools and contents of one model for one key. A request that
names it is answered as if it had begun with them, and may bring none of its own but contents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from hybridllm.simulators.ask import Refused
from hybridllm.simulators.google import errors
from hybridllm.simulators.google.names import camel, list_of

if TYPE_CHECKING:
    from hybridllm.simulators.provider import Incoming
    from hybridllm.simulators.world import World

MOST = 1_000
"""Of all keys together; then the oldest goes."""
_OWN = ("systemInstruction", "tools", "toolConfig")
_NAME = "cachedContents/"


class Kept(Struct):
    """One cache: `content` in camelCase, of `tokens`. Times are the world's Unix seconds."""

    id: str
    key: str
    model: str
    display_name: str
    content: dict[str, Any]
    tokens: int
    created: float
    updated: float
    expires: float


class ExplicitCaches:
    """All keys' caches. Without a world there are none."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}
        self._number = 0
        self.world: World | None = None

    def attach(self, world: World) -> None:
        self.world = world
        world.on_reset(self._kept.clear)

    def put(self, kept: Kept) -> None:
        self._kept[kept.id] = kept
        while len(self._kept) > MOST:
            del self._kept[next(iter(self._kept))]

    def new_id(self) -> str:
        self._number += 1
        return f"sim{self._number:020d}"

    def of(self, key: str) -> list[Kept]:
        """Those of a key that have not expired, in the order of their making."""
        now = self._now()
        for id in [id for id, kept in self._kept.items() if kept.expires <= now]:
            del self._kept[id]
        return [kept for kept in self._kept.values() if kept.key == key]

    def get(self, key: str, id: str) -> Kept:
        """Raises Refused, in the same words for what is not there and what is another's."""
        for kept in self.of(key):
            if kept.id == id:
                return kept
        raise Refused(403, "PERMISSION_DENIED", "CachedContent not found (or permission denied)")

    def delete(self, key: str, id: str) -> None:
        """Raises Refused where there is none."""
        del self._kept[self.get(key, id).id]

    def unfold(self, data: Any, incoming: Incoming) -> tuple[Any, int]:
        """The request with what its cache holds, and of how many tokens that is; the request as it
        is where it names none. Raises Refused."""
        if not isinstance(data, dict):
            return data, 0
        named = {camel(name): one for name, one in data.items() if one is not None}
        name = named.pop("cachedContent", "")
        if not name:
            return data, 0
        if not isinstance(name, str) or not name.startswith(_NAME):
            raise errors.invalid(
                "* GenerateContentRequest.cached_content: invalid cached content name."
            )
        key = incoming.headers.get("x-goog-api-key") or incoming.query.get("key", "")
        kept = self.get(key, name.removeprefix(_NAME))
        if kept.model != incoming.model:
            raise errors.invalid(
                f"Model used by GenerateContent request (models/{incoming.model}) and "
                f"CachedContent (models/{kept.model}) has to be the same."
            )
        if any(field in named for field in _OWN):
            raise errors.invalid(
                "CachedContent can not be used with GenerateContent request setting "
                "system_instruction, tools or tool_config.\n\nProposed fix: move those values to "
                "CachedContent from GenerateContent request."
            )
        contents = [*list_of(kept.content.get("contents", [])), *list_of(named.get("contents", []))]
        return {**kept.content, **named, "contents": contents}, kept.tokens

    def _now(self) -> float:
        return 0.0 if self.world is None else self.world.wall()
