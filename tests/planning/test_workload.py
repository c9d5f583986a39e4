"""A workload: the guide's month as data, and a user's file whose mistakes are pointed at."""

import pytest

from hybridllm.errors import ConfigError
from hybridllm.planning.workload import WORKLOADS, load_workload

GUIDE = [
    ("classification", 500_000, 500, 50),
    ("analysis", 100_000, 5_000, 1_000),
    ("code_generation", 50_000, 3_000, 2_000),
    ("complex_reasoning", 10_000, 10_000, 5_000),
]
ONE = """
[[tasks]]
task = "classification"
calls = 10
input_tokens = 5
output_tokens = 1
"""
PRINTED = (
    ONE
    + """[published]
source = "a book"
preset = "guide"
baseline = "gpt-4o"

[published.monthly]
"""
)


@pytest.fixture
def load(tmp_path):
    """Load a workload from a text; its file is called month.toml."""

    def run(text):
        path = tmp_path / "month.toml"
        path.write_text(text)
        return load_workload(str(path))

    return run


def test_the_guides_month_line_by_line():
    found = load_workload("guide").tasks
    assert [(x.task, x.calls, x.input_tokens, x.output_tokens) for x in found] == GUIDE
    assert load_workload("guide").calls == 660_000


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_workload_of_the_package_loads(name):
    assert load_workload(name).tasks


def test_what_the_guide_prints_is_kept_beside_its_lines():
    published = load_workload("guide").published
    assert published is not None and published.preset == "guide"
    cents = {name: amount / 10**10 for name, amount in published.monthly.items()}
    assert cents == {"single": 7125_00, "hybrid": 5377_50, "hybrid+batch": 4376_75}


def test_a_file_of_ones_own(load, tmp_path):
    workload = load(ONE)
    assert workload.name.endswith("month.toml") and workload.published is None
    (line,) = workload.tasks
    assert (line.task, line.calls, line.input_tokens, line.output_tokens) == (
        ("classification", 10, 5, 1)
    )
    assert line.where == f"{tmp_path / 'month.toml'}:3"


MISTAKES = [
    ("", "month.toml", "tasks", "There are no tasks"),
    ("tasks = 5", "month.toml:1", "tasks", "There are no tasks"),
    ("\n\ntask = []", "month.toml:3", "task", "Did you mean tasks?"),
    (ONE.replace("calls", "call"), "month.toml:4", "tasks[0].call", "Did you mean calls?"),
    (ONE.replace("calls = 10", ""), "month.toml:2", "tasks[0]", "`calls` is missing"),
    (ONE.replace("10", '"10"'), "month.toml:4", "tasks[0].calls", "Expected int, got str"),
    (ONE.replace("10", "1.5"), "month.toml:4", "tasks[0].calls", "Expected int"),
    (ONE.replace("10", "-1"), "month.toml:4", "tasks[0].calls", "-1 is out of range"),
    (ONE.replace("= 5", "= -5"), "month.toml:5", "tasks[0].input_tokens", "out of range"),
    (ONE + ONE.replace("= 1\n", "= -1\n"), "month.toml:12", "tasks[1].output_tokens", "range"),
    (PRINTED + "hybird = 1", "month.toml:13", "published.monthly.hybird", "Did you mean hybrid"),
    (PRINTED + "single = inf", "month.toml:13", "published.monthly.single", "no amount"),
    (PRINTED + 'single = "x"', "month.toml:13", "published.monthly.single", "Invalid decimal"),
    (ONE + "[published]", "month.toml:7", "published", "`source` is missing"),
    ("[[tasks]\n", "month.toml:1", "", "This is no TOML"),
]


@pytest.mark.parametrize(("text", "where", "field", "words"), MISTAKES)
def test_a_mistake_is_told_with_file_line_and_key(load, text, where, field, words):
    with pytest.raises(ConfigError) as raised:
        load(text)
    error = raised.value
    assert (error.where or "").endswith(where)
    assert (error.field or "") == field
    assert words in str(error)


def test_a_file_that_is_not_there_says_which_names_there_are(tmp_path):
    with pytest.raises(ConfigError, match=r"workload cannot be read.*a name: guide"):
        load_workload(str(tmp_path / "nothing.toml"))


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "month.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="workload is not UTF-8"):
        load_workload(str(path))
