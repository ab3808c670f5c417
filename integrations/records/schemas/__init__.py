"""The canonical documents: what stands between a source and a target when a connection's field maps translate.

A canonical document is JSON, written by a map or handed in as it is, with its kind and version under `version`. Each
kind is described once (`invoice`, `journal`, `payment`); the JSON Schema and the words for what is wrong follow from
the description. A field is never renamed or taken away within a version, so that maps of today still fit tomorrow.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from integrations.records.schemas.description import Part
from integrations.records.schemas.invoice import INVOICE
from integrations.records.schemas.journal import JOURNAL
from integrations.records.schemas.payment import PAYMENT

# kind → its present version
DESCRIPTIONS: Final[Mapping[str, Part]] = MappingProxyType({part.name: part for part in (INVOICE, JOURNAL, PAYMENT)})
