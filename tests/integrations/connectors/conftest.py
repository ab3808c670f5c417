from tests.integrations.connectors.erp.conftest import allow_loopback

__all__ = ["allow_loopback"]
