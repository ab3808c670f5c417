"""Payments in ISO 20022: a pain.001 that went to the bank, and the pain.002 in which the bank refused some of it."""

from integrations.connectors.iso20022.connector import Iso20022Connector

connector = Iso20022Connector()

__all__ = ["connector"]
