"""Prompt caches as the providers document them.

Implicit (OpenAI, Google): prefixes of at least the model's minimum, in steps of 128 tokens; no
charge for writing. OpenAI documents both figures (https://platform.openai.com/docs/guides/
prompt-caching); Google documents the minimum, its steps are our choice.

Explicit (Anthropic): prefixes that end at a breakpoint, for 5 minutes or 1 hour, renewed when
read; a breakpoint also finds prefixes that ended up to 20 blocks before it
(https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching).
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b

from hybridllm.simulators.ask import Billed, Segment
from hybridllm.simulators.counting import Counter, digest
from hybridllm.tokens import token_ids

STEP = 128
IMPLICIT_SECONDS = 600.0
LOOK_BACK = 20
TTL_SECONDS = {"5m": 300.0, "1h": 3600.0}
_REMEMBERED = 50_000


class PromptCache:
    """What is cached, for all keys and models of one simulated provider. `scope` keeps them
    apart. Bounded: the least recently used prefix goes first."""

    def __init__(self) -> None:
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def clear(self) -> None:
        self._until.clear()

    def implicit(
        self,
        scope: str,
        prompt: Sequence[Segment],
        total: int,
        minimum: int,
        encoding: str,
        now: float,
    ) -> Billed:
        """Bill the input, of `total` tokens, and remember its prefixes."""
        if total < minimum:
            return Billed(input_tokens=total)
        ids: list[int] = []
        for segment in prompt:
            if segment.tokens is None:
                ids += token_ids(segment.text, encoding)
            else:
                stand_in = int.from_bytes(digest(segment.text)[:4], "big")
                ids += [stand_in] * segment.tokens
        raw = array("Q", ids).tobytes()
        width = STEP * 8
        prefix, hit = scope.encode(), 0
        for at in range(len(ids) // STEP):
            prefix = _link(prefix, raw[at * width : (at + 1) * width])
            length = (at + 1) * STEP
            if length >= minimum:
                if self._alive(prefix, now):
                    hit = length
                self._keep(prefix, now + IMPLICIT_SECONDS)
        return Billed(input_tokens=total - hit, cache_read_tokens=hit)

    def explicit(
        self,
        scope: str,
        prompt: Sequence[Segment],
        minimum: int,
        counter: Counter,
        encoding: str,
        now: float,
    ) -> Billed:
        """Bill the input and remember the prefixes that end at a breakpoint."""
        links: list[tuple[bytes, int]] = []
        prefix, total = scope.encode(), 0
        for segment in prompt:
            tokens = segment.tokens
            total += counter.count(segment.text, encoding) if tokens is None else tokens
            prefix = _link(prefix, digest(segment.text))
            links.append((prefix, total))
        marks = [
            (at, segment.mark)
            for at, segment in enumerate(prompt)
            if segment.mark and links[at][1] >= minimum
        ]
        read = self._longest(links, [at for at, _ in marks], now)
        billed = Billed(cache_read_tokens=read)
        done = read
        for at, mark in marks:
            link, length = links[at]
            if length > done:
                if mark == "1h":
                    billed.cache_write_long_tokens += length - done
                else:
                    billed.cache_write_tokens += length - done
                done = length
            self._keep(link, now + TTL_SECONDS[mark])
        billed.input_tokens = total - done
        return billed

    def _longest(self, links: list[tuple[bytes, int]], marks: list[int], now: float) -> int:
        for mark in reversed(marks):
            for at in range(mark, max(mark - LOOK_BACK, -1), -1):
                link, length = links[at]
                if self._alive(link, now):
                    return length
        return 0

    def _alive(self, link: bytes, now: float) -> bool:
        return self._until.get(link, now) > now

    def _keep(self, link: bytes, until: float) -> None:
        self._until[link] = max(until, self._until.get(link, until))
        self._until.move_to_end(link)
        if len(self._until) > _REMEMBERED:
            self._until.popitem(last=False)


def _link(prefix: bytes, more: bytes) -> bytes:
    return blake2b(prefix + more, digest_size=16).digest()
