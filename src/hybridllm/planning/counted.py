"""How many tokens a material makes at each model, what that rests on, how far it may be off.

- OpenAI's models: texts are counted exactly where the tokenizer is installed; what stands around
  messages and tools is by OpenAI's cookbook, "How to count tokens with tiktoken".
- Others: bytes times the ratio that the ledger has taught of this model and kind of text, else the
  catalogue's; within twice the calibration's mean error, else within an assumed share.
- Images and PDFs: the providers' published rules (`tokens.images`, `tokens.pages`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct, field

from hybridllm.catalog.structs import Model, Usage
from hybridllm.planning.material import Material
from hybridllm.pricing import cost, price_at, rates_for
from hybridllm.routing.cost import MEDIA_TOKENS
from hybridllm.tokens import count_text, encoding_of, exact_available
from hybridllm.tokens.calibration import MILLION, Calibration
from hybridllm.tokens.images import ASSUMED, image_rule
from hybridllm.tokens.kinds import of_kind
from hybridllm.tokens.pages import page_tokens, pages_available
from hybridllm.wire.conversation import Tool

Basis = Literal["exact", "counted", "calibrated", "assumed", "asked"]
"""`exact`: the tokenizer itself on nothing but text; `counted`: the tokenizer, and published rules
for what is around the text; `calibrated`: by what the ledger has taught; `assumed`: by the
catalogue's ratio; `asked`: the provider's own count."""

LEAST_REPORTS = 10
"""Fewer reports say nothing of how far estimates are off."""
_ASSUMED_ERROR = 250_000
_ASSUMED_ERROR_SCRIPTS = 400_000
_LEAST_ERROR = 10_000
_UNSURE = 500_000
"""An image whose size or rule is not known: half as much, or half again as much."""
_ABOUT = 50_000
"""An image by a rule that its provider calls approximate, or tools by the cookbook's."""

_MESSAGE_TOKENS = 4
_ANSWER_TOKENS = 3

Key = tuple[str, str]


class Range(Struct):
    """Tokens, and at least and at most how many they may be."""

    tokens: int = 0
    low: int = 0
    high: int = 0

    def add(self, tokens: int, error: int) -> None:
        """More tokens, of which `error` millionths may be wrong either way."""
        off = -(-tokens * error // MILLION)
        self.tokens += tokens
        self.low += max(0, tokens - off)
        self.high += tokens + off


class Estimate(Struct, kw_only=True):
    """Tokens of the input at one model (its id). `cost` is that of the input, picodollars, None
    where no price is known; `reports` how many the calibration rests on."""

    model: str
    text: Range = field(default_factory=Range)
    images: Range = field(default_factory=Range)
    pages: Range = field(default_factory=Range)
    basis: Basis = "assumed"
    reports: int = 0
    cost: int | None = None
    fits: bool = True
    notes: list[str] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        """All of the input."""
        return self.text.tokens + self.images.tokens + self.pages.tokens

    @property
    def low(self) -> int:
        """At least so many."""
        return self.text.low + self.images.low + self.pages.low

    @property
    def high(self) -> int:
        """At most so many."""
        return self.text.high + self.images.high + self.pages.high


def estimate(
    material: Material, model: Model, day: str, known: Mapping[Key, Calibration]
) -> Estimate:
    """The material at one model, priced as on `day` (UTC, ISO)."""
    made = Estimate(model=model.id)
    _text(material, model, known, made)
    _images(material, model, made)
    _pages(material, model, made)
    if material.others:
        made.images.add(material.others * MEDIA_TOKENS, _UNSURE)
        made.notes.append("recordings and other files are taken to make 1,000 tokens each")
    if material.unseen:
        made.notes.append("what the provider keeps of the conversation is not counted")
    price_in(made, model, day)
    return made


def by_key(known: Iterable[Calibration]) -> dict[Key, Calibration]:
    """Calibrations by model and kind."""
    return {(one.model, one.kind): one for one in known}


def price_in(made: Estimate, model: Model, day: str) -> None:
    """The cost of the input, and whether it fits the context window."""
    price = price_at(model, day)
    if price is not None:
        made.cost = cost(Usage(input_tokens=made.tokens), rates_for(price, made.tokens))
    made.fits = made.tokens <= model.context_window


def _text(
    material: Material, model: Model, known: Mapping[Key, Calibration], made: Estimate
) -> None:
    if encoding_of(model.id) is not None and exact_available():
        made.basis = "exact" if material.bare else "counted"
        if material.images or material.pages:
            made.basis = "counted"
        made.text.add(sum(count_text(text, model.id) for text in material.texts), 0)
        if not material.bare:
            made.text.add(material.framed * _MESSAGE_TOKENS + _ANSWER_TOKENS, 0)
        if material.tools:
            made.text.add(tool_tokens(material.tools, model.id), _ABOUT)
        return
    ratio, error = of_kind(model.tokens_per_kbyte, material.kind) * 1000, _assumed(material.kind)
    found = known.get((model.id, material.kind))
    if found is not None and found.reports:
        ratio, made.reports = found.tokens_per_kbyte * 1000, found.reports
        if found.reports >= LEAST_REPORTS:
            made.basis = "calibrated"
            error = max(2 * found.error, _LEAST_ERROR)
    made.text.add(-(-material.text_bytes * ratio // MILLION), error)


def _assumed(kind: str) -> int:
    return _ASSUMED_ERROR_SCRIPTS if kind in ("cjk", "script") else _ASSUMED_ERROR


def _images(material: Material, model: Model, made: Estimate) -> None:
    if not material.images:
        return
    rule = image_rule(model.id)
    about = 0 if model.provider != "anthropic" else _ABOUT
    for image in material.images:
        size = image.size or ASSUMED
        error = about if rule.sure and image.size else _UNSURE
        made.images.add(rule.tokens(size, image.detail), error)
    if any(image.size is None for image in material.images):
        made.notes.append("an image whose size is not in the request counts as 1024 x 1024")
    if not rule.sure:
        made.notes.append("no rule is published for this model's images: its family's is used")
    if not model.vision:
        made.notes.append("it cannot read images")


def _pages(material: Material, model: Model, made: Estimate) -> None:
    if not material.pages:
        return
    rate = page_tokens(model.id)
    if rate is None:
        made.notes.append("no rule is published for PDFs here: they are not counted")
        return
    if None in material.pages:
        why = "cannot be read" if pages_available() else "needs pip install 'hybridllm[tokens]'"
        made.notes.append(f"a PDF whose pages are not known is not counted ({why})")
    least, most = rate
    for pages in material.pages:
        made.pages.tokens += (pages or 0) * (least + most) // 2
        made.pages.low += (pages or 0) * least
        made.pages.high += (pages or 0) * most


# -- tools, as OpenAI's cookbook counts them

_PROPERTIES = 3
_PROPERTY = 3
_ENUM = -3
_ENUM_ITEM = 3
_TOOLS_END = 12


def tool_tokens(tools: list[Tool], model: str) -> int:
    """Tokens of tool definitions: seven for each (ten for gpt-4 and gpt-3.5), three for having
    properties, three for each of them, and their names, types and descriptions; twelve at the end.
    Properties within properties count in the same way, which the cookbook leaves open."""
    name = model.rpartition("/")[2]
    each = 10 if encoding_of(model) == "cl100k_base" or name.startswith("gpt-4-") else 7
    total = _TOOLS_END
    for tool in tools:
        line = f"{tool.name}:{(tool.description or '').removesuffix('.')}"
        total += each + count_text(line, model) + _properties(tool.schema, model)
        if tool.opaque:
            total += count_text(tool.opaque, model)
    return total


def _properties(schema: Mapping[str, Any] | None, model: str) -> int:
    held = (schema or {}).get("properties")
    if not isinstance(held, Mapping) or not held:
        return 0
    total = _PROPERTIES
    for name, said in held.items():
        said = said if isinstance(said, Mapping) else {}
        description = str(said.get("description", "")).removesuffix(".")
        total += _PROPERTY + count_text(f"{name}:{said.get('type', '')}:{description}", model)
        choices = said.get("enum")
        if isinstance(choices, list):
            total += _ENUM
            total += sum(_ENUM_ITEM + count_text(str(choice), model) for choice in choices)
        total += _properties(said, model)
        items = said.get("items")
        total += _properties(items if isinstance(items, Mapping) else None, model)
    return total
