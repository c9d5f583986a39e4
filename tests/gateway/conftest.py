from tests.waiting import waiting_gateway

__all__ = ["waiting_gateway"]
