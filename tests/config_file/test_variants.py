"""Variants of prompts in files beside the configuration, each mistake told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridllm.config_file import load_config
from hybridllm.errors import ConfigError


def load(tmp_path: Path, variant: str, line: str = 'openai = "p/v.toml"'):
    (tmp_path / "p").mkdir(exist_ok=True)
    (tmp_path / "p" / "v.toml").write_text(variant)
    (tmp_path / "h.toml").write_text(f"[prompts.classification]\n{line}\n")
    return load_config(str(tmp_path / "h.toml"), env={})


def test_a_variant_is_found_from_the_configurations_folder(tmp_path: Path) -> None:
    config = load(tmp_path, 'system = "S"\nschema = \'{"type": "object"}\'\n')
    found = config.variants["classification"]["openai"]
    assert (found.name, found.system, found.schema) == ("v", "S", {"type": "object"})


WRONG = [
    ("", "openai", "The variant says nothing", "v.toml"),
    ('sistem = "S"', "openai", "There is no such key", "v.toml:1"),
    ('prompt = "no hole"', "openai", "{prompt} must be in it once", "v.toml:1"),
    ('prompt = "{prompt}"\nmatch = "m"', "openai", "{text} must be in it once", "v.toml:2"),
    ('match = "{text}"', "openai", "It needs a prompt", "v.toml:1"),
    ('system = "{system}{system}"', "openai", "is there twice", "v.toml:1"),
    ("schema = '[]'", "openai", "no JSON object", "v.toml:1"),
    ('[[shots]]\nuser = "u"', "openai", "`assistant` is missing", "v.toml"),
    ('system = "S"', "gpt-9", "There is no model or provider", "h.toml:2"),
]


@pytest.mark.parametrize(("variant", "who", "message", "where"), WRONG)
def test_a_mistake_is_told_with_its_place(
    tmp_path: Path, variant: str, who: str, message: str, where: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, variant, f'{who} = "p/v.toml"')
    assert message in str(caught.value) and where in str(caught.value)


def test_a_file_or_task_that_is_not_there_is_told_where_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"There is no file p/w.toml") as caught:
        load(tmp_path, 'system = "S"', 'openai = "p/w.toml"')
    assert "h.toml:2" in str(caught.value)
