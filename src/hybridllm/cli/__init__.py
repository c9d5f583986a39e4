"""Floor 8: one file a command. Parse, call, print.

Commands are registered by import path, so `hybridllm cost` loads neither the server nor the store.
"""

from __future__ import annotations

import ast
import re
import sys
from importlib.resources import files

from cyclopts import App

from hybridllm.errors import HybridError

COMMANDS = (
    "serve",
    "route",
    "select",
    "cost",
    "tokens",
    "review",
    "quality",
    "models",
    "simulate",
    "demo",
    "audit",
)
BATCHES = ("run", "list", "show", "cancel")
EVALS = ("run", "grade", "agree", "convert", "curve")
TASKS = ("train",)
ALERTS = ("test", "list")
CAPTURES = ("list", "show", "export", "purge")
REPORTS = ("spend", "savings", "impact", "levers")


def _summary(module: str, function: str) -> str:
    """The first paragraph of a command's docstring, read without importing the command."""
    source = (files(__name__) / f"{module}.py").read_text("utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            summary = (ast.get_docstring(node) or "").partition("\n\n")[0]
            return re.sub(r"\s*Examples?:$", "", summary)
    return ""


def build(*, listing: bool = False) -> App:
    """The program. With `listing` its commands are listed with their summaries; a command's own
    help would be cut to that, so it is for nothing else."""
    program = App(
        name="hybridllm",
        help="Routes every LLM request to the cheapest model that is good enough, "
        "prices it exactly, and records it.",
        version_flags=["--version"],
    )
    report = App(name="report", help="What was spent, what was saved, and what it was worth.")
    batch = App(name="batch", help="Work that can wait, at the price of batches.")
    program.command(report)
    evals = App(name="eval", help="How good each model is at each task, measured.")
    program.command(batch)
    program.command(evals)
    tasks = App(name="tasks", help="What names the task of a request.")
    program.command(tasks)
    alerts = App(name="alerts", help="Who is told when something needs a person.")
    program.command(alerts)
    captures = App(name="capture", help="Requests of production that are kept, redacted.")
    program.command(captures)
    groups = (
        (program, "", COMMANDS),
        (report, "report_", REPORTS),
        (batch, "batch_", BATCHES),
        (evals, "eval_", EVALS),
        (tasks, "tasks_", TASKS),
        (alerts, "alerts_", ALERTS),
        (captures, "capture_", CAPTURES),
    )
    for group, prefix, names in groups:
        for name in names:
            module = f"{prefix}{name}"
            help = _summary(module, name) if listing else None
            group.command(f"{__name__}.{module}:{name}", name=name, help=help)
    return program


app = build()


def main() -> None:
    """The console script. Errors that we raise on purpose end in one line and exit status 2."""
    groups = {"report", "batch", "eval", "tasks", "alerts", "capture"}
    listing = set(sys.argv[1:]) <= groups | {"--help", "-h"}
    try:
        (build(listing=True) if listing else app)()
    except HybridError as e:
        message = str(e) if type(e).__str__ is not Exception.__str__ else e.text()
        print(f"hybridllm: {message}", file=sys.stderr)
        raise SystemExit(2) from None
