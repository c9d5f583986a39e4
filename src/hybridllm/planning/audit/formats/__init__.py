"""The formats that the audit reads, one file each. A new one is a file here and a line below."""

from __future__ import annotations

from hybridllm.config_file.document import did_you_mean
from hybridllm.errors import ConfigError
from hybridllm.planning.audit.formats.anthropic import (
    ANTHROPIC_COSTS,
    ANTHROPIC_COSTS_CSV,
    ANTHROPIC_USAGE,
    ANTHROPIC_USAGE_CSV,
)
from hybridllm.planning.audit.formats.generic import COLUMNS, GENERIC
from hybridllm.planning.audit.formats.langfuse import LANGFUSE
from hybridllm.planning.audit.formats.ledger import LEDGER
from hybridllm.planning.audit.formats.litellm import LITELLM
from hybridllm.planning.audit.formats.openai import (
    OPENAI_COSTS,
    OPENAI_COSTS_CSV,
    OPENAI_USAGE,
    OPENAI_USAGE_CSV,
)
from hybridllm.planning.audit.formats.otel import OTEL
from hybridllm.planning.audit.formats.shape import Format, Mapping
from hybridllm.planning.audit.head import Head

FORMATS: dict[str, Format] = {
    format.name: format
    for format in (
        LEDGER,
        LITELLM,
        OTEL,
        OPENAI_USAGE,
        OPENAI_USAGE_CSV,
        OPENAI_COSTS,
        OPENAI_COSTS_CSV,
        ANTHROPIC_USAGE,
        ANTHROPIC_USAGE_CSV,
        ANTHROPIC_COSTS,
        ANTHROPIC_COSTS_CSV,
        LANGFUSE,
        GENERIC,
    )
}
"""By name, in the order in which a file is tried: the plainest last."""


def format_of(head: Head, name: str | None = None) -> Format:
    """The format called `name`, else the one that the file's content shows. Raises ConfigError."""
    if name is not None:
        if name not in FORMATS:
            raise ConfigError(
                f'There is no format "{name}".',
                field="format",
                remedy=did_you_mean(name, FORMATS) + f" Known: {', '.join(FORMATS)}.",
            )
        return FORMATS[name]
    for format in FORMATS.values():
        if format.matches(head):
            return format
    documented = ", ".join(names[0] for names in COLUMNS.values())
    seen = ", ".join(head.columns[:12]) or "none"
    raise ConfigError(
        f"No known format has these columns: {seen}.",
        where=head.path,
        remedy=f"A table with some of {documented} will do; see docs/audit.md.",
    )


def mapping_of(format: Format, head: Head) -> Mapping:
    """The file in our terms. Raises ConfigError where it has not the columns of the format."""
    try:
        return format.mapping(head)
    except KeyError as e:
        raise ConfigError(
            f"As {format.title}, the file lacks a column for {e.args[0]}.", where=head.path
        ) from None


__all__ = ["FORMATS", "Format", "Mapping", "format_of", "mapping_of"]
