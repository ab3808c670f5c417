from tests.exceptions_app.handover.handing_over import erp

__all__ = ["erp"]
