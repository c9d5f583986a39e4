"""A task's cascade and monitor, checked: that a check has what it needs, which can be used."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from hybridllm.catalog.structs import Cascade, Monitor
from hybridllm.config_file.document import Documents
from hybridllm.config_file.lines import Path

_NEEDED = {"regex": "expression", "tests": "tests", "judge": "judge"}
"""What each check cannot do without."""


def cascade(
    said: Cascade, model: Callable[[str, Path], str], documents: Documents, path: Path
) -> Cascade:
    """The cascade with its models as ids, which `model` finds. Raises ConfigError below `path`."""
    needed = _NEEDED.get(said.check)
    if needed is not None and not getattr(said, needed):
        raise documents.error(
            path, f'A cascade whose check is "{said.check}" needs `{needed}`.', "Add it."
        )
    _check_texts(said, documents, path)
    if said.agree is not None and said.agree > said.samples:
        raise documents.error(
            (*path, "agree"),
            f"{said.agree} of {said.samples} samples cannot agree.",
            "Write at most as many as `samples`, or leave it out: then all must.",
        )
    first = model(said.first, (*path, "first"))
    judge = None if said.judge is None else model(said.judge, (*path, "judge"))
    if said.check == "judge":
        _check_judge(said, first, judge, documents, path)
    return msgspec.structs.replace(said, first=first, judge=judge)


def check_monitor(said: Monitor, documents: Documents, path: Path) -> None:
    """Raises ConfigError below `path` where its check has not what it needs."""
    needed = _NEEDED.get(said.check, said.check)
    if not getattr(said, needed):
        raise documents.error(
            path, f'A monitor whose check is "{said.check}" needs `{needed}`.', "Add it."
        )
    _check_texts(said, documents, path)


def _check_judge(
    said: Cascade, first: str, judge: str | None, documents: Documents, path: Path
) -> None:
    if judge == first:
        raise documents.error(
            (*path, "judge"),
            f"{first} would judge its own answers.",
            "Let another model judge.",
        )
    if said.rubric is not None and not said.rubric.strip():
        raise documents.error(
            (*path, "rubric"), "The rubric is empty.", "Say what a good answer is."
        )
    if said.least > said.scale:
        raise documents.error(
            (*path, "least"),
            f"No answer can get {said.least} of {said.scale}.",
            "Write at most `scale`.",
        )


def _check_texts(said: Cascade | Monitor, documents: Documents, path: Path) -> None:
    """That the schema is JSON, the expression an expression and the tests Python."""
    if said.schema is not None:
        try:
            found = msgspec.json.decode(said.schema)
        except msgspec.DecodeError as e:
            raise documents.error(
                (*path, "schema"),
                f"This is no JSON: {e}.",
                "Write the JSON Schema as one text, in triple single quotes.",
            ) from None
        if not isinstance(found, dict):
            raise documents.error(
                (*path, "schema"), "A JSON Schema is an object.", "Write it in braces."
            )
    if said.expression is not None:
        try:
            re.compile(said.expression)
        except re.error as e:
            raise documents.error(
                (*path, "expression"),
                f"This is no regular expression: {e.msg}.",
                "Quote it with ' so that backslashes stay as they are.",
            ) from None
    for key in ("tests", "before"):
        try:
            compile(getattr(said, key) or "", key, "exec")
        except (SyntaxError, ValueError) as e:
            raise documents.error((*path, key), f"This is no Python: {e}.") from None
