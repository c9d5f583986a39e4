"""Which desk the options of a batch command mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from hybridllm.cli.batch_desk import Desk
from hybridllm.config_file import load_config


@contextmanager
def desk_of(
    url: str | None,
    config: Path | None,
    preset: str | None,
    ledger: Path | None,
    *,
    work: bool = False,
) -> Iterator[Desk]:
    """The gateway at `url`, else this process; with `work` it does what waits while it is open."""
    if url is not None:
        from hybridllm.cli.batch_remote import RemoteDesk

        yield RemoteDesk(url)
        return
    # Imported here: a gateway's client needs neither the engine nor the store.
    from hybridllm.cli.batch_local import LocalDesk

    settings = load_config(str(config) if config else None, preset)
    if ledger is not None:
        kept = msgspec.structs.replace(settings.ledger, directory=str(ledger))
        settings = msgspec.structs.replace(settings, ledger=kept)
    with LocalDesk(settings, work=work) as desk:
        yield desk
