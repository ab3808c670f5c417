"""Journal entries and customer invoices in JSON, refused or held by an ERP that answers as SAP Gateway does."""

from integrations.connectors.erp.connector import ErpConnector

connector = ErpConnector()

__all__ = ["connector"]
