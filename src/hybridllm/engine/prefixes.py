"""Which prompts' prefixes come again, how soon, and which models' caches hold them.

A request is a chain of prefixes, each known by a digest: one after its tools, its system prompt,
each block of its first message, and each message. Two of them matter: the *root*, which requests of
different conversations share, and the *tail*, the whole request, which the conversation's next one
begins with. For each the table learns how soon it is used again, and for prefixes that are new it
knows what those of their kind did: roots by task, tails by task and by how far the conversation is.

Bounded, least recently used out first; counts decay. No prompt is kept, and no key: digests alone.
Nothing is hashed of a request that is too short for any model's cache. Where configuration asks for
isolation, digests are the caller's own, and nothing is marked of a prefix that another caller of
the same provider's key has.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from hashlib import sha256

from msgspec import Struct, field
from msgspec.structs import replace

from hybridllm.catalog.structs import Model, Usage
from hybridllm.engine.reuse import LATER, SOON, Gaps, Kind
from hybridllm.routing.caching import SURE, Chance, Mark, Prospect, Stretch, Warm
from hybridllm.wire.dialect import Facts
from hybridllm.wire.prefix import Block, Section, blocks_of

LIMIT = 20_000
_DEEPEST = 3
_MOST_HEADS = 24
_HEAD_BYTES = 1_024
_MOST_MODELS = 16
_MARGIN = 5.0
"""Seconds before its end from which a cache is not counted upon: a request takes time to arrive."""

_ROOT_PRIOR: Chance = (150, 150)
_TAIL_PRIORS: tuple[Chance, ...] = ((100, 100), (600, 600), (700, 700), (700, 700))
"""Before traffic has taught better: a first request is taken to be the only one, a later one to be
followed by another."""
_KIND_WEIGHT = 2
_CONVERSATION_WEIGHT = 2
_MODEL_WEIGHT = 2


class Use(Struct):
    """A prefix on one model: when it was last used, until when the cache holds its `tokens`."""

    seen: float
    until: float = 0.0
    tokens: int = 0
    gaps: Gaps = field(default_factory=Gaps)


class Entry(Struct):
    """A prefix. `gaps` are those between its uses. Where a request ended with it, `kind` is the
    request's task and depth in its conversation, `gaps` are the conversation's, and `root` is the
    number of the block with which its root ends, -1 for none. It was answered by `model`; it is
    `followed` once the conversation went on, and `served` once it did so on that model."""

    seen: float
    gaps: Gaps = field(default_factory=Gaps)
    kind: tuple[str, int] | None = None
    root: int = -1
    model: str = ""
    followed: bool = False
    served: bool = False
    uses: dict[str, Use] = field(default_factory=dict)


class Link(Struct, frozen=True):
    """One prefix of a request: its digest, its `key` in the table, its size in bytes, and the
    number of its last block."""

    digest: bytes
    key: bytes
    end: int
    after: int


class Reuse(Struct, kw_only=True):
    """What a request is, as its prefixes go. `marks` are the breakpoints that were put into the
    body as it was last sent. `key` names the root, for a provider that asks for a name. `alone`:
    isolation forbids to mark it."""

    blocks: list[Block]
    links: list[Link]
    at: float
    kind: tuple[str, int]
    root: int
    prospect: Prospect
    key: str
    owner: bytes
    alone: bool = False
    marked: bool = False
    marks: tuple[Mark, ...] = ()


class Prefixes:
    """The table. Not thread-safe: it belongs to one event loop. `least` are the bytes below which
    no model's cache takes a prefix."""

    def __init__(
        self, least: int = 1_500, *, isolate: bool = True, long: bool = True, limit: int = LIMIT
    ) -> None:
        self.least = least
        self.isolate = isolate
        self.long = long
        self._limit = limit
        self._table: OrderedDict[bytes, Entry] = OrderedDict()
        self._owners: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()
        self._roots: dict[str, Kind] = {}
        self._tails: dict[tuple[str, int], Kind] = {}

    def __len__(self) -> int:
        return len(self._table)

    def look(
        self, body: bytes, facts: Facts, caller: str, task: str, now: float, seed: bytes = b""
    ) -> Reuse | None:
        """What is known of a request's prefixes; None where it is too short for any cache, or where
        more is to be seen by the model than the body holds. `seed` stands for what comes before
        them and is not in the body. Learns nothing yet."""
        if facts.text_bytes < self.least or facts.unseen_input:
            return None
        blocks = blocks_of(body, marked=facts.cache_marked)
        owner = sha256(caller.encode()).digest()[:8] if self.isolate else b""
        links = _chain(blocks, self.least, owner, seed)
        if not links:
            return None
        entries = [self._table.get(link.key) for link in links]
        known = max((at for at, entry in enumerate(entries) if entry is not None), default=-1)
        former = entries[known] if known >= 0 else None
        before = former if former is not None and former.kind is not None else None
        root = _root_of(blocks, links, before, known)
        kind = (task, _depth(facts, before))
        stretches = []
        if 0 <= root < len(links) - 1:
            stretches.append(self._root_stretch(links[root], entries[root], task, now))
        stretches.append(self._tail_stretch(links[-1], before, kind, now))
        return Reuse(
            blocks=blocks,
            links=links,
            at=now,
            kind=kind,
            root=root,
            prospect=Prospect(
                size=links[-1].end,
                stretches=tuple(stretches),
                warm=_warm(links, entries, now),
                long=self.long,
            ),
            key=sha256(links[max(root, 0)].key).hexdigest()[:32],
            owner=owner,
            alone=self.isolate and self._is_anothers(links, owner, now),
            marked=facts.cache_marked,
        )

    def note(self, reuse: Reuse, model: Model, usage: Usage) -> None:
        """`model` has answered the request, and this is what its provider billed."""
        links, at, id = reuse.links, reuse.at, model.id
        entries = {link.key: self._table.get(link.key) for link in links}
        task, _ = reuse.kind
        known = [entry for link in links if (entry := entries[link.key]) is not None]
        before = known[-1] if known and known[-1].kind is not None else None
        self._follow(known, id, at)
        heads = [] if before is not None else _heads(links)
        if 0 <= reuse.root < len(links) - 1 and links[reuse.root] not in heads:
            heads.append(links[reuse.root])
        for link in heads:
            entry = entries[link.key]
            is_root = link.after == links[reuse.root].after
            if entry is None:
                entry = self._put(link.key, Entry(at))
                if is_root:
                    self._roots.setdefault(task, Kind()).all.used()
            else:
                gap = at - entry.seen
                if is_root and not entry.gaps.count:
                    self._roots.setdefault(task, Kind()).all.again(gap)
                entry.gaps.follow(gap)
                self._table.move_to_end(link.key)
            _touch(entry, id, at)
        self._end(reuse, before, id)
        self._warm_up(reuse, model, usage, heads)
        if self.isolate:
            self._own(reuse, [*heads, links[-1]])

    # -- what it learns

    def _follow(self, known: list[Entry], id: str, at: float) -> None:
        """The requests that this one goes on from are followed: the last by it, and the last on the
        same model by one that this model's cache may serve."""
        tails = [entry for entry in known if entry.kind is not None]
        if tails and tails[-1] is known[-1] and not tails[-1].followed:
            last = tails[-1]
            last.followed = True
            if (kind := self._tails.get(last.kind or ("", 0))) is not None:
                kind.all.again(at - last.seen)
                kind.moves(last.model).go_on()
        for entry in reversed(tails):
            if entry.model == id and not entry.served:
                entry.served = True
                if (kind := self._tails.get(entry.kind or ("", 0))) is not None:
                    kind.moves(id).stay()
                return

    def _end(self, reuse: Reuse, before: Entry | None, id: str) -> None:
        """The whole request, which the next one of its conversation begins with."""
        link, at = reuse.links[-1], reuse.at
        self._tails.setdefault(reuse.kind, Kind()).all.used()
        gaps = Gaps()
        if before is not None:
            gaps = replace(before.gaps)
            gaps.follow(at - before.seen)
        entry = self._table.get(link.key)
        if entry is None:
            entry = self._put(link.key, Entry(at))
        else:
            self._table.move_to_end(link.key)
        entry.gaps, entry.kind, entry.model = gaps, reuse.kind, id
        entry.followed = entry.served = False
        entry.root = reuse.links[reuse.root].after if reuse.root >= 0 else -1
        _touch(entry, id, at)

    def _warm_up(self, reuse: Reuse, model: Model, usage: Usage, heads: list[Link]) -> None:
        """What the model's cache holds from now on: what was marked, as far as the provider says
        that it has it; where it caches by itself, whatever is long enough."""
        links, at = reuse.links, reuse.at
        size, total = links[-1].end, usage.total_input
        cached = usage.cache_read_tokens + usage.cache_write_tokens + usage.cache_write_long_tokens
        long = {mark.after: mark.long for mark in reuse.marks}
        ours = bool(reuse.marks)
        if not (ours or reuse.marked) and model.provider != "anthropic":
            cached = max(cached, total)
        for link in (*heads, *links) if ours else (*heads, links[-1]):
            if ours and link.after not in long:
                continue
            tokens = total * link.end // size
            # What we take a prefix to be and what the provider counted differ a little.
            if tokens < model.min_cache_tokens or tokens * 49 // 50 > cached:
                continue
            entry = self._table.get(link.key)
            if entry is None:
                continue
            use = _touch(entry, model.id, at)
            until = at + (LATER if long.get(link.after) else SOON)
            use.until, use.tokens = max(use.until, until), min(tokens, cached)

    # -- what it knows

    def _root_stretch(self, link: Link, entry: Entry | None, task: str, now: float) -> Stretch:
        kind = self._roots.get(task)
        prior = _ROOT_PRIOR if kind is None else kind.all.chance(_ROOT_PRIOR, _KIND_WEIGHT)
        if entry is None:
            return Stretch(end=link.end, after=link.after, chance=prior)
        chance = entry.gaps.chance(prior, 1, now - entry.seen)
        on = {
            id: use.gaps.chance(chance, _MODEL_WEIGHT, now - use.seen)
            for id, use in entry.uses.items()
        }
        return Stretch(end=link.end, after=link.after, chance=chance, on=on)

    def _tail_stretch(
        self, link: Link, before: Entry | None, which: tuple[str, int], now: float
    ) -> Stretch:
        kind, chance = self._tails.get(which), self._tail_chance(*which)
        if before is not None:
            chance = before.gaps.chance(chance, _CONVERSATION_WEIGHT, now - before.seen)
        on = {}
        if kind is not None:
            for id, moves in kind.on.items():
                stays = moves.share()
                on[id] = (chance[0] * stays // SURE, chance[1] * stays // SURE)
        return Stretch(end=link.end, after=link.after, chance=chance, on=on)

    def _tail_chance(self, task: str, depth: int) -> Chance:
        """Of a request of this task, so far into its conversation: where few were seen, those one
        turn before say most of how soon the next one comes."""
        prior = _TAIL_PRIORS[depth]
        if depth > 1 and (task, depth - 1) in self._tails:
            prior = self._tail_chance(task, depth - 1)
        kind = self._tails.get((task, depth))
        return prior if kind is None else kind.all.chance(prior, _KIND_WEIGHT)

    # -- whose it is

    def _is_anothers(self, links: Iterable[Link], owner: bytes, now: float) -> bool:
        owners = self._owners
        for link in links:
            held = owners.get(link.digest)
            if held is not None and held[0] != owner and held[1] > now:
                return True
        return False

    def _own(self, reuse: Reuse, links: Iterable[Link]) -> None:
        until = reuse.at + LATER
        for link in links:
            held = self._owners.get(link.digest)
            if held is None or held[0] == reuse.owner or held[1] <= reuse.at:
                self._owners[link.digest] = (reuse.owner, until)
                self._owners.move_to_end(link.digest)
        while len(self._owners) > self._limit:
            self._owners.popitem(last=False)

    def _put(self, key: bytes, entry: Entry) -> Entry:
        self._table[key] = entry
        if len(self._table) > self._limit:
            self._table.popitem(last=False)
        return entry


def _chain(blocks: list[Block], least: int, owner: bytes, seed: bytes = b"") -> list[Link]:
    """The prefixes of at least `least` bytes, and the whole. Each byte is hashed once."""
    links: list[Link] = []
    running, end, last = sha256(seed), 0, len(blocks) - 1
    for after, block in enumerate(blocks):
        running.update(block.raw)
        end += len(block.raw)
        if end >= least or after == last:
            digest = running.digest()[:16]
            links.append(Link(digest, digest + owner, end, after))
    return links


def _root_of(blocks: list[Block], links: list[Link], before: Entry | None, known: int) -> int:
    """The place in `links` of the root: the conversation's own; for a new conversation what it
    shares with another; for one that shares nothing what others are likely to share with it, its
    tools and system prompt, or all of its first message but the question. -1: there is none."""
    if before is not None:
        after = before.root
        return next((at for at, link in enumerate(links) if link.after == after), -1)
    if known >= 0:
        return known
    root = -1
    for at, link in enumerate(links):
        block = blocks[link.after]
        if block.section is not Section.MESSAGES or block.inner >= 0:
            root = at
    return root


def _depth(facts: Facts, before: Entry | None) -> int:
    if before is not None and before.kind is not None:
        return min(before.kind[1] + 1, _DEEPEST)
    return int(any(turn.role == "assistant" for turn in facts.turns))


def _warm(links: list[Link], entries: list[Entry | None], now: float) -> dict[str, Warm]:
    """By model, the longest prefix that its cache holds."""
    found: dict[str, Warm] = {}
    for link, entry in zip(reversed(links), reversed(entries), strict=True):
        if entry is not None:
            for id, use in entry.uses.items():
                if use.until - _MARGIN > now and id not in found:
                    found[id] = Warm(use.tokens, link.after, link.end)
    return found


def _heads(links: list[Link]) -> list[Link]:
    """Where a new conversation may turn out to be like others: prefixes some way apart."""
    found: list[Link] = []
    for link in links[:-1]:
        if not found or link.end - found[-1].end >= _HEAD_BYTES:
            found.append(link)
            if len(found) == _MOST_HEADS:
                break
    return found


def _touch(entry: Entry, id: str, at: float) -> Use:
    """The use of a prefix on a model, now."""
    entry.seen = max(entry.seen, at)
    use = entry.uses.get(id)
    if use is None:
        if len(entry.uses) >= _MOST_MODELS:
            del entry.uses[min(entry.uses, key=lambda each: entry.uses[each].seen)]
        use = entry.uses[id] = Use(at)
    elif use.seen != at:
        use.gaps.follow(at - use.seen)
        use.seen = at
    return use
