"""What the ERP's messages about master data mean: the category, one sentence in a clerk's words, and what to do.

Class ZMD is the installation's own for master data; the rest are those of postings.
"""

from collections.abc import Iterator
from typing import Final

from integrations.connectors.erp import codes as postings
from integrations.connectors.erp.codes import Meaning
from integrations.refusals import Category

_MASTER, _BUSINESS = Category.MASTER_DATA, Category.BUSINESS_VALIDATION

_MEANINGS: Final[dict[str, Meaning]] = {
    "ZMD/001": Meaning(Category.SCHEMA, "not_a_partner", "The ERP could not read the partner."),
    "ZMD/002": Meaning(_BUSINESS, "required", "A field that must be filled is empty."),
    "ZMD/020": Meaning(_MASTER, "unknown_country", "The ERP does not know the country.", "country"),
    "ZMD/030": Meaning(_MASTER, "unknown_payment_terms", "The ERP does not know the payment terms.", "payment_terms"),
    "ZMD/040": Meaning(_BUSINESS, "iban", "The IBAN is not valid: a digit is wrong, or two are exchanged.", "iban"),
    "ZMD/041": Meaning(_BUSINESS, "vat_country", "The VAT identifier belongs to another country.", "vat_id"),
    "ZMD/070": Meaning(Category.DUPLICATE, "already_processed", "The ERP says that it has this already.", "id"),
    "ZMD/071": Meaning(
        Category.SEQUENCING, "changed_meanwhile", "Somebody changed the partner since this was prepared.", "version"
    ),
    "ZMD/080": Meaning(
        Category.POLICY_HOLD, "bank_account", "The bank account of a partner who is known already is changed.", "iban"
    ),
}
_REMEDIES: Final = {
    "unknown_country": "Enter the country's two letters of ISO 3166, such as NL.",
    "unknown_payment_terms": "Choose payment terms that the ERP has, or have them set up there.",
    "iban": "Compare the account with the partner's letter or contract and correct it.",
    "vat_country": "Correct the VAT identifier, or the country.",
    "changed_meanwhile": "Look at what the ERP has now; then enter its version, or leave this one out.",
    "bank_account": "Call the partner under a number that you know already, and release it only then.",
}
_FOUND: Final = frozenset({"iban", "vat_country", "unknown_country"})


def meaning_of(code: str) -> Meaning | None:
    """The meaning of a code, written ZMD/040 or ZMD-040; None when it is not listed."""
    return _MEANINGS.get(code.strip().upper().replace("-", "/")) or postings.meaning_of(code)


def remedy_of(code: str) -> str:
    """What a person does about a code; empty for one that is not listed."""
    meaning = meaning_of(code)
    return (_REMEDIES.get(meaning.sub) or postings.remedy_of(code)) if meaning is not None else ""


def is_found_by_our_check(code: str) -> bool:
    """Whether the check here would find it again; what is set up in the ERP only the ERP knows."""
    meaning = meaning_of(code)
    return meaning is not None and meaning.sub in _FOUND


def sentences() -> Iterator[str]:
    """Each sentence about a code and what to do about it, for a catalogue of other languages."""
    yield from (meaning.plain for meaning in _MEANINGS.values())
    yield from _REMEDIES.values()
