from __future__ import annotations

from collections.abc import Callable

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, MetaData

from hybridllm.store import open_store, writing
from tests.databases import postgres_server, store_url

__all__ = ["migrated", "postgres_server", "store_url"]


@pytest.fixture
def migrated(store_url: str) -> Callable[[str], Engine]:
    """Makes the store anew as Alembic does, up to a revision."""

    def make(revision: str) -> Engine:
        engine = open_store(store_url)
        config = Config()
        config.set_main_option("script_location", "hybridllm.store:migrations")
        with writing(engine) as connection:
            found = MetaData()
            found.reflect(connection)
            found.drop_all(connection)
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
        return engine

    return make
