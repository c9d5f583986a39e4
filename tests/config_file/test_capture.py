"""What a task may say of capturing, and how a mistake is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridllm.catalog.structs import Capture
from hybridllm.config_file import load_config
from hybridllm.errors import ConfigError


def read(tmp_path: Path, said: str) -> Capture | None:
    path = tmp_path / "hybridllm.toml"
    path.write_text(f"[tasks.classification.capture]\n{said}\n")
    return load_config(str(path), env={}).tasks["classification"].capture


def test_nothing_is_captured_unless_a_task_says_so(tmp_path: Path) -> None:
    assert all(task.capture is None for task in load_config(env={}).tasks.values())
    assert read(tmp_path, "share = 0.05\nkeep_days = 7") == Capture(share=0.05, keep_days=7.0)


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("share = 1.5", "capture.share"),
        ("share = 0.1\nkeep = 0", "capture.keep"),
        ("share = 0.1\nredact = ['(']", "capture.redact[0]"),
        ("share = 0.1\ndays = 3", "capture.days"),
        ("keep = 10", "share"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_key(tmp_path: Path, said: str, key: str) -> None:
    with pytest.raises(ConfigError) as told:
        read(tmp_path, said)
    line = 1 + len(said.splitlines()) if key != "share" else 1
    assert key in str(told.value)
    assert f"hybridllm.toml:{line}" in str(told.value)
