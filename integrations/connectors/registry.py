"""Every connector, by name. Explicit, so that a search for a connector's name finds where it is used."""

from collections.abc import Iterator

from integrations.connectors.base import Connector
from integrations.connectors.en16931 import connector as en16931
from integrations.connectors.erp import codes as erp_codes
from integrations.connectors.erp import connector as erp
from integrations.connectors.erp_master import codes as erp_master_codes
from integrations.connectors.erp_master import connector as erp_master
from integrations.connectors.iso20022 import connector as iso20022
from integrations.connectors.iso20022 import remedies as iso20022_remedies

CONNECTORS: dict[str, Connector] = {connector.name: connector for connector in (en16931, erp, erp_master, iso20022)}


class UnknownConnector(LookupError):
    pass


def get_connector(name: str) -> Connector:
    try:
        return CONNECTORS[name]
    except KeyError:
        raise UnknownConnector(f"No connector is called {name!r}; known are {', '.join(sorted(CONNECTORS))}.") from None


def sentences_of_codes() -> Iterator[str]:
    """What the connectors' own catalogues say of a code and what to do about it; not what official rules say."""
    yield from erp_codes.sentences()
    yield from erp_master_codes.sentences()
    yield from iso20022_remedies.sentences()


def title_of(object_type: str) -> str:
    """What people call a kind of transaction; its bare name when no connector knows it any more."""
    for connector in CONNECTORS.values():
        if object_type in connector.object_types:
            return connector.object_types[object_type]
    return object_type.replace("_", " ").capitalize()
