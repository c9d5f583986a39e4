"""Variants of prompts: each a TOML file beside the configuration, which says who gets it.

[prompts.classification]
"claude-haiku-4-5" = "prompts/classification/xml.toml"
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any, Literal

import msgspec
from msgspec import Struct

from hybridllm.catalog.prompts import PROMPT, SYSTEM, TEXT, Shot, Variant
from hybridllm.config_file.convert import convert
from hybridllm.config_file.document import Document, Documents, did_you_mean, read
from hybridllm.config_file.lines import Path
from hybridllm.config_file.tasks import Names
from hybridllm.errors import ConfigError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class SaidVariant(Struct, frozen=True, kw_only=True):
    """A variant's file. `schema` is the text of a JSON Schema."""

    system: str | None = None
    match: str | None = None
    prompt: str | None = None
    format: str | None = None
    schema: str | None = None
    shots: tuple[Shot, ...] = ()
    prefill: Literal["keep", "ask"] = "keep"


def variants(
    section: Mapping[str, Any], names: Names, config: str | None, documents: Documents
) -> dict[str, dict[str, Variant]]:
    """The variants by task and there by model id or provider. `config` is the path of the file that
    names them, relative to which theirs are. Raises ConfigError."""
    base = FilePath(config).parent if config else FilePath()
    made: dict[str, dict[str, Variant]] = {}
    for task, said in section.items():
        path: Path = ("prompts", task)
        names.task(task, path, documents)
        if not isinstance(said, dict):
            raise documents.error(
                path, "This must be a table.", f'Write [prompts.{task}] and "model" = "file".'
            )
        of_task = made.setdefault(task, {})
        for who, file in said.items():
            at = (*path, who)
            whom = _who(who, names, at, documents)
            if whom in of_task:
                raise documents.error(at, "It has a variant already.", "Leave one of the two.")
            if not isinstance(file, str) or not file:
                raise documents.error(at, "This must be a file's path.", "Give a text.")
            if not (base / file).is_file():
                raise documents.error(
                    at, f"There is no file {file}.", "Paths are relative to the configuration's."
                )
            of_task[whom] = load_variant(base / file)
    return made


def _who(name: str, names: Names, path: Path, documents: Documents) -> str:
    """A model's id or a provider's name."""
    if name in names.catalog.providers or name in names.providers:
        return name
    if name not in names.catalog.names:
        known = [*names.catalog.names, *names.catalog.providers]
        raise documents.error(
            path, f'There is no model or provider "{name}".', did_you_mean(name, known)
        )
    return names.model(name, path, documents)


def load_variant(path: FilePath) -> Variant:
    """The variant in a file, whose name is the file's. Raises ConfigError with line and key."""
    return variant_of(read(str(path), "variant", "Name a file."), path)


def variant_of(document: Document, path: FilePath) -> Variant:
    """The variant that a document says. Raises ConfigError."""
    documents = Documents([document])
    if not _NAME.fullmatch(path.stem):
        raise ConfigError(
            "This cannot be a variant's name.", where=str(path),
            remedy="Name the file with letters, digits, and _ . - alone.",
        )  # fmt: skip
    said = convert(SaidVariant, document.data, (), documents)
    _check_holes(said, documents)
    schema = _schema(said, documents)
    if said == SaidVariant():
        raise ConfigError(
            "The variant says nothing.", where=document.name,
            remedy="Add system, prompt, format, schema or shots.",
        )  # fmt: skip
    return Variant(
        name=path.stem,
        system=said.system,
        match=said.match,
        prompt=said.prompt,
        format=said.format,
        schema=schema,
        shots=said.shots,
        prefill=said.prefill,
        path=str(path),
    )


def _check_holes(said: SaidVariant, documents: Documents) -> None:
    if said.system is not None and said.system.count(SYSTEM) > 1:
        raise documents.error(("system",), f"{SYSTEM} is there twice.", "Leave one.")
    if said.match is not None:
        if said.match.count(TEXT) != 1:
            raise documents.error(
                ("match",), f"{TEXT} must be in it once.", f"Put {TEXT} where the input stands."
            )
        if said.prompt is None:
            raise documents.error(
                ("match",), "It needs a prompt.", "Add prompt: what becomes of what matches."
            )
    hole = PROMPT if said.match is None else TEXT
    if said.prompt is not None and said.prompt.count(hole) != 1:
        why = "" if said.match is None else " with match"
        raise documents.error(
            ("prompt",), f"{hole} must be in it once{why}.", f"Put {hole} where the input goes."
        )


def _schema(said: SaidVariant, documents: Documents) -> dict[str, Any] | None:
    if said.schema is None:
        return None
    try:
        return msgspec.json.decode(said.schema, type=dict[str, Any])
    except msgspec.DecodeError:
        raise documents.error(
            ("schema",), "This is no JSON object.", "Quote the JSON Schema with '''."
        ) from None
