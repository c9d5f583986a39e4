"""Configurations from a text, with nothing of the machine's own."""

from collections.abc import Callable

import pytest

from hybridllm.config import Config
from hybridllm.config_file import load_config
from hybridllm.errors import ConfigError


@pytest.fixture
def load(tmp_path) -> Callable[..., Config]:
    """The configuration of a text; its file is called hybridllm.toml."""

    def run(text: str, preset: str | None = None) -> Config:
        path = tmp_path / "hybridllm.toml"
        path.write_text(text, "utf-8")
        return load_config(str(path), preset, env={})

    return run


@pytest.fixture
def mistake(load) -> Callable[..., ConfigError]:
    """The error that a text is refused with."""

    def run(text: str, preset: str | None = None) -> ConfigError:
        with pytest.raises(ConfigError) as raised:
            load(text, preset)
        return raised.value

    return run
