"""Alembic's migrations, packaged, run by `open_store`."""
