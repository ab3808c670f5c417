"""What the simulated authority receives: UBL documents, parsed defensively and known by seller and number."""

import hashlib
from dataclasses import dataclass

from lxml import etree

CAC = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
CBC = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
ROOTS = (
    "{urn:oasis:names:specification:ubl:schema:xsd:Invoice-2}Invoice",
    "{urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2}CreditNote",
)
_NAMESPACES = {"cac": CAC, "cbc": CBC}
_SELLER = "/*/cac:AccountingSupplierParty/cac:Party"
_FOR_VAT = "translate(normalize-space(cac:TaxScheme/cbc:ID), 'vat', 'VAT') = 'VAT'"
# BT-31, BT-30, BT-29, BT-27: the first that is present names the seller. SEPA marks the creditor identifier BT-90.
_SELLER_IDENTIFIERS = (
    f"{_SELLER}/cac:PartyTaxScheme[{_FOR_VAT}]/cbc:CompanyID",
    f"{_SELLER}/cac:PartyLegalEntity/cbc:CompanyID",
    f"{_SELLER}/cac:PartyIdentification/cbc:ID[not(@schemeID = 'SEPA')]",
    f"{_SELLER}/cac:PartyLegalEntity/cbc:RegistrationName",
)


class DocumentRefused(Exception):
    """Bytes that are no document at all; `code` is what the authority answers."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Document:
    number: str
    seller: str
    sha256: str
    text: str  # as parsed: no DOCTYPE, no encoding declaration

    @property
    def business_key(self) -> str:
        return f"{self.seller}|{self.number}"


def read_document(body: bytes) -> Document:
    """Parse and identify. Raises DocumentRefused for what is not a UBL invoice or credit note."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise DocumentRefused("NOT_XML", f"The body is not well-formed XML: {error}") from None
    docinfo = root.getroottree().docinfo
    if docinfo.internalDTD is not None:
        raise DocumentRefused("DOCTYPE_FORBIDDEN", "A document type declaration is not allowed.")
    if root.tag not in ROOTS:
        raise DocumentRefused(
            "NOT_AN_INVOICE", f"The root element {root.tag} is neither Invoice nor CreditNote of UBL 2."
        )
    return Document(
        number=_first_text(root, "/*/cbc:ID"),
        seller=_seller_of(root),
        sha256=hashlib.sha256(body).hexdigest(),
        text=etree.tostring(root, encoding="unicode"),
    )


def _seller_of(root: etree._Element) -> str:
    for path in _SELLER_IDENTIFIERS:
        if text := "".join(_first_text(root, path).split()).upper():
            return text
    return ""


def _first_text(root: etree._Element, path: str) -> str:
    found = root.xpath(f"string({path}[normalize-space()])", namespaces=_NAMESPACES)
    return str(found).strip()
