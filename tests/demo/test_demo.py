"""`hybridllm demo`: the guide's figures come out of the ledger, and an outage fails no request."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal


def test_the_guides_month_at_one_to_a_thousand_and_an_outage() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hybridllm", "demo", "--json"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["clean"] == {
        "requests": 660,
        "failed": 0,
        "baseline_usd": "7.125",
        "hybrid_usd": "5.3775",
    }
    outage = figures["outage"]
    assert (outage["requests"], outage["failed"]) == (660, 0)
    assert outage["fallbacks"] > 0
    assert Decimal(outage["hybrid_usd"]) > 0
    levers = figures["levers"]
    assert (levers["batched"], levers["month_usd"]) == (550, "4.37625")
    assert levers["batch_saved_usd"] == "1.00125"
    assert Decimal(levers["prompt_cache_saved_usd"]) > 0
