"""A model's name in somebody's export, to the catalogue's model.

Gateways and clouds wrap the maker's name: a provider before it, a region, a version or a date
behind it. What is told apart by its date in the catalogue is found first, under its own name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from hybridllm.catalog.structs import Catalog, Model

_REGION = re.compile(r"^(?:us|eu|apac|jp|global)\.")
_MAKER = re.compile(r"^(?:anthropic|openai|google|meta|amazon)\.")
_VERSION = re.compile(r"(?:-v\d+(?::\d+)?|:batch|@[\w-]+|-latest)$")
_DATE = re.compile(r"-(?:\d{8}|\d{4}-\d{2}-\d{2}|\d{4})$")


class Names:
    """The catalogue's models by what exports call them."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.find = lru_cache(maxsize=4096)(self._find)

    def _find(self, name: str) -> Model | None:
        for variant in _variants(name):
            id = self._catalog.names.get(variant)
            if id is not None:
                return self._catalog.models[id]
        return None


def _variants(name: str) -> Iterator[str]:
    """The name as it is, then with less and less around it."""
    yield name
    bare = name.strip().lower()
    yield bare
    bare = bare.removeprefix("models/").rpartition("/")[2]
    yield bare
    if " " in bare:  # as the console shows it: Claude Sonnet 4.6
        yield bare.replace(" ", "-")
        bare = re.sub(r"[ .]+", "-", bare)
        yield bare
    bare = _MAKER.sub("", _REGION.sub("", bare))
    yield bare
    bare = _VERSION.sub("", bare)
    yield bare
    yield _DATE.sub("", bare)
