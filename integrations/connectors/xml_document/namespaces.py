"""The prefixes that our own paths use, whatever prefixes a document declares."""

from typing import Final

PREFIXES: Final = {
    "ubl": "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2",
    "cn": "urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2",
    "cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
    "cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
    "ext": "urn:oasis:names:specification:ubl:schema:xsd:CommonExtensionComponents-2",
}
PREFIX_OF: Final = {uri: prefix for prefix, uri in PREFIXES.items()}

# Standards whose documents have one namespace, and another with each version: their paths are clearer without it.
UNPREFIXED: Final = ("urn:iso:std:iso:20022:tech:xsd:",)
