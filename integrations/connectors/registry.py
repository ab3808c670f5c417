"""Every connector, by name. Explicit, so that a search for a connector's name finds where it is used."""

from integrations.connectors.base import Connector
from integrations.connectors.en16931 import connector as en16931

CONNECTORS: dict[str, Connector] = {en16931.name: en16931}


class UnknownConnector(LookupError):
    pass


def get_connector(name: str) -> Connector:
    try:
        return CONNECTORS[name]
    except KeyError:
        raise UnknownConnector(f"No connector is called {name!r}; known are {', '.join(sorted(CONNECTORS))}.") from None
