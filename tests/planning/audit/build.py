"""What the audit's tests share: a file's scan, and a report of text."""

from __future__ import annotations

from pathlib import Path

from hybridllm.config_file import load_config
from hybridllm.planning.audit import Audit, audit
from hybridllm.planning.audit.engine import open_engine
from hybridllm.planning.audit.groups import Scan
from hybridllm.planning.audit.scan import scan
from hybridllm.planning.audit.sizes import grid_of

DAY = "2026-11-25"
CONFIG = load_config(env={"HYBRIDLLM_CONFIG": ""}, preset="default")
GRID = grid_of(CONFIG.catalog, DAY)


def scanned(*paths: Path, format: str | None = None, sample: int = 100) -> Scan:
    with open_engine() as engine:
        return scan(
            engine,
            [str(path) for path in paths],
            GRID,
            lambda prompt: "classification" if "lassify" in prompt else "general",
            format=format,
            sample=sample,
        )


def reported(path: Path, text: str | None = None, **options: object) -> Audit:
    """The audit of a file, written first where `text` is given."""
    if text is not None:
        path.write_text(text)
    return audit([str(path)], CONFIG, DAY, **options)  # type: ignore[arg-type]
