from tests.exceptions_app.handover.conftest import erp

__all__ = ["erp"]
