"""Whether a document belongs to the legal entity that it came in for."""

from dataclasses import dataclass

from exceptions_app.facts import fold
from exceptions_app.models import LegalEntity
from exceptions_app.queries.case_page import CasePage, identifiers_of
from integrations.records.record import Party, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """The parties of a document when none of them is the legal entity: role, such as “Seller”, and who it is."""

    parties: tuple[tuple[str, str], ...]


def stranger_in(page: CasePage, record: Record | None) -> Stranger | None:
    """Who stands in an open exception's document instead of its legal entity; None when the entity does.

    The entity is known by its name, and by the identifiers of the routes that lead to it.
    """
    if record is None or not page.case.is_open:
        return None
    entity, parties = page.case.entity, record.headline.parties
    named = tuple((role, shown) for role, party in parties.items() if (shown := _shown(party)))
    if not named or any(_has_its_name(party, entity) for party in parties.values()):
        return None
    known = identifiers_of(entity)
    if any(known & {party.vat_id, *party.identifiers} for party in parties.values()):
        return None
    return Stranger(parties=named)


def _has_its_name(party: Party, entity: LegalEntity) -> bool:
    """In any spelling: N.V. is NV, and capitals and accents do not count."""
    return bool(party.name) and fold(party.name) == fold(entity.name)


def _shown(party: Party) -> str:
    return party.name or party.vat_id
