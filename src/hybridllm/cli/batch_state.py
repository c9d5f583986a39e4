"""What `hybridllm batch run` remembers beside its results, so that a killed run goes on."""

from __future__ import annotations

import os
from pathlib import Path
from secrets import token_hex

import msgspec

from hybridllm.errors import RequestError


class RunState(msgspec.Struct, kw_only=True):
    """`token` goes with the batch: it was written down before the batch was sent, so that a batch
    whose id was not is found again by it. `asked` is what the run was asked to do."""

    token: str
    asked: dict[str, str]
    batch: str = ""


class Progressing:
    """The files of one run: results, where they are being written, and the state."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.part = out.with_name(out.name + ".part")
        self._state = out.with_name(out.name + ".state")

    def begin(self, asked: dict[str, str]) -> RunState:
        """The state of the run that was begun, or of a new one. Raises RequestError where `out` is
        another run's."""
        try:
            state = msgspec.json.decode(self._state.read_bytes(), type=RunState)
        except FileNotFoundError:
            if self.out.exists():
                raise RequestError(
                    f"{self.out} is there already.",
                    field="out",
                    remedy="Name another file, or delete it.",
                ) from None
            state = RunState(token=token_hex(16), asked=asked)
            self.keep(state)
            return state
        except (msgspec.DecodeError, OSError) as e:
            raise RequestError(
                f"{self._state} cannot be read.", remedy="Delete it to begin anew."
            ) from e
        differs = sorted(key for key in asked if state.asked.get(key) != asked[key])
        if differs:
            raise RequestError(
                f"{self.out} belongs to a run that is not over, of another {differs[0]}.",
                field="out",
                remedy=f"Name another file, or delete {self._state} to give that run up.",
            )
        return state

    def keep(self, state: RunState) -> None:
        """Write the state down, whole or not at all."""
        new = self._state.with_name(self._state.name + ".new")
        with new.open("wb") as file:
            file.write(msgspec.json.encode(state))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._state)

    def finish(self) -> None:
        """The results are whole: they get their name, and the run is forgotten."""
        self.part.replace(self.out)
        self._state.unlink(missing_ok=True)
