"""A proposal becomes lines of the configuration file, and nothing that a person wrote is lost."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybridllm.config_file import load_config, load_preset
from hybridllm.errors import ConfigError
from hybridllm.reports.review import Review, review
from hybridllm.reports.review_apply import MARK, change

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def of(text: str, where: Path, preset: str | None = None) -> tuple[Review, str, str]:
    """Review the file and apply it: (the review, the new text, the difference)."""
    where.write_text(text, "utf-8")
    config = load_config(str(where), preset, env={})
    found = review(config, NOW)
    made = change(text, config, found)
    where.write_text(made.after, "utf-8")
    return found, made.after, made.diff


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "hybridllm.toml"


def test_every_proposal_is_a_route_afterwards(file: Path) -> None:
    found, _, _ = of('preset = "guide"\n', file)
    after = load_config(str(file), env={})
    assert (after.preset, after.catalog.as_of) == ("guide", found.current)
    again = {route.task: route for route in review(after, NOW).routes}
    for route in found.changes:
        assert after.tasks[route.task].candidates[0] == route.proposal.model
        if not route.must:
            assert again[route.task].model == route.proposal.model
        assert again[route.task].proposal is None or route.must
    assert len(found.changes) == 13


def test_without_a_file_one_is_made_that_names_the_preset(file: Path) -> None:
    config = load_preset("guide")
    made = change("", config, review(config, NOW))
    file.write_text(made.after)
    assert load_config(str(file), env={}).preset == "guide"
    assert made.after.startswith(f"# {MARK} 2026-11-25: ")


def test_nothing_to_propose_changes_nothing(file: Path) -> None:
    text = "# mine\n\n[server]\nport = 1  # one"
    _, after, diff = of(text, file)
    assert (after, diff) == (text, "")


def test_only_the_named_tasks_change() -> None:
    config = load_preset("guide")
    made = change("", config, review(config, NOW), ("analysis",))
    assert re.findall(r"^\[tasks\.(\w+)\]$", made.after, re.MULTILINE) == ["analysis"]
    assert made.after.count("[[quality]]") == 1


def test_a_line_that_gives_way_stays_as_a_comment_in_its_place(file: Path) -> None:
    text = (
        'preset = "guide"  # ours\n[tasks.analysis]\n'
        'candidates = [  # by hand ]\n  "gemini-2.5-pro",\n]  # end\nbar = 0.9\n'
    )
    _, after, diff = of(text, file)
    assert (
        '# hybridllm review: it was\n# candidates = [  # by hand ]\n#   "gemini-2.5-pro",\n'
        "# ]  # end\nbar = 0.9\n"
    ) in after
    assert "-candidates = [  # by hand ]" in diff


@pytest.mark.parametrize(
    "text",
    [
        'preset = "guide"\ntasks.analysis.candidates = ["gemini-2.5-pro"]\n',
        'preset = "guide"\n[tasks]\nanalysis = { candidates = ["gemini-2.5-pro"] }\n',
        'preset = "guide"\nquality = [{ model = "o3", task = "general", value = 0.5 }]\n',
    ],
)
def test_a_file_that_lines_cannot_be_added_to_is_refused(file: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="by adding lines"):
        of(text, file)
    assert file.read_text() == text


comments = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\x7f"),
    max_size=12,
)
filler = st.one_of(st.just(""), st.just("   "), comments.map(lambda text: f"  # {text}"))
tables = st.permutations(
    [
        '[tasks.analysis]\nbar = 0.9\ncandidates = ["gemini-2.5-pro"]',
        "[tasks.classification] # x\n  can_wait = false\n  output_tokens = 60",
        '[tasks.triage]\ntier = "simple"\nbar = 0.9\ncandidates = [\n\t"gpt-4o-mini", # "]"\n]',
        "[server]\nport = 4001",
        '[[quality]]\nmodel = "o3"\ntask = "general"\nvalue = 0.5',
        "[[rules]]\ntask = \"general\"\nsystem = '''a # no comment\ncandidates = 1'''",
    ]
)


@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(tables, st.lists(filler, min_size=7, max_size=7), st.booleans(), st.integers(1, 6))
def test_every_line_of_the_persons_own_is_there_afterwards_in_its_order(
    file: Path, order: list[str], between: list[str], ends: bool, number: int
) -> None:
    head = 'preset = "guide"' + (between[6] if between[6].strip() else "")
    blocks = [f"{block}\n{gap}" for block, gap in zip(order[:number], between, strict=False)]
    text = "\n".join([head, *blocks]) + ("\n" if ends else "")
    before = load_config(str(_written(file, text)), env={})
    found, after, _ = of(text, file)
    left = iter(after.split("\n"))
    for line in text.rstrip("\n").split("\n"):
        assert any(new in (line, f"# {line}") for new in left), line
    config = load_config(str(file), env={})
    for route in found.changes:
        assert config.tasks[route.task].candidates[0] == route.proposal.model
        assert config.tasks[route.task].candidates[1:] == before.tasks[route.task].candidates
        assert config.tasks[route.task].bar == before.tasks[route.task].bar
    assert config.server == before.server and config.rules == before.rules


def _written(file: Path, text: str) -> Path:
    file.write_text(text, "utf-8")
    return file
