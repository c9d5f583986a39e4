"""Servers that speak OpenAI's dialect (vLLM, Ollama, Groq...): its paths, a key where one is set.

An organisation or a project of OpenAI's means nothing to them, so those headers stay here.
"""

from __future__ import annotations

from collections.abc import Mapping

from hybridllm.providers.openai import OpenAI


class Compatible(OpenAI):
    """See `Adapter`."""

    speaks: Mapping[str, str] = {"openai": "chat"}
    forwards: frozenset[bytes] = frozenset()
