"""Every connector, by name. Explicit, so that a search for a connector's name finds where it is used."""

from integrations.connectors.base import Connector
from integrations.connectors.en16931 import connector as en16931
from integrations.connectors.erp import connector as erp
from integrations.connectors.erp_master import connector as erp_master
from integrations.connectors.iso20022 import connector as iso20022

CONNECTORS: dict[str, Connector] = {connector.name: connector for connector in (en16931, erp, erp_master, iso20022)}


class UnknownConnector(LookupError):
    pass


def get_connector(name: str) -> Connector:
    try:
        return CONNECTORS[name]
    except KeyError:
        raise UnknownConnector(f"No connector is called {name!r}; known are {', '.join(sorted(CONNECTORS))}.") from None


def title_of(object_type: str) -> str:
    """What people call a kind of transaction; its bare name when no connector knows it any more."""
    for connector in CONNECTORS.values():
        if object_type in connector.object_types:
            return connector.object_types[object_type]
    return object_type.replace("_", " ").capitalize()
