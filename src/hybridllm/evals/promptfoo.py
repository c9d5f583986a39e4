"""A promptfoo configuration becomes a set: its tests are samples, its assertions graders.

What is taken over means the same here (https://www.promptfoo.dev/docs/configuration/reference and
.../expected-outputs); what has no counterpart (JavaScript, embeddings, latency...) is named and
refused, never dropped in silence.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from hybridllm.checks.schema import missing
from hybridllm.errors import RequestError

_HOLE = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")
_LOGIC = re.compile(r"\{%|\{#|\{\{")
_REGEX_KINDS = ("contains", "contains-any", "contains-all", "starts-with")
_MOST_TOLD = 10
Row = dict[str, Any]


def samples_of(path: Path, *, prompt: int = 1, judge: str | None = None) -> list[Row]:
    """The lines of a set, from the prompt of that number. `judge` is the model that judges by
    rubrics. Raises RequestError naming each test that has no counterpart."""
    config = _read(path)
    if not isinstance(config, dict):
        raise RequestError(f"{path} is no promptfoo configuration: it is no object.")
    prompts = _prompts(config.get("prompts"), path)
    if not 1 <= prompt <= len(prompts):
        raise RequestError(
            f"There is no prompt {prompt} in {path}: it has {len(prompts)}.", field="prompt"
        )
    default = config.get("defaultTest") or {}
    rows: list[Row] = []
    wrong: list[str] = []
    for number, test in enumerate(_tests(config.get("tests"), path), 1):
        try:
            rows.append(_row(prompts[prompt - 1], default, test, number, judge))
        except ValueError as e:
            wrong.append(f"test {number}: {e}")
    if wrong:
        more = f"; and {len(wrong) - _MOST_TOLD:,} more" if len(wrong) > _MOST_TOLD else ""
        raise RequestError(f"{path}: {'; '.join(wrong[:_MOST_TOLD])}{more}.")
    if not rows:
        raise RequestError(f"There is no test in {path}.")
    return rows


# -- files


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as e:
        reason = e.strerror if isinstance(e, OSError) else "it is not UTF-8"
        raise RequestError(f"Cannot read {path}: {reason}.") from None


def _read(path: Path) -> Any:
    text = _text(path)
    try:
        if path.suffix == ".json":
            return msgspec.json.decode(text)
        try:
            import yaml
        except ImportError:
            raise missing("Reading a promptfoo file", "PyYAML") from None
        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as e:
            mark = getattr(e, "problem_mark", None)
            at = f", line {mark.line + 1}" if mark is not None else ""
            raise RequestError(f"{path}{at}: this is no YAML.") from None
    except msgspec.DecodeError as e:
        raise RequestError(f"{path}: this is no JSON: {e}.") from None


def _file(said: Any, path: Path) -> Path | None:
    """The file that `file://...` means, relative to the configuration's."""
    if isinstance(said, str) and said.startswith("file://"):
        return path.parent / said.removeprefix("file://")
    return None


def _prompts(said: Any, path: Path) -> list[str]:
    found = []
    for prompt in said if isinstance(said, list) else [said]:
        text = prompt
        if isinstance(prompt, dict):
            text = prompt.get("raw", prompt.get("id"))
        file = _file(text, path)
        if file is not None:
            if file.suffix not in (".txt", ".json", ".md"):
                raise RequestError(f"{path}: the prompt {text} is a program.", field="prompts")
            text = _text(file)
        if not isinstance(text, str):
            raise RequestError(f"{path}: a prompt is no text.", field="prompts")
        found.append(text)
    return found


def _tests(said: Any, path: Path) -> Sequence[Any]:
    file = _file(said, path)
    if file is not None and file.suffix == ".csv":
        return [_of_csv(row) for row in csv.DictReader(io.StringIO(_text(file)))]
    found = _read(file) if file is not None else said
    if not isinstance(found, list):
        raise RequestError(f"{path}: its tests are no list.", field="tests")
    return found


def _of_csv(row: Mapping[str, str]) -> Row:
    """Its columns are variables, and `__expected` an assertion: `equals` unless it names one, as
    in `contains:text`."""
    asserts = []
    for name, cell in row.items():
        if name and name.startswith("__expected") and cell:
            kind, colon, value = cell.partition(":")
            known = colon and re.fullmatch(r"(not-)?[a-z-]+", kind)
            asserts.append(
                {"type": kind, "value": value.strip()}
                if known
                else {"type": "equals", "value": cell}
            )
    given = {k: v for k, v in row.items() if k and not k.startswith("__")}
    return {"vars": given, "assert": asserts}


# -- tests


def _row(prompt: str, default: Row, test: Any, number: int, judge: str | None) -> Row:
    if not isinstance(test, dict):
        raise ValueError("it is no object")
    given = {**(default.get("vars") or {}), **(test.get("vars") or {})}
    for name, value in given.items():
        if isinstance(value, list) or (isinstance(value, str) and value.startswith("file://")):
            raise ValueError(f"the variable {name} is a list or a file")
    asserts = [*(default.get("assert") or []), *(test.get("assert") or [])]
    if not asserts:
        raise ValueError("it asserts nothing")
    parts = [_part(said, given, judge) for said in asserts]
    if len(parts) > 1:
        if any(part["grader"]["kind"] == "rubric" for part in parts):
            raise ValueError("a rubric stands beside other assertions")
        graded: Row = {"grader": "all", "expected": parts}
    else:
        graded = parts[0]
    return {"id": f"test-{number}", **_asked(prompt, given), **graded}


def _asked(prompt: str, given: Mapping[str, Any]) -> Row:
    """A prompt that is a JSON list of messages is a conversation."""
    if prompt.lstrip().startswith("["):
        try:
            messages = msgspec.json.decode(prompt)
        except msgspec.DecodeError:
            messages = None
        if isinstance(messages, list):
            return {"messages": _everywhere(messages, given)}
    return {"prompt": _filled(prompt, given)}


def _everywhere(value: Any, given: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return _filled(value, given)
    if isinstance(value, list):
        return [_everywhere(inner, given) for inner in value]
    if isinstance(value, dict):
        return {name: _everywhere(inner, given) for name, inner in value.items()}
    return value


def _filled(text: str, given: Mapping[str, Any]) -> str:
    """`{{name}}` replaced. Raises ValueError for what else a template may have."""
    if _LOGIC.search(_HOLE.sub("", text)):
        raise ValueError("the template has more than variables")

    def fill(hole: re.Match[str]) -> str:
        value: Any = given
        for name in hole.group(1).split("."):
            if not isinstance(value, Mapping) or name not in value:
                raise ValueError(f"there is no variable {hole.group(1)}")
            value = value[name]
        return value if isinstance(value, str) else msgspec.json.encode(value).decode()

    return _HOLE.sub(fill, text)


# -- assertions


def _part(said: Any, given: Mapping[str, Any], judge: str | None) -> Row:
    """A grader and what it expects."""
    if not isinstance(said, dict) or not isinstance(said.get("type"), str):
        raise ValueError("an assertion has no type")
    kind: str = said["type"]
    value = _everywhere(said.get("value"), given)
    if "threshold" in said or "transform" in said:
        raise ValueError(f"{kind} has a threshold or a transform")
    plain = kind.removeprefix("i")
    grader: Row
    if kind == "equals":
        if isinstance(value, dict | list):
            return {"grader": {"kind": "json_schema", "only": True}, "expected": {"const": value}}
        return {"grader": {"kind": "exact"}, "expected": str(value)}
    if kind in ("is-json", "contains-json"):
        grader = {"kind": "json_schema", "only": kind == "is-json"}
        return {"grader": grader, "expected": {} if value is None else value}
    if kind == "regex":
        return {"grader": {"kind": "regex"}, "expected": value}
    if plain in _REGEX_KINDS:
        grader = {"kind": "regex", "ignore_case": kind != plain}
        return {"grader": grader, "expected": _expression(plain, value)}
    if kind == "llm-rubric":
        if judge is None:
            raise ValueError("llm-rubric needs a judge")
        grader = {"kind": "rubric", "model": judge, "rubric": str(value)}
        return {"grader": grader}
    raise ValueError(f"there is no counterpart of the assertion {kind[:40]}")


def _expression(kind: str, value: Any) -> str:
    texts = value if isinstance(value, list) else [value]
    if kind in ("contains-any", "contains-all") and isinstance(value, str):
        texts = [text.strip() for text in value.split(",")]
    if not texts or not all(isinstance(text, str | int | float) for text in texts):
        raise ValueError(f"{kind} has no text")
    found = [re.escape(str(text)) for text in texts]
    if kind == "starts-with":
        return r"\A" + found[0]
    if kind == "contains-all":
        return r"\A" + "".join(f"(?=[\\s\\S]*{text})" for text in found)
    return "|".join(found)
