from tests.databases import postgres_server, store_url

__all__ = ["postgres_server", "store_url"]
