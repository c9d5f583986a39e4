"""What a file says of work that can wait."""

import pytest

from hybridllm.config import BatchConfig


def test_a_task_may_wait_by_itself(load):
    config = load('[tasks.general]\ndeadline = "6h"')
    assert config.tasks["general"].deadline == "6h"
    assert [name for name, task in config.tasks.items() if task.deadline] == ["general"]


def test_the_lane_has_bounds_and_calls_no_one_until_told(load):
    assert load("").batch == BatchConfig()
    assert load("").batch.webhook_hosts == ()
    batch = load('[batch]\nmax_lines = 10\nwebhook_hosts = ["*.example.com"]').batch
    assert (batch.max_lines, batch.webhook_hosts) == (10, ("*.example.com",))


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        ("[tasks.general]\ndeadline = 'soon'", 2, "tasks.general.deadline", "no span of time"),
        ("[tasks.general]\ndeadline = '0h'", 2, "tasks.general.deadline", "out of range"),
        ("[tasks.general]\ndeadline = '31d'", 2, "tasks.general.deadline", "up to 30 days"),
        ("[tasks.general]\ndeadline = 6", 2, "tasks.general.deadline", "got int"),
        ("[batch]\nmax_lines = 0", 2, "batch.max_lines", "1 or more"),
        ("[batch]\nwebhook_host = 'x'", 2, "batch.webhook_host", "Did you mean webhook_hosts"),
        ("[batch]\nwebhook_hosts = ['a', 5]", 2, "batch.webhook_hosts[1]", "got int"),
    ],
)
def test_a_mistake_is_told_with_its_place(mistake, text, line, key, words):
    error = mistake(text)
    assert error.where.endswith(f"hybridllm.toml:{line}")
    assert error.field == key
    assert words in str(error)
