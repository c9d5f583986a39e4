"""Reports as one HTML file: no script, no font, nothing fetched. Charts are inline SVG.

Everything that is put in is escaped here, so callers pass plain text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from msgspec import Struct

_STYLE = """
:root { --ink: #1c2430; --dim: #667085; --line: #e4e7ec; --paper: #ffffff; --bar: #2f6fed;
  --soft: #f5f7fa; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --dim: #98a2b3; --line: #2c3440;
  --paper: #12161c; --bar: #6b9bff; --soft: #1a2028; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 32px 24px 64px; color: var(--ink);
  background: var(--paper); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 26px; margin: 0; } h2 { font-size: 18px; margin: 36px 0 10px; }
.sub { color: var(--dim); margin: 4px 0 24px; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(210px, 1fr)); gap: 12px; }
.figures div { background: var(--soft); border-radius: 10px; padding: 14px 16px; }
.figures b { display: block; font-size: 22px; font-variant-numeric: tabular-nums; }
.figures span { color: var(--dim); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { text-align: left; color: var(--dim); font-weight: 500; white-space: nowrap; }
th, td { padding: 6px 14px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
svg text { fill: var(--ink); font: 14px system-ui, sans-serif; }
svg rect { fill: var(--bar); }
@media print { body { max-width: none; padding: 0; } }
"""

_LABEL, _WIDTH, _ROW = 230, 1100, 30


class Column(Struct, frozen=True):
    """A table's column. `number`: set flush right."""

    heading: str
    number: bool = False


def page(title: str, subtitle: str, sections: Sequence[tuple[str, str]]) -> str:
    """A whole document of (heading, body) sections; bodies come from this module's functions."""
    parts = []
    for heading, body in sections:
        head = f"<h2>{escape(heading)}</h2>" if heading else ""
        parts.append(f"<section>{head}{body}</section>")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        f'<h1>{escape(title)}</h1><p class="sub">{escape(subtitle)}</p>'
        f"{''.join(parts)}</body></html>\n"
    )


def figures(shown: Sequence[tuple[str, str]]) -> str:
    """A few large figures, each (what it is, the figure)."""
    cards = "".join(
        f"<div><span>{escape(name)}</span><b>{escape(value)}</b></div>" for name, value in shown
    )
    return f'<div class="figures">{cards}</div>'


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    """A table; one without rows says so."""
    if not rows:
        return paragraphs(["None."])

    def cell(tag: str, column: Column, text: str) -> str:
        mark = ' class="n"' if column.number else ""
        return f"<{tag}{mark}>{escape(text)}</{tag}>"

    head = "".join(cell("th", column, column.heading) for column in columns)
    body = "".join(
        "<tr>" + "".join(map(cell, ["td"] * len(columns), columns, row)) + "</tr>" for row in rows
    )
    whole = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide">{whole}</div>'


def paragraphs(texts: Sequence[str]) -> str:
    """Each text as a paragraph."""
    return "".join(f"<p>{escape(text)}</p>" for text in texts)


def bars(rows: Sequence[tuple[str, int]], shown: Callable[[int], str]) -> str:
    """A horizontal bar for each (name, amount), to one scale, its amount written behind it."""
    most = max((amount for _, amount in rows), default=0)
    room = _WIDTH - _LABEL - 140
    parts = []
    for place, (name, amount) in enumerate(rows):
        top = place * _ROW
        length = room * amount / most if most else 0
        label = name if len(name) <= 30 else f"{name[:29]}…"
        parts.append(
            f'<text x="0" y="{top + 20}"><title>{escape(name)}</title>{escape(label)}</text>'
            f'<rect x="{_LABEL}" y="{top + 6}" width="{length:.1f}" height="18" rx="3"/>'
            f'<text x="{_LABEL + length + 8:.1f}" y="{top + 20}">{escape(shown(amount))}</text>'
        )
    height = max(1, len(rows)) * _ROW
    return f'<svg role="img" viewBox="0 0 {_WIDTH} {height}" width="100%">{"".join(parts)}</svg>'
