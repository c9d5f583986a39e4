"""What is done for providers' prompt caches on the way of a request.

Before the plan its prefixes are looked up; before each attempt the body gets the breakpoints that
pay (Anthropic) or the name of its prefix (OpenAI); and when it is answered, the table of prefixes
learns what came of it. A caller who sets breakpoints is obeyed: then nothing is put in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridllm.catalog.structs import Model, Task, Usage
from hybridllm.config import Config
from hybridllm.engine.call import Call
from hybridllm.engine.prefixes import Prefixes, Reuse
from hybridllm.routing import Need, World
from hybridllm.routing.caching import Prospect
from hybridllm.wire.anthropic.marks import mark
from hybridllm.wire.dialect import Dialect, Facts
from hybridllm.wire.openai.marks import with_cache_key

if TYPE_CHECKING:
    from hybridllm.engine.runtime import Runtime
    from hybridllm.engine.storing import Storing
    from hybridllm.engine.trip import Trip

_KEYED = "openai"
"""The provider that takes a name for a prefix; servers that are compatible with it may not."""


def prefixes_for(config: Config, former: Prefixes | None = None) -> Prefixes:
    """The table by one configuration; what `former` has learned goes on in it."""
    table = former or Prefixes()
    least = (
        model.min_cache_tokens * 1000 // model.tokens_per_kbyte
        for model in config.catalog.models.values()
        if model.kind == "chat"
    )
    # Some kinds of text make more tokens of a byte than the catalogue's prose.
    table.least = min(least, default=table.least) * 2 // 3
    table.isolate = config.caching.isolate
    table.long = config.caching.long_ttl
    return table


def prompts_of(config: Config, task: Task) -> bytes:
    """What tells the prefixes of a task whose prompt has variants from those of any other."""
    variants = config.variants.get(task.name)
    if variants is None:
        return b""
    return repr(sorted((who, one.label) for who, one in variants.items())).encode()


class Caching:
    """One request's. `prospect` goes into the plan; `storing` is what is done about an explicit
    cache for the body as it was last sent."""

    __slots__ = ("_need", "_runtime", "_world", "reuse", "storing")

    def __init__(self, runtime: Runtime, reuse: Reuse) -> None:
        self._runtime = runtime
        self.reuse = reuse
        self.storing: Storing | None = None
        self._need: Need | None = None
        self._world: World | None = None

    @property
    def prospect(self) -> Prospect:
        return self.reuse.prospect

    def planned(self, need: Need, world: World) -> None:
        """By these the request was planned."""
        self._need, self._world = need, world

    def body(
        self, body: bytes, dialect: Dialect, model: Model, *, native: bool, before: int = 0
    ) -> bytes:
        """`body`, which goes to `model` in `dialect`, with what its provider's cache needs.
        `native`: it is the caller's own, and was not written anew. `before` messages of a variant
        stand before the caller's."""
        reuse = self.reuse
        reuse.marks = ()
        if self._need is None or self._world is None:
            return body
        if dialect.name == "anthropic":
            if reuse.marked or reuse.alone:
                return body
            wanted = self._runtime.router.marks(self._need, self._world, model)
            if wanted:
                places = [(one.after, one.long) for one in wanted]
                body, done = mark(body, reuse.blocks, places, native=native, before=before)
                reuse.marks = tuple(one for one, put in zip(wanted, done, strict=True) if put)
        elif model.provider == _KEYED and not reuse.alone:
            body = with_cache_key(body, reuse.key)
        return body

    def answered(self, model: Model, usage: Usage, trip: Trip) -> None:
        """`model` answered the request of `trip`, and its provider billed this."""
        self._runtime.prefixes.note(self.reuse, model, usage)
        if self.storing is not None:
            self.storing.answered(usage, trip)


def caching_of(
    runtime: Runtime, call: Call, facts: Facts, task: Task, now: float
) -> Caching | None:
    """None where nothing can be cached, or configuration leaves the request alone."""
    prefixes = runtime.prefixes
    if facts.text_bytes < prefixes.least or call.batch:
        return None
    config = runtime.config.caching
    if not config.enabled or task.name in config.off:
        return None
    seed = prompts_of(runtime.config, task)
    reuse = prefixes.look(call.body, facts, call.key, task.name, now, seed)
    return None if reuse is None else Caching(runtime, reuse)
