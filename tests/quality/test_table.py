"""Which figure counts for a model at a task."""

import pytest

from hybridllm.catalog.structs import Quality, Task, Tier
from hybridllm.quality import Table, meets

TASK = Task(name="classification", tier=Tier.SIMPLE)


def quality(task: str, value: float, samples: int = 0, at: str = "") -> Quality:
    lower = value - 0.05 if samples else value
    return Quality(model="x/m", task=task, value=value, lower=lower, samples=samples, at=at)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([], None),
        ([quality("tier:mid", 0.9)], None),
        ([quality("tier:simple", 0.9)], 0.9),
        ([quality("tier:simple", 0.9), quality("classification", 0.8)], 0.8),
        ([quality("classification", 0.8), quality("tier:simple", 0.9, samples=200)], 0.8),
        ([quality("classification", 0.8, samples=200), quality("classification", 0.99)], 0.8),
        ([quality("classification", 0.7), quality("classification", 0.8)], 0.8),
        (
            [
                quality("classification", 0.8, 200, "2026-05-01"),
                quality("classification", 0.7, 200, "2026-04-01"),
            ],
            0.8,
        ),
    ],
    ids=[
        "nothing",
        "another tier's",
        "its tier's",
        "its task's before its tier's",
        "its task's assumption before its tier's measurement",
        "measured before assumed",
        "the later",
        "the later measurement",
    ],
)
def test_the_figure_that_counts(known, expected):
    found = Table(known).find("x/m", TASK)
    assert (found and found.value) == expected


def test_another_models_figure_does_not_count():
    assert Table([quality("classification", 0.8)]).find("x/other", TASK) is None


def test_a_measurement_is_held_to_its_lower_bound():
    assert meets(quality("t", 0.90), 0.90)
    assert not meets(quality("t", 0.92, samples=200), 0.90)
    assert meets(quality("t", 0.96, samples=200), 0.90)
