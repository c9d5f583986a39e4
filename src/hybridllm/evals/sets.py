"""Sets of samples: a file in JSONL or CSV, each mistake told with file, line and field."""

from __future__ import annotations

import csv
import hashlib
import io
import random
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from hybridllm.errors import RequestError
from hybridllm.evals.graders.human import Human
from hybridllm.evals.graders.registry import grader_of
from hybridllm.evals.grading import Grader

Message = dict[str, Any]

_KEYS = (
    "id", "messages", "prompt", "template", "system", "fields", "expected", "grader", "weight",
    "options",
)  # fmt: skip
_OWN = frozenset({"model", "messages", "stream", "stream_options", "n"})
_ROLES = ("system", "developer", "user", "assistant", "tool")
_HOLE = re.compile(r"\{\{|\}\}|\{(\w+)\}")
_MOST_TOLD = 10


class Sample(Struct, frozen=True, kw_only=True):
    """One question: its conversation, what is expected of the answer, and who grades it.
    `options` are OpenAI's (temperature, response_format, tools...)."""

    id: str
    messages: list[Message]
    grader: Grader
    expected: Any = None
    weight: float = 1.0
    options: dict[str, Any] = field(default_factory=dict)


class EvalSet(Struct, frozen=True, kw_only=True):
    """The samples of a file in their order. `digest` changes with its content."""

    name: str
    digest: str
    samples: tuple[Sample, ...]

    def some(self, count: int) -> EvalSet:
        """At most `count` of them, in a random order that is always the same: files are sorted by
        class as often as not, and a run may end early."""
        order = list(range(len(self.samples)))
        random.Random(self.digest).shuffle(order)
        chosen = tuple(self.samples[n] for n in order[:count])
        return msgspec.structs.replace(self, samples=chosen)


def load_set(path: Path) -> EvalSet:
    """Read a set. Raises RequestError naming file, line and field of what is wrong in it (the
    first ten), HybridError where a grader cannot work here."""
    try:
        data = path.read_bytes()
    except OSError as e:
        raise RequestError(f"Cannot read {path}: {e.strerror}.", remedy="Name a file.") from None
    return read_set(data, path)


def read_set(data: bytes, path: Path) -> EvalSet:
    """A set as `load_set` reads it, of which `path` is the name in messages. Raises the same."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = data.count(b"\n", 0, e.start) + 1
        raise RequestError(f"{path}, line {line}: this is not UTF-8.") from None
    rows = _csv_rows if path.suffix.lower() == ".csv" else _json_rows
    samples: list[Sample] = []
    wrong: list[str] = []
    seen: dict[str, int] = {}
    defaults: dict[str, Any] = {}
    for number, row in rows(text):
        try:
            said = _object(row)
            if set(said) == {"defaults"}:
                defaults = _defaults(said["defaults"])
                continue
            sample = _sample({**defaults, **said}, number, path)
            if (first := seen.setdefault(sample.id, number)) != number:
                raise ValueError(f"id: line {first} has the same")
            samples.append(sample)
        except ValueError as e:
            wrong.append(f"line {number}, {e}")
    if wrong:
        more = f"; and {len(wrong) - _MOST_TOLD:,} more" if len(wrong) > _MOST_TOLD else ""
        raise RequestError(f"{path}: {'; '.join(wrong[:_MOST_TOLD])}{more}.")
    if not samples:
        raise RequestError(f"There is no sample in {path}.", remedy="Write one a line.")
    digest = hashlib.blake2b(data, digest_size=12).hexdigest()
    return EvalSet(name=path.name, digest=digest, samples=tuple(samples))


# -- rows


def _json_rows(text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line


def _csv_rows(text: str) -> Iterator[tuple[int, Any]]:
    """Each row as the object that a line of JSONL would be: columns that are no keys of ours are
    fields. An empty template, system or grader is that of the row above."""
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    above: dict[str, str] = {}
    before = 1
    while True:
        number = before + 1
        try:
            cells = next(reader, None)
        except csv.Error as e:
            yield number, ValueError(f"this is no CSV: {e}")
            return
        if cells is None:
            return
        before = reader.line_num
        yield number, _cells(cells, above)


def _cells(cells: Mapping[Any, Any], above: dict[str, str]) -> dict[str, Any] | ValueError:
    if None in cells:
        return ValueError("it has more cells than the header")
    said: dict[str, Any] = {}
    fields: dict[str, str] = {}
    for name, cell in cells.items():
        if name not in _KEYS:
            fields[name] = cell or ""
        elif cell:
            said[name] = cell
    for name in ("template", "system", "grader"):
        if name in said:
            above[name] = said[name]
        elif name in above:
            said[name] = above[name]
    if fields:
        said["fields"] = fields
    try:
        for name in ("messages", "options", "grader", "expected"):
            if str(said.get(name, "")).lstrip().startswith(("{", "[")):
                said[name] = msgspec.json.decode(said[name])
        if "weight" in said:
            said["weight"] = float(said["weight"])
    except ValueError as e:
        return ValueError(f"a cell cannot be read: {e}")
    return said


def _object(row: Any) -> dict[str, Any]:
    if isinstance(row, ValueError):
        raise row
    if isinstance(row, dict):
        return row
    try:
        found = msgspec.json.decode(row)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as e:
        raise ValueError(f"it is no JSON: {e}") from None
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    return found


def _defaults(said: Any) -> dict[str, Any]:
    allowed = ("template", "system", "grader", "weight", "options")
    if not isinstance(said, dict) or not set(said) <= set(allowed):
        raise ValueError(f"defaults: must be an object of {', '.join(allowed)}")
    return said


# -- one sample


def _sample(said: dict[str, Any], number: int, path: Path) -> Sample:
    """Raises ValueError beginning with the field."""
    unknown = sorted(set(said) - set(_KEYS))
    if unknown:
        raise ValueError(f"{unknown[0]}: there is no such key; put it into fields")
    grader = _grader(said, path)
    expected = _checked("expected", lambda: grader.expect(said.get("expected")))
    weight = said.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight <= 1000:
        raise ValueError("weight: must be a number above 0, and at most 1000")
    options = said.get("options", {})
    if not isinstance(options, dict) or _OWN & set(options):
        raise ValueError("options: must be an object, without model, messages, n and stream")
    id = said.get("id", f"line-{number}")
    if not isinstance(id, str | int) or isinstance(id, bool) or not str(id):
        raise ValueError("id: must be a text")
    return Sample(
        id=str(id),
        messages=_messages(said),
        grader=grader,
        expected=expected,
        weight=float(weight),
        options=options,
    )


def _checked(field: str, work: Callable[[], Any]) -> Any:
    try:
        return work()
    except ValueError as e:
        raise ValueError(f"{field}: {e}") from None


def _grader(said: Mapping[str, Any], path: Path) -> Grader:
    if "grader" not in said:
        raise ValueError('grader: is needed, such as "exact"')
    grader: Grader = _checked("grader", lambda: grader_of(said["grader"]))
    if isinstance(grader, Human):  # its file lies beside the set's
        return msgspec.structs.replace(grader, labels=str(path.parent / grader.labels))
    return grader


def _messages(said: Mapping[str, Any]) -> list[Message]:
    ways = [name for name in ("messages", "prompt", "fields") if name in said]
    if len(ways) != 1 and "messages" in ways:
        raise ValueError(f"messages: stand beside {ways[-1]}; one of them is enough")
    if "messages" in said:
        return _whole(said["messages"])
    if "prompt" in said:
        prompt = said["prompt"]
    elif "template" in said:
        prompt = _filled(said["template"], said.get("fields", {}))
    else:
        raise ValueError("messages: are needed, or a prompt, or a template and its fields")
    if not isinstance(prompt, str) or not prompt.strip():
        raise ValueError("prompt: must be a text")
    system = said.get("system")
    if system is not None and not isinstance(system, str):
        raise ValueError("system: must be a text")
    first = [{"role": "system", "content": system}] if system else []
    return [*first, {"role": "user", "content": prompt}]


def _whole(messages: Any) -> list[Message]:
    if not isinstance(messages, list) or not messages:
        raise ValueError("messages: must be a list of messages")
    for at, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise ValueError(f"messages[{at}].role: must be one of {', '.join(_ROLES)}")
    return messages


def _filled(template: Any, fields: Any) -> str:
    """The template with {name} replaced; {{ and }} are braces."""
    if not isinstance(template, str):
        raise ValueError("template: must be a text")
    if not isinstance(fields, dict):
        raise ValueError("fields: must be an object")

    def fill(hole: re.Match[str]) -> str:
        name = hole.group(1)
        if name is None:
            return hole.group()[0]
        if name not in fields:
            raise ValueError(f"fields: the template's {{{name}}} is not there")
        value = fields[name]
        return value if isinstance(value, str) else msgspec.json.encode(value).decode()

    return _HOLE.sub(fill, template)
