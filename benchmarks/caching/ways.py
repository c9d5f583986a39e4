"""Ways to serve traffic, each from cold caches, and what they cost.

Ours is the gateway's own router, table of prefixes and marks, in a time of their own. The others
choose by a rule: always one model, the cheapest by price list each turn, the conversation's first;
and mark by a rule: never, the system prompt, or the whole request too, for either lifetime. All of
them know tokens as well as ours does: what was billed calibrates the estimates of each.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from benchmarks.caching.caches import Caches
from benchmarks.caching.traffic import Ask
from msgspec import Struct

from hybridllm.catalog.structs import Model, Usage
from hybridllm.config import Config
from hybridllm.engine.caching import prefixes_for
from hybridllm.engine.runtime import target_of
from hybridllm.pricing import cost, price_at, rates_for
from hybridllm.quality import Table, meets
from hybridllm.routing import Need, Router, World
from hybridllm.simulators.counting import Counter
from hybridllm.wire.anthropic.marks import mark
from hybridllm.wire.dialect import DropPolicy, RequestShape
from hybridllm.wire.openai.marks import with_cache_key
from hybridllm.wire.prefix import Section, blocks_of
from hybridllm.wire.registry import get_dialect

SHAPE = RequestShape()
Marks = tuple[tuple[Section, bool], ...]
NO_MARKS: Marks = ()
RULES: dict[str, Marks] = {
    "no marks": NO_MARKS,
    "system, 5 min": ((Section.SYSTEM, False),),
    "system, 1 h": ((Section.SYSTEM, True),),
    "all, 5 min": ((Section.SYSTEM, False), (Section.MESSAGES, False)),
    "all, 1 h": ((Section.SYSTEM, True), (Section.MESSAGES, True)),
    "system 1 h, rest 5 min": ((Section.SYSTEM, True), (Section.MESSAGES, False)),
}


class Bill(Struct):
    """Picodollars, and how many calls were marked, went below their task's bar, or moved their
    conversation."""

    input: int = 0
    output: int = 0
    calls: int = 0
    below: int = 0
    moves: int = 0

    @property
    def total(self) -> int:
        return self.input + self.output


class Bench:
    """One configuration and day, for any number of runs."""

    def __init__(self, config: Config, day: str) -> None:
        self.config = config
        self.day = day
        self.router = Router(config)
        self.models = config.catalog.models
        self._counter = Counter()
        self._quality = Table(config.quality)
        self._everyone = frozenset(config.catalog.providers)

    def run(self, way: Way, asks: Iterable[Ask]) -> Bill:
        """What the traffic costs."""
        caches, bill = Caches(self._counter), Bill()
        ratios: dict[str, int] = {}
        last: dict[int, str] = {}
        for ask in asks:
            data = {
                "model": "auto",
                "messages": list(ask.messages),
                "max_completion_tokens": ask.output,
            }
            body = msgspec.json.encode(data)
            turn = Turn(self, ask, body, ratios, last.get(ask.conversation))
            model = way.choose(turn)
            sent = way.marked(turn, model, turn.written(model))
            usage = caches.bill(model, sent, ask.output, ask.at)
            way.learn(turn, model, usage)
            ratios[model.id] = usage.total_input * 1000 // turn.facts.text_bytes
            bill.moves += last.get(ask.conversation, model.id) != model.id
            last[ask.conversation] = model.id
            self._add(bill, ask, model, usage)
        return bill

    def world(self, turn: Turn, **more: object) -> World:
        return World(
            providers=self._everyone,
            day=self.day,
            previous=turn.last,
            tokens_per_kbyte={"prose": turn.ratios, "json": turn.ratios, "code": turn.ratios},
            **more,  # type: ignore[arg-type]
        )

    def meets(self, task: str, model: str) -> bool:
        """Whether a model is good enough for a task."""
        known = self.config.tasks[task]
        quality = self._quality.find(model, known)
        return quality is not None and meets(quality, known.bar)

    def _add(self, bill: Bill, ask: Ask, model: Model, usage: Usage) -> None:
        price = price_at(model, self.day)
        assert price is not None
        rates = rates_for(price, usage.total_input)
        whole = cost(usage, rates)
        output = cost(Usage(output_tokens=usage.output_tokens), rates)
        bill.output += output
        bill.input += whole - output
        bill.calls += 1
        bill.below += not self.meets(ask.task, model.id)


class Turn:
    """A request as a way sees it."""

    def __init__(
        self, bench: Bench, ask: Ask, body: bytes, ratios: dict[str, int], last: str | None
    ) -> None:
        self.bench, self.ask, self.body, self.ratios, self.last = bench, ask, body, ratios, last
        self.facts = get_dialect("openai").facts(body, SHAPE)
        self.need = Need(
            task=bench.config.tasks[ask.task],
            text_bytes=self.facts.text_bytes,
            max_output_tokens=ask.output,
        )

    def written(self, model: Model) -> bytes:
        """The body in the dialect of the model's provider."""
        caller, spoken = get_dialect("openai"), get_dialect(model.provider)
        if spoken is caller:
            return caller.passthrough(self.body, self.facts, model.name)
        conversation = caller.decode_request(self.body, SHAPE)
        return spoken.encode_request(conversation, target_of(model), DropPolicy())


class Way:
    """How to serve a turn: by the cheapest model of the price list, `rule` for marks."""

    def __init__(self, rule: Marks = NO_MARKS) -> None:
        self.rule = rule

    def choose(self, turn: Turn) -> Model:
        bench = turn.bench
        world = msgspec.structs.replace(bench.world(turn), previous=None)
        return bench.router.plan(turn.need, world).chain[0]

    def marked(self, turn: Turn, model: Model, body: bytes) -> bytes:
        if model.provider != "anthropic" or not self.rule:
            return body
        blocks = blocks_of(body)
        places = []
        for section, long in self.rule:
            ends = [at for at, block in enumerate(blocks) if block.section is section]
            places += [(ends[-1], long)] if ends else []
        return mark(body, blocks, places, native=True)[0]

    def learn(self, turn: Turn, model: Model, usage: Usage) -> None:
        """Nothing."""


class Fixed(Way):
    """One model for everything."""

    def __init__(self, model: str, rule: Marks) -> None:
        super().__init__(rule)
        self.model = model

    def choose(self, turn: Turn) -> Model:
        return turn.bench.models[self.model]


class Pinned(Way):
    """The model of the conversation's first turn. With `bars`, a turn that it is not good enough
    for goes to that turn's own choice, and the next one back."""

    def __init__(self, rule: Marks, *, bars: bool = True) -> None:
        super().__init__(rule)
        self.bars = bars
        self.first: dict[int, Model] = {}

    def choose(self, turn: Turn) -> Model:
        own = super().choose(turn)
        pinned = self.first.setdefault(turn.ask.conversation, own)
        if self.bars and not turn.bench.meets(turn.ask.task, pinned.id):
            return own
        return pinned


class Ours(Way):
    """The gateway's own: prefixes, router and marks, as `engine.caching` puts them together."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.prefixes = prefixes_for(config)

    def choose(self, turn: Turn) -> Model:
        ask = turn.ask
        self.reuse = self.prefixes.look(turn.body, turn.facts, "bench", ask.task, ask.at)
        prospect = self.reuse.prospect if self.reuse is not None else None
        self.world = turn.bench.world(turn, prospect=prospect)
        return turn.bench.router.plan(turn.need, self.world).chain[0]

    def marked(self, turn: Turn, model: Model, body: bytes) -> bytes:
        reuse = self.reuse
        if reuse is None:
            return body
        if model.provider == "openai":
            return with_cache_key(body, reuse.key)
        wanted = turn.bench.router.marks(turn.need, self.world, model)
        places = [(one.after, one.long) for one in wanted]
        body, done = mark(body, reuse.blocks, places, native=False)
        reuse.marks = tuple(one for one, put in zip(wanted, done, strict=True) if put)
        return body

    def learn(self, turn: Turn, model: Model, usage: Usage) -> None:
        if self.reuse is not None:
            self.prefixes.note(self.reuse, model, usage)
