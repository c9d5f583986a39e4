"""Floor 2: one schema (SQLAlchemy Core) with migrations, on SQLite and PostgreSQL."""
