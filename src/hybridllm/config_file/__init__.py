"""Reads `hybridllm.toml` over a preset over defaults. A mistake names its file, line and key."""

from hybridllm.config_file.load import PRESETS, load_config, load_preset
from hybridllm.config_file.providers import resolve_providers

__all__ = ["PRESETS", "load_config", "load_preset", "resolve_providers"]
