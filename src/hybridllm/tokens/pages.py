"""How many tokens a PDF takes, by its pages."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from io import BytesIO

from hybridllm.tokens.images import GOOGLE_TILE

GEMINI_3_PAGE = 560
ANTHROPIC_PAGE = (1_500, 3_000)


def pages_available() -> bool:
    """Whether pages can be counted here (the optional extra `hybridllm[tokens]`)."""
    return find_spec("pypdf") is not None


def page_count(data: bytes) -> int | None:
    """The pages of a PDF. None where it cannot be read (broken, encrypted), or pypdf is not
    installed (`pages_available` tells)."""
    if not pages_available():
        return None
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it warns of every flaw of a file
    try:
        return len(PdfReader(BytesIO(data)).pages)
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError):
        return None


def page_tokens(model: str) -> tuple[int, int] | None:
    """Tokens of one page, at least and at most. None: the provider publishes no figure.

    Google: 258 a page, from Gemini 3 on 560 at the default resolution; the text itself is free
    (https://ai.google.dev/gemini-api/docs/document-processing and /media-resolution). Anthropic:
    1,500 to 3,000 by density (https://platform.claude.com/docs/en/build-with-claude/pdf-support).
    """
    name = model.rpartition("/")[2]
    if name.startswith(("gemini-1", "gemini-2")):
        return GOOGLE_TILE, GOOGLE_TILE
    if name.startswith("gemini-"):
        return GEMINI_3_PAGE, GEMINI_3_PAGE
    return ANTHROPIC_PAGE if name.startswith("claude") else None
