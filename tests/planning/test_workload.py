"""A workload: the guide's month as data, and a user's file whose mistakes are pointed at."""

from decimal import Decimal as D

import pytest

from hybridllm.errors import ConfigError
from hybridllm.planning.sizes import Bucket, LogNormal
from hybridllm.planning.workload import WORKLOADS, Reuse, load_workload

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


SPREAD = ONE.replace("= 5", "= {}")
MORE = ONE + "{}\n"
MISTAKES += [
    (SPREAD.format('"5"'), "month.toml:5", "tasks[0].input_tokens", "a list of { tokens"),
    (SPREAD.format("true"), "month.toml:5", "tasks[0].input_tokens", "no number of tokens"),
    (SPREAD.format("[]"), "month.toml:5", "tasks[0].input_tokens", "no number of tokens"),
    (SPREAD.format("{ mean = 5 }"), "month.toml:5", "tasks[0].input_tokens", "`p95` is missing"),
    (
        SPREAD.format("{ mean = 5, p59 = 6 }"),
        "month.toml:5",
        "tasks[0].input_tokens.p59",
        "Did you mean p95?",
    ),
    (
        SPREAD.format("{ mean = 5, p95 = 20 }"),
        "month.toml:5",
        "tasks[0].input_tokens.p95",
        "less than 3.87 times its mean",
    ),
    (SPREAD.format("{ mean = 5, p95 = 4 }"), "month.toml:5", "tasks[0].input_tokens.p95", "less"),
    (SPREAD.format("{ mean = 0, p95 = 4 }"), "month.toml:5", "tasks[0].input_tokens.mean", "range"),
    (
        SPREAD.format("{ mean = 5, p95 = 9, most = 4 }"),
        "month.toml:5",
        "tasks[0].input_tokens.most",
        "5 or more",
    ),
    (
        SPREAD.format("[\n{ tokens = 1, share = 0.9 },\n{ tokens = 2, share = 0.2 }]"),
        "month.toml:5",
        "tasks[0].input_tokens",
        "sum to 1.1 and not to 1",
    ),
    (
        SPREAD.format("[\n{ tokens = 1, share = 0.9 },\n{ tokens = -2, share = 0.1 }]"),
        "month.toml:7",
        "tasks[0].input_tokens[1].tokens",
        "-2 is out of range",
    ),
    (
        SPREAD.format("[{ tokens = 1, share = nan }]"),
        "month.toml:5",
        "tasks[0].input_tokens[0].share",
        "no number",
    ),
    (MORE.format("cacheable_share = 1.5"), "month.toml:7", "tasks[0].cacheable_share", "range"),
    (MORE.format("async_share = nan"), "month.toml:7", "tasks[0].async_share", "no number"),
    (MORE.format("bar = 90"), "month.toml:7", "tasks[0].bar", "90.0 is out of range"),
    (MORE.format("reuse = -1"), "month.toml:7", "tasks[0].reuse", "-1.0 is out of range"),
    (MORE.format("reuse = inf"), "month.toml:7", "tasks[0].reuse", "no number"),
    (MORE.format('reuse = "often"'), "month.toml:7", "tasks[0].reuse", "Write reads per write"),
    (MORE.format("reuse = { shrt = 1 }"), "month.toml:7", "tasks[0].reuse.shrt", "short?"),
    (MORE.format("reuse = { long = -1 }"), "month.toml:7", "tasks[0].reuse.long", "range"),
    (MORE.format("cachable_share = 1"), "month.toml:7", "tasks[0].cachable_share", "cacheable"),
]


def test_all_that_an_entry_may_say(load):
    (line,) = load("""
[[tasks]]
task = "classification"
calls = 10
input_tokens = { mean = 5_000, p95 = 15_000, most = 100_000 }
output_tokens = [{ tokens = 10, share = 0.75 }, { tokens = 50, share = 0.25 }]
cacheable_share = 0.6
reuse = { short = 3, long = 40.5 }
async_share = 0.3
bar = 0.95
""").tasks
    assert line.sizes == (
        LogNormal(mean=5_000, p95=15_000, most=100_000),
        (Bucket(tokens=10, share=D("0.75")), Bucket(tokens=50, share=D("0.25"))),
    )
    assert (line.input_tokens, line.output_tokens) == (5_000, 20)
    assert line.reuse == Reuse(short=D(3), long=D("40.5"))
    assert (line.cacheable_share, line.async_share, line.bar) == (D("0.6"), D("0.3"), 0.95)


def test_a_number_of_reads_is_that_of_the_default_lifetime(load):
    assert load(ONE + "reuse = 20\n").tasks[0].reuse == Reuse(short=D(20))


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
