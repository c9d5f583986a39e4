"""Floor 2: one schema (SQLAlchemy Core) with migrations, on SQLite and PostgreSQL."""

from hybridllm.store.engine import open_store, writing

__all__ = ["open_store", "writing"]
