"""How many tokens an image takes at each provider, by the rules that they publish.

Models that are newer than the published tables follow the rule of the newest of their family that
is in them; `Rule.sure` says which. Sizes are pixels, scaled ones rounded down.

- OpenAI: https://platform.openai.com/docs/guides/images-vision#calculating-costs
- Anthropic: https://platform.claude.com/docs/en/build-with-claude/vision
- Google: https://ai.google.dev/gemini-api/docs/image-understanding (2.x) and
  https://ai.google.dev/gemini-api/docs/media-resolution (3 and later)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import ceil, floor, sqrt

from msgspec import Struct

Size = tuple[int, int]

ASSUMED: Size = (1024, 1024)
"""What an image is taken to be whose size is not in the request (it is a URL or a file id)."""


class Rule(Struct, frozen=True):
    """Tokens of an image of a size at a detail (OpenAI's `low`, `high`, `auto` or None). `sure`:
    the provider publishes it for this very model."""

    tokens: Callable[[Size, str | None], int]
    sure: bool


# -- OpenAI

_TILES = (
    (re.compile(r"^gpt-4o-mini"), 2833, 5667),
    (re.compile(r"^(gpt-4o|gpt-4\.1|gpt-4\.5|gpt-4-turbo|chatgpt-4o)"), 85, 170),
    (re.compile(r"^(o1|o3)"), 75, 150),
    (re.compile(r"^(gpt-5|gpt-5-chat.*|gpt-5\.1.*)$"), 70, 140),
    (re.compile(r"^computer-use"), 65, 129),
)
"""Tokens of an image at low detail, and for each tile at high detail."""
_PATCHES = (
    (re.compile(r"^(gpt-4\.1-mini|gpt-5-mini|gpt-5\.\d+-mini)"), 162),
    (re.compile(r"^(gpt-4\.1-nano|gpt-5-nano|gpt-5\.\d+-nano)"), 246),
    (re.compile(r"^o4-mini|^codex-mini"), 172),
)
"""Tokens for 100 patches."""
_PATCH = 32
_MOST_PATCHES = 1536
_LATER_PERCENT = 120
"""Later models than these tables are taken to count patches at 1.2 tokens: what was seen on bills
of gpt-5.2 and gpt-5.4, and is not published."""


def openai_tiles(size: Size, detail: str | None, base: int, tile: int) -> int:
    """Into 2048 x 2048, then the shortest side to 768 (never up), then tiles of 512."""
    if detail == "low":
        return base
    width, height = _within(size, 2048)
    if min(width, height) > 768:
        width, height = (side * 768 // min(width, height) for side in (width, height))
    return base + tile * ceil(width / 512) * ceil(height / 512)


def openai_patches(size: Size, percent: int) -> int:
    """Patches of 32 x 32, at most 1,536: a larger image is scaled until it fits, and so that whole
    patches fit one of its sides."""
    width, height = size
    patches = ceil(width / _PATCH) * ceil(height / _PATCH)
    if patches > _MOST_PATCHES:
        scale = sqrt(_PATCH * _PATCH * _MOST_PATCHES / (width * height))
        across, down = width * scale / _PATCH, height * scale / _PATCH
        scale *= min(max(floor(across), 1) / across, max(floor(down), 1) / down)
        across, down = width * scale / _PATCH, height * scale / _PATCH
        # A float's last digit must not make another row of patches.
        patches = min(ceil(across - 1e-9) * ceil(down - 1e-9), _MOST_PATCHES)
    return -(-patches * percent // 100)


def _openai(name: str) -> Rule:
    for pattern, percent in _PATCHES:
        if pattern.match(name):
            return _patched(percent, sure=True)
    for pattern, base, tile in _TILES:
        if pattern.match(name):
            return _tiled(base, tile, sure=True)
    return _patched(_LATER_PERCENT, sure=False)


def _patched(percent: int, *, sure: bool) -> Rule:
    return Rule(lambda size, _: openai_patches(size, percent), sure)


def _tiled(base: int, tile: int, *, sure: bool) -> Rule:
    return Rule(lambda size, detail: openai_tiles(size, detail, base, tile), sure)


# -- Anthropic

_HIGH_RESOLUTION = re.compile(r"^claude-(opus-4-[7-9]|[a-z]+-([5-9]|\d\d))")
_OPUS_4_7 = re.compile(r"^claude-opus-4-[78]")


def anthropic_image(size: Size, longest: int = 1568, most: int = 1600) -> int:
    """width x height / 750, rounded up, after scaling the longest side to 1568 and the whole to
    some 1,600 tokens."""
    width, height = _within(size, longest)
    return max(1, min(-(-width * height // 750), most))


def _anthropic(name: str) -> Rule:
    """From Opus 4.7 on images are seen up to 2576 pixels and 3.75 megapixels."""
    if _HIGH_RESOLUTION.match(name):
        sure = _OPUS_4_7.match(name) is not None
        return Rule(lambda size, _: anthropic_image(size, 2576, 5000), sure)
    return Rule(lambda size, _: anthropic_image(size), True)


# -- Google

GOOGLE_TILE = 258
GEMINI_3_IMAGE = 1120
"""At the default resolution, high."""


def google_image(size: Size) -> int:
    """258 where no side exceeds 384, else 258 for each tile: a tile's side is the shorter side of
    the image / 1.5, but 256 at least and 768 at most."""
    width, height = size
    if max(size) <= 384:
        return GOOGLE_TILE
    tile = max(256, min(min(size) * 2 // 3, 768))
    return GOOGLE_TILE * ceil(width / tile) * ceil(height / tile)


def _google(name: str) -> Rule:
    if re.match(r"^gemini-[12]", name):
        return Rule(lambda size, _: google_image(size), True)
    return Rule(lambda _size, _detail: GEMINI_3_IMAGE, name.startswith("gemini-3"))


def image_rule(model: str) -> Rule:
    """The rule for a model, by its id or name. A model that is of none of the three providers
    follows gpt-4o's."""
    name = model.rpartition("/")[2]
    if name.startswith("claude"):
        return _anthropic(name)
    if name.startswith("gemini"):
        return _google(name)
    if re.match(r"^(gpt-|o\d|chatgpt-|codex-|computer-use)", name):
        return _openai(name)
    return _tiled(85, 170, sure=False)


def _within(size: Size, longest: int) -> Size:
    most = max(size)
    if most <= longest:
        return size
    width, height = (max(1, side * longest // most) for side in size)
    return width, height
