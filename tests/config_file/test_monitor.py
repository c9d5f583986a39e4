"""A task's monitor, and what is said of one that cannot check."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridllm.catalog.structs import Monitor
from hybridllm.config_file import load_config
from hybridllm.errors import ConfigError


def read(tmp_path: Path, said: str) -> Monitor | None:
    path = tmp_path / "hybridllm.toml"
    path.write_text(f"[tasks.classification.monitor]\n{said}\n")
    return load_config(str(path), env={}).tasks["classification"].monitor


def test_nothing_is_monitored_unless_a_task_says_so(tmp_path: Path) -> None:
    assert all(task.monitor is None for task in load_config(env={}).tasks.values())
    found = read(tmp_path, "share = 0.1\ncheck = 'regex'\nexpression = 'spam|ham'")
    assert found == Monitor(share=0.1, check="regex", expression="spam|ham")


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ("share = 2\ncheck = 'regex'\nexpression = 'a'", "monitor.share"),
        ("share = 1\ncheck = 'regex'", "classification.monitor"),
        ("share = 1\ncheck = 'schema'", "needs `schema`"),
        ("share = 1\ncheck = 'regex'\nexpression = '('", "monitor.expression"),
        ("share = 1\ncheck = 'tests'\ntests = 'assert ('", "monitor.tests"),
        ("share = 1\ncheck = 'judge'", "monitor.check"),
    ],
)
def test_a_monitor_that_cannot_check_is_refused(tmp_path: Path, said: str, where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, said)
    assert where in str(caught.value)
