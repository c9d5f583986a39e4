"""Google's explicit caches: which beginnings have one of ours, and which ones get one.

Each beginning of a body that requests are likely to share is counted, by caller (where isolation is
asked for), API key, model and digest. Once as many uses came within a lifetime as pay for a cache
and its storage (`routing.caching.storing`), one is made, behind the reply; from then on bodies name
it instead of bringing the beginning, until it ends. No text is kept: digests alone.

Time is that of the requests, in seconds: nothing here looks at a clock. A cache's end is reckoned
from the request before its making, and so never later than it is.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from hashlib import sha256

from msgspec import Struct, field

from hybridllm.catalog.structs import Model, Rates, Usage
from hybridllm.routing.caching import LIFETIMES, SURE, storing
from hybridllm.wire.google.explicit import Beginning, Parts

LIMIT = 5_000
_MARGIN = 5.0
"""Seconds before its end from which a cache is not named: a request takes time to arrive."""
_REST = 600.0
"""Seconds for which a beginning is left alone whose cache could not be made, or has vanished."""
_USES = 256
_MOST_TOKENS = 1 << 40


class Known(Struct):
    """A beginning: when it was used of late, and of its tokens that were sent again (`again`) how
    many the implicit cache read (`read`). `name` is our cache of it, which ends at `until`; none is
    made before `rests`, nor while one is `making`."""

    times: deque[float] = field(default_factory=lambda: deque(maxlen=_USES))
    again: int = 0
    read: int = 0
    name: str = ""
    until: float = 0.0
    rests: float = 0.0
    making: bool = False

    def holds(self, now: float) -> bool:
        return bool(self.name) and self.until - _MARGIN > now

    def used(self, now: float) -> None:
        self.times.append(now)

    def sent(self, tokens: int, read: int) -> None:
        """It was sent whole, of so many tokens, of which the implicit cache read some. The first
        time says nothing, as nothing could be read."""
        if self.times:
            self.again += tokens
            self.read += min(read, tokens)
            if self.again > _MOST_TOKENS:
                self.again, self.read = self.again // 2, self.read // 2

    def share(self) -> int:
        """What the implicit cache reads of it, in thousandths."""
        return self.read * SURE // self.again if self.again else 0

    def reads(self, now: float) -> dict[int, int]:
        """How many are expected within each lifetime: as many as came in the last one, but for the
        first."""
        return {
            seconds: max(0, sum(at > now - seconds for at in self.times) - 1)
            for seconds in LIFETIMES
        }


class Wanted(Struct, frozen=True):
    """A cache to be made, for `seconds` from `at` on."""

    known: Known
    beginning: Beginning
    at: float
    seconds: int


class Lookup(Struct, kw_only=True):
    """A request as it is sent with one key. `named` is the beginning that its body leaves out, for
    which `using` has the cache; `likely` are those which others may share, the longest first."""

    parts: Parts
    place: bytes
    at: float
    likely: list[Beginning]
    named: Beginning | None = None
    using: Known | None = None


class Explicit:
    """The table. Not thread-safe: it belongs to one event loop."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._table: OrderedDict[bytes, Known] = OrderedDict()

    def __len__(self) -> int:
        return len(self._table)

    def look(
        self, parts: Parts, owner: bytes, secret: str, model: Model, at: float, shared: int
    ) -> Lookup:
        """What there is for a body that goes to `model` with the API key `secret`, of which a
        digest is kept: caches are a project's own, and which keys share one is not known here.
        `shared` is how many of its contents other requests are likely to begin with."""
        place = sha256(repr((owner, secret, model.id)).encode()).digest()
        likely = [one for one in reversed(parts.beginnings) if one.contents in (0, shared)]
        found = Lookup(parts=parts, place=place, at=at, likely=likely)
        for beginning in reversed(parts.beginnings):
            known = self._table.get(place + beginning.digest)
            if known is not None and known.holds(at):
                found.named, found.using = beginning, known
                break
        return found

    def vanished(self, found: Lookup) -> None:
        """The provider does not have what `found` names."""
        if found.using is not None:
            found.using.name = ""
            found.using.rests = found.at + _REST

    def note(self, found: Lookup, model: Model, usage: Usage) -> None:
        """The request was answered and billed so. `found.named` is None if it was sent whole."""
        named = -1 if found.named is None else found.named.contents
        if found.using is not None and found.named is not None:
            found.using.used(found.at)
        for beginning, tokens in self._countable(found, model, usage):
            if beginning.contents <= named:
                break
            known = self._known(found.place + beginning.digest)
            if named < 0:
                known.sent(tokens, usage.cache_read_tokens)
            known.used(found.at)

    def wanted(
        self, found: Lookup, model: Model, rates: Rates, storage: int, usage: Usage
    ) -> Wanted | None:
        """The cache that is worth its storage now, the longest if there are several."""
        named = -1 if found.named is None else found.named.contents
        for beginning, _ in self._countable(found, model, usage):
            known = self._table.get(found.place + beginning.digest)
            if known is None or beginning.contents <= named:
                break
            if known.making or known.holds(found.at):
                break
            if known.rests > found.at:
                continue
            seconds = storing(rates, storage, known.reads(found.at), known.share())
            if seconds is not None:
                known.making = True
                return Wanted(known, beginning, found.at, seconds)
        return None

    def made(self, wanted: Wanted, name: str) -> None:
        """It is there."""
        known = wanted.known
        known.making = False
        known.name, known.until = name, wanted.at + wanted.seconds

    def failed(self, wanted: Wanted) -> None:
        """It could not be made: not tried again for a while."""
        wanted.known.making = False
        wanted.known.rests = wanted.at + _REST

    def _countable(
        self, found: Lookup, model: Model, usage: Usage
    ) -> Iterator[tuple[Beginning, int]]:
        """The likely beginnings that are long enough for a cache, with about how many tokens."""
        for beginning in found.likely:
            tokens = usage.total_input * beginning.end // found.parts.size
            if tokens >= model.min_cache_tokens:
                yield beginning, tokens

    def _known(self, key: bytes) -> Known:
        known = self._table.get(key)
        if known is None:
            known = self._table[key] = Known()
            if len(self._table) > self._limit:
                self._table.popitem(last=False)
        else:
            self._table.move_to_end(key)
        return known
