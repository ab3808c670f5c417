"""The ERP's master data: suppliers and customers that it keeps once each, by number."""

from integrations.connectors.erp_master.connector import ErpMasterConnector

connector = ErpMasterConnector()

__all__ = ["connector"]
