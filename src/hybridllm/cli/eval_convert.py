"""`hybridllm eval convert`: a promptfoo configuration as a set of samples."""

from __future__ import annotations

from pathlib import Path
from tempfile import NamedTemporaryFile

import msgspec

from hybridllm.cli.tables import counted
from hybridllm.errors import RequestError
from hybridllm.evals.promptfoo import samples_of
from hybridllm.evals.sets import load_set


def convert(source: Path, *, out: Path, prompt: int = 1, judge: str | None = None) -> None:
    """Make a set of the tests of a promptfoo configuration.

    Example:

        hybridllm eval convert promptfooconfig.yaml --out evals/classification.jsonl

    Each test becomes a sample, its assertions the grader. What has no counterpart here is named,
    and nothing is written.

    Parameters
    ----------
    source
        The configuration, YAML or JSON.
    out
        The set to write, JSONL; it must not be there yet.
    prompt
        Which of its prompts, counted from 1.
    judge
        The model that judges by its rubrics.
    """
    rows = samples_of(source, prompt=prompt, judge=judge)
    if out.exists():
        raise RequestError(f"{out} is there already.", field="out", remedy="Name another file.")
    out.parent.mkdir(parents=True, exist_ok=True)
    lines = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
    with NamedTemporaryFile(dir=out.parent, suffix=".jsonl") as made:
        made.write(lines)
        made.flush()
        try:
            load_set(Path(made.name))
        except RequestError as e:
            raise RequestError(e.message.replace(made.name, str(source))) from None
    out.write_bytes(lines)
    print(f"{counted(len(rows), 'sample')}: {out}")
