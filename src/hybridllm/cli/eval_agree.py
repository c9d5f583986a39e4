"""`hybridllm eval agree`: do a run's grades say what people say?"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from hybridllm.cli.output import print_json
from hybridllm.cli.tables import console, counted
from hybridllm.config import LedgerConfig
from hybridllm.config_file import load_config
from hybridllm.errors import ErrorKind, RequestError
from hybridllm.evals.agreement import good, kappa
from hybridllm.evals.graders.human import labels_of
from hybridllm.evals.runlog import Graded, read_log
from hybridllm.ledger.paths import ledger_directory


def agree(
    run: str,
    *,
    labels: Path,
    config: Path | None = None,
    ledger: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Compare a run's grades with people's labels of the same answers: Cohen's kappa.

    A line of the labels is {"sample": "line-2", "model": "openai/gpt-4o-mini", "score": 1}.
    Example:

        hybridllm eval agree 20261125-141500-3f9c0a --labels labels.jsonl

    Parameters
    ----------
    run
        The run, as its table names it.
    labels
        The file of labels.
    config
        The configuration file [default: $HYBRIDLLM_CONFIG, else ./hybridllm.toml if it is there].
    ledger
        The directory of the ledger [default: ~/.hybridllm].
    json
        Print one JSON document.
    """
    settings = load_config(str(config) if config else None).ledger
    if ledger is not None:
        settings = LedgerConfig(directory=str(ledger))
    path = ledger_directory(settings) / "evals" / f"{Path(run).name}.jsonl"
    if not path.exists():
        raise RequestError(
            f"There is no run '{run[:64]}' in {path.parent}.", kind=ErrorKind.NOT_FOUND, field="run"
        )
    said = labels_of(str(labels))
    grades = {(e.model, e.sample): e.score for e in read_log(path) if isinstance(e, Graded)}
    pairs = [
        (good(grades[model, sample]), good(score))
        for (sample, model), score in said.items()
        if (model, sample) in grades
    ]
    if not pairs:
        raise RequestError(
            f"None of the labels in {labels} is of an answer of this run.",
            field="labels",
            remedy="Name samples and models as the run's file does.",
        )
    _tell(run, pairs, len(said), json)


def _tell(run: str, pairs: list[tuple[bool, bool]], labels: int, json: bool) -> None:
    found = kappa(pairs)
    counts = Counter(pairs)
    agreed = sum(a == b for a, b in pairs)
    if json:
        print_json(
            {
                "run": run,
                "compared": len(pairs),
                "agreed": agreed,
                "kappa": found,
                "both_good": counts[True, True],
                "only_grader_good": counts[True, False],
                "only_people_good": counts[False, True],
                "both_bad": counts[False, False],
            }
        )
        return
    out = console()
    grader, people = counts[True, False], counts[False, True]
    out.print(
        f"{counted(len(pairs), 'answer')} of {counted(labels, 'label')}: {agreed:,} agreed; "
        f"{grader:,} good to the grader alone, {people:,} to people alone."
    )
    if found is None:
        out.print("No kappa: each gave one verdict throughout, so chance explains everything.")
    else:
        out.print(f"Cohen's kappa {found:.3f}")
