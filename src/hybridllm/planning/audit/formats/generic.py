"""The documented generic table (docs/audit.md): a row a call, or a row that sums calls up."""

from __future__ import annotations

from hybridllm.planning.audit.formats.shape import Format, Mapping, quoted, table
from hybridllm.planning.audit.head import Head

COLUMNS: dict[str, tuple[str, ...]] = {
    "model": ("model", "model_name"),
    "input": ("input_tokens", "prompt_tokens"),
    "output": ("output_tokens", "completion_tokens"),
    "cached": ("cached_tokens", "cache_read_tokens", "cached_input_tokens"),
    "written": ("cache_write_tokens", "cache_creation_tokens"),
    "written_long": ("cache_write_long_tokens",),
    "reasoning": ("reasoning_tokens",),
    "requests": ("requests", "calls", "num_requests"),
    "at": ("timestamp", "time", "created_at", "date", "day"),
    "label": ("task", "label", "feature"),
    "batch": ("batch",),
    "prompt": ("prompt", "messages"),
    "cost": ("cost_usd", "cost"),
}
"""Our columns by the names that a file may use, the documented one first."""


def _matches(head: Head) -> bool:
    return all(head.column(*COLUMNS[name]) for name in ("model", "input", "output"))


def _mapping(head: Head) -> Mapping:
    found = {key: head.column(*names) for key, names in COLUMNS.items()}

    def expression(key: str) -> str | None:
        name = found[key]
        return None if name is None else quoted(name)

    counted = ("input", "cached", "written", "written_long", "output", "reasoning", "requests")
    names = {key: name for key, name in found.items() if name is not None}
    return Mapping(
        relation=table(head),
        model=quoted(names["model"]),
        numbers={key: quoted(names[key]) for key in counted if key in names},
        names=names,
        at=expression("at"),
        label=expression("label"),
        batch=expression("batch"),
        cost=expression("cost"),
        prompt=expression("prompt"),
        required=("input", "output"),
    )


GENERIC = Format(name="generic", title="generic usage table", matches=_matches, mapping=_mapping)
