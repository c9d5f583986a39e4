"""Floor 8: one file a command. Parse, call, print.

Commands are registered by import path, so `hybridllm cost` loads neither the server nor the store.
"""

from __future__ import annotations

import sys

from cyclopts import App

from hybridllm.errors import HybridError

app = App(
    name="hybridllm",
    help="Routes every LLM request to the cheapest model that is good enough, "
    "prices it exactly, and records it.",
    version_flags=["--version"],
)
report = App(name="report", help="What was spent, and what was saved.")
app.command(report)

for name in ("serve", "route", "cost", "simulate", "demo", "models"):
    app.command(f"hybridllm.cli.{name}:{name}", name=name)
for name in ("spend", "savings"):
    report.command(f"hybridllm.cli.report_{name}:{name}", name=name)


def main() -> None:
    """The console script. Errors that we raise on purpose end in one line and exit status 2."""
    try:
        app()
    except HybridError as e:
        message = str(e) if type(e).__str__ is not Exception.__str__ else e.text()
        print(f"hybridllm: {message}", file=sys.stderr)
        raise SystemExit(2) from None
