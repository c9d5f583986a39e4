"""A process that writes a ledger until it is killed, and says beforehand and afterwards what."""

from __future__ import annotations

import os
import time

from hybridllm.config import LedgerConfig
from hybridllm.ledger import Ledger, loader
from hybridllm.ledger.journal import Journal
from tests.ledger.samples import attempt, intent

IN_FLIGHT = 3


def write_until_killed(name: str, store: str, directory: str, said: str) -> None:
    """Append to the file `said`, a line each: intending, intended, recording, recorded, and the
    request's id. IN_FLIGHT requests are open at any time."""
    Journal.segment_bytes = 10_000
    loader.GROUP = 50
    out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    ledger = Ledger(LedgerConfig(store=store, directory=directory, load_seconds=0.005))
    ledger.open()

    def say(what: str, i: int) -> None:
        os.write(out, f"{what} {name}-{i}\n".encode())

    i = 0
    while True:
        say("intending", i)
        ledger.intend(intent(f"{name}-{i}"))
        say("intended", i)
        done = i - IN_FLIGHT
        if done >= 0:
            say("recording", done)
            ledger.record(attempt(f"{name}-{done}", cost=i))
            say("recorded", done)
        i += 1
        time.sleep(0.0002)
