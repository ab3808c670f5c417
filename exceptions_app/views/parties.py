"""Whether a document belongs to the legal entity that it came in for."""

from dataclasses import dataclass

from exceptions_app.facts import fold
from exceptions_app.models import LegalEntity
from exceptions_app.queries.case_page import CasePage, identifiers_of
from integrations.records.invoice import InvoiceRecord, Party


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """The parties of a document when neither is the legal entity; `buyer` is empty when none is named."""

    seller: str
    buyer: str


def stranger_in(page: CasePage, record: InvoiceRecord | None) -> Stranger | None:
    """Who stands in an open exception's document instead of its legal entity; None when the entity does.

    The entity is known by its name, and by the identifiers of the routes that lead to it.
    """
    if record is None or not page.case.is_open or not _shown(record.seller):
        return None
    entity, parties = page.case.entity, (record.seller, record.buyer)
    if any(_has_its_name(party, entity) for party in parties):
        return None
    known = identifiers_of(entity)
    if any(known & {party.vat_id, *party.identifiers} for party in parties):
        return None
    return Stranger(seller=_shown(record.seller), buyer=_shown(record.buyer))


def _has_its_name(party: Party, entity: LegalEntity) -> bool:
    """In any spelling: N.V. is NV, and capitals and accents do not count."""
    return bool(party.name) and fold(party.name) == fold(entity.name)


def _shown(party: Party) -> str:
    return party.name or party.vat_id
