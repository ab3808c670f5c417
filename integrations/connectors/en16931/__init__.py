"""EN 16931 e-invoices in UBL 2.1, refused by a tax authority or validator (SVRL) or held by a policy."""

from integrations.connectors.en16931.connector import En16931Connector

connector = En16931Connector()

__all__ = ["connector"]
