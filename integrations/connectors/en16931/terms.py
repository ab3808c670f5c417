"""The business terms of EN 16931 and where UBL 2.1 keeps them (CEN/TS 16931-3-2), with the words that people use."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from integrations.records.record import ValueKind

_T, _D, _A, _P = ValueKind.TEXT, ValueKind.DATE, ValueKind.AMOUNT, ValueKind.PERCENT
_Q, _C, _I = ValueKind.QUANTITY, ValueKind.CODE, ValueKind.IDENTIFIER


class Anchor(StrEnum):
    """The repeated part of a document that a term belongs to; its value is the path of that part."""

    DOCUMENT = "."
    PAYMENT = "cac:PaymentMeans"
    ALLOWANCE = "cac:AllowanceCharge[cbc:ChargeIndicator='false']"
    CHARGE = "cac:AllowanceCharge[cbc:ChargeIndicator='true']"
    BREAKDOWN = "cac:TaxTotal/cac:TaxSubtotal"
    LINE = "cac:InvoiceLine"


@dataclass(frozen=True, slots=True)
class Term:
    """`path` is relative to the anchor. `always` terms are offered for entry when absent, others only when present."""

    number: str
    label: str
    group: str
    kind: ValueKind
    path: str
    anchor: Anchor = Anchor.DOCUMENT
    always: bool = True
    hint: str = ""


_SELLER: Final = "cac:AccountingSupplierParty/cac:Party"
_BUYER: Final = "cac:AccountingCustomerParty/cac:Party"
_VAT: Final = "cac:PartyTaxScheme[cac:TaxScheme/cbc:ID='VAT']/cbc:CompanyID"
_TOTALS: Final = "cac:LegalMonetaryTotal"
_PLACE: Final = "cac:Delivery/cac:DeliveryLocation"
_CREDITOR: Final = "cac:PartyIdentification[cbc:ID/@schemeID='SEPA']/cbc:ID"
_ATTACHED: Final = "cac:AdditionalDocumentReference"
_EMBEDDED: Final = f"{_ATTACHED}/cac:Attachment/cbc:EmbeddedDocumentBinaryObject"
_REPRESENTATIVE: Final = "cac:TaxRepresentativeParty"
_REPRESENTATIVE_ADDRESS: Final = f"{_REPRESENTATIVE}/cac:PostalAddress"
_LINE_ALLOWANCE: Final = "cac:AllowanceCharge[cbc:ChargeIndicator='false']"
_LINE_CHARGE: Final = "cac:AllowanceCharge[cbc:ChargeIndicator='true']"
_CLASSIFICATION: Final = "cac:Item/cac:CommodityClassification/cbc:ItemClassificationCode"
_DATE_HINT: Final = "year-month-day, such as 2026-03-31"

_ROWS: Final[dict[tuple[str, Anchor], tuple[tuple[str, str, ValueKind, str], ...]]] = {
    ("Document", Anchor.DOCUMENT): (
        ("BT-1", "Invoice number", _I, "cbc:ID"),
        ("BT-2", "Issue date", _D, "cbc:IssueDate"),
        ("BT-3", "Invoice type code", _C, "cbc:InvoiceTypeCode"),
        ("BT-5", "Invoice currency code", _C, "cbc:DocumentCurrencyCode"),
        ("BT-6", "VAT accounting currency code", _C, "cbc:TaxCurrencyCode"),
        ("BT-7", "Tax point date", _D, "cbc:TaxPointDate"),
        ("BT-8", "Tax point date code", _C, "cac:InvoicePeriod/cbc:DescriptionCode"),
        ("BT-9", "Payment due date", _D, "cbc:DueDate"),
        ("BT-10", "Buyer reference", _T, "cbc:BuyerReference"),
        ("BT-11", "Project reference", _I, "cac:ProjectReference/cbc:ID"),
        ("BT-12", "Contract reference", _I, "cac:ContractDocumentReference/cbc:ID"),
        ("BT-13", "Purchase order reference", _I, "cac:OrderReference/cbc:ID"),
        ("BT-14", "Sales order reference", _I, "cac:OrderReference/cbc:SalesOrderID"),
        ("BT-15", "Receiving advice reference", _I, "cac:ReceiptDocumentReference/cbc:ID"),
        ("BT-16", "Despatch advice reference", _I, "cac:DespatchDocumentReference/cbc:ID"),
        ("BT-17", "Tender or lot reference", _I, "cac:OriginatorDocumentReference/cbc:ID"),
        ("BT-18", "Invoiced object identifier", _I, f"{_ATTACHED}[cbc:DocumentTypeCode='130']/cbc:ID"),
        ("BT-18-1", "Invoiced object identifier scheme", _C, f"{_ATTACHED}/cbc:ID/@schemeID"),
        ("BT-19", "Buyer accounting reference", _T, "cbc:AccountingCost"),
        ("BT-22", "Invoice note", _T, "cbc:Note"),
        ("BT-23", "Business process type", _I, "cbc:ProfileID"),
        ("BT-24", "Specification identifier", _I, "cbc:CustomizationID"),
        ("BT-25", "Preceding invoice number", _I, "cac:BillingReference/cac:InvoiceDocumentReference/cbc:ID"),
        ("BT-26", "Preceding invoice date", _D, "cac:BillingReference/cac:InvoiceDocumentReference/cbc:IssueDate"),
        ("BT-122", "Supporting document reference", _I, f"{_ATTACHED}/cbc:ID"),
        ("BT-123", "Supporting document description", _T, f"{_ATTACHED}/cbc:DocumentDescription"),
        ("BT-124", "External document location", _T, f"{_ATTACHED}/cac:Attachment/cac:ExternalReference/cbc:URI"),
        ("BT-125-1", "Attached document Mime code", _C, f"{_EMBEDDED}/@mimeCode"),
        ("BT-125-2", "Attached document file name", _T, f"{_EMBEDDED}/@filename"),
        ("BT-73", "Invoicing period start", _D, "cac:InvoicePeriod/cbc:StartDate"),
        ("BT-74", "Invoicing period end", _D, "cac:InvoicePeriod/cbc:EndDate"),
    ),
    ("Seller", Anchor.DOCUMENT): (
        ("BT-27", "Seller name", _T, f"{_SELLER}/cac:PartyLegalEntity/cbc:RegistrationName"),
        ("BT-28", "Seller trading name", _T, f"{_SELLER}/cac:PartyName/cbc:Name"),
        ("BT-90", "Bank assigned creditor identifier", _I, f"{_SELLER}/{_CREDITOR}"),
        ("BT-29", "Seller identifier", _I, f"{_SELLER}/cac:PartyIdentification/cbc:ID"),
        ("BT-29-1", "Seller identifier scheme", _C, f"{_SELLER}/cac:PartyIdentification/cbc:ID/@schemeID"),
        ("BT-30", "Seller legal registration identifier", _I, f"{_SELLER}/cac:PartyLegalEntity/cbc:CompanyID"),
        ("BT-30-1", "Seller legal registration scheme", _C, f"{_SELLER}/cac:PartyLegalEntity/cbc:CompanyID/@schemeID"),
        ("BT-31", "Seller VAT identifier", _I, f"{_SELLER}/{_VAT}"),
        ("BT-32", "Seller tax registration identifier", _I, f"{_SELLER}/cac:PartyTaxScheme/cbc:CompanyID"),
        ("BT-33", "Seller legal information", _T, f"{_SELLER}/cac:PartyLegalEntity/cbc:CompanyLegalForm"),
        ("BT-34", "Seller electronic address", _I, f"{_SELLER}/cbc:EndpointID"),
        ("BT-34-1", "Seller electronic address scheme", _C, f"{_SELLER}/cbc:EndpointID/@schemeID"),
        ("BT-35", "Seller address line 1", _T, f"{_SELLER}/cac:PostalAddress/cbc:StreetName"),
        ("BT-36", "Seller address line 2", _T, f"{_SELLER}/cac:PostalAddress/cbc:AdditionalStreetName"),
        ("BT-162", "Seller address line 3", _T, f"{_SELLER}/cac:PostalAddress/cac:AddressLine/cbc:Line"),
        ("BT-37", "Seller city", _T, f"{_SELLER}/cac:PostalAddress/cbc:CityName"),
        ("BT-38", "Seller post code", _T, f"{_SELLER}/cac:PostalAddress/cbc:PostalZone"),
        ("BT-39", "Seller country subdivision", _T, f"{_SELLER}/cac:PostalAddress/cbc:CountrySubentity"),
        ("BT-40", "Seller country code", _C, f"{_SELLER}/cac:PostalAddress/cac:Country/cbc:IdentificationCode"),
        ("BT-41", "Seller contact point", _T, f"{_SELLER}/cac:Contact/cbc:Name"),
        ("BT-42", "Seller contact telephone", _T, f"{_SELLER}/cac:Contact/cbc:Telephone"),
        ("BT-43", "Seller contact e-mail", _T, f"{_SELLER}/cac:Contact/cbc:ElectronicMail"),
    ),
    ("Buyer", Anchor.DOCUMENT): (
        ("BT-44", "Buyer name", _T, f"{_BUYER}/cac:PartyLegalEntity/cbc:RegistrationName"),
        ("BT-45", "Buyer trading name", _T, f"{_BUYER}/cac:PartyName/cbc:Name"),
        ("BT-46", "Buyer identifier", _I, f"{_BUYER}/cac:PartyIdentification/cbc:ID"),
        ("BT-46-1", "Buyer identifier scheme", _C, f"{_BUYER}/cac:PartyIdentification/cbc:ID/@schemeID"),
        ("BT-47", "Buyer legal registration identifier", _I, f"{_BUYER}/cac:PartyLegalEntity/cbc:CompanyID"),
        ("BT-47-1", "Buyer legal registration scheme", _C, f"{_BUYER}/cac:PartyLegalEntity/cbc:CompanyID/@schemeID"),
        ("BT-48", "Buyer VAT identifier", _I, f"{_BUYER}/{_VAT}"),
        ("BT-49", "Buyer electronic address", _I, f"{_BUYER}/cbc:EndpointID"),
        ("BT-49-1", "Buyer electronic address scheme", _C, f"{_BUYER}/cbc:EndpointID/@schemeID"),
        ("BT-50", "Buyer address line 1", _T, f"{_BUYER}/cac:PostalAddress/cbc:StreetName"),
        ("BT-51", "Buyer address line 2", _T, f"{_BUYER}/cac:PostalAddress/cbc:AdditionalStreetName"),
        ("BT-163", "Buyer address line 3", _T, f"{_BUYER}/cac:PostalAddress/cac:AddressLine/cbc:Line"),
        ("BT-52", "Buyer city", _T, f"{_BUYER}/cac:PostalAddress/cbc:CityName"),
        ("BT-53", "Buyer post code", _T, f"{_BUYER}/cac:PostalAddress/cbc:PostalZone"),
        ("BT-54", "Buyer country subdivision", _T, f"{_BUYER}/cac:PostalAddress/cbc:CountrySubentity"),
        ("BT-55", "Buyer country code", _C, f"{_BUYER}/cac:PostalAddress/cac:Country/cbc:IdentificationCode"),
        ("BT-56", "Buyer contact point", _T, f"{_BUYER}/cac:Contact/cbc:Name"),
        ("BT-57", "Buyer contact telephone", _T, f"{_BUYER}/cac:Contact/cbc:Telephone"),
        ("BT-58", "Buyer contact e-mail", _T, f"{_BUYER}/cac:Contact/cbc:ElectronicMail"),
    ),
    ("Delivery", Anchor.DOCUMENT): (
        ("BT-70", "Deliver to party name", _T, "cac:Delivery/cac:DeliveryParty/cac:PartyName/cbc:Name"),
        ("BT-71", "Deliver to location identifier", _I, f"{_PLACE}/cbc:ID"),
        ("BT-71-1", "Deliver to location identifier scheme", _C, f"{_PLACE}/cbc:ID/@schemeID"),
        ("BT-72", "Actual delivery date", _D, "cac:Delivery/cbc:ActualDeliveryDate"),
        ("BT-75", "Deliver to address line 1", _T, f"{_PLACE}/cac:Address/cbc:StreetName"),
        ("BT-76", "Deliver to address line 2", _T, f"{_PLACE}/cac:Address/cbc:AdditionalStreetName"),
        ("BT-165", "Deliver to address line 3", _T, f"{_PLACE}/cac:Address/cac:AddressLine/cbc:Line"),
        ("BT-77", "Deliver to city", _T, f"{_PLACE}/cac:Address/cbc:CityName"),
        ("BT-78", "Deliver to post code", _T, f"{_PLACE}/cac:Address/cbc:PostalZone"),
        ("BT-79", "Deliver to country subdivision", _T, f"{_PLACE}/cac:Address/cbc:CountrySubentity"),
        ("BT-80", "Deliver to country code", _C, f"{_PLACE}/cac:Address/cac:Country/cbc:IdentificationCode"),
    ),
    ("Payment", Anchor.PAYMENT): (
        ("BT-81", "Payment means type code", _C, "cbc:PaymentMeansCode"),
        ("BT-82", "Payment means text", _T, "cbc:PaymentMeansCode/@name"),
        ("BT-83", "Remittance information", _T, "cbc:PaymentID"),
        ("BT-84", "Payment account identifier", _I, "cac:PayeeFinancialAccount/cbc:ID"),
        ("BT-85", "Payment account name", _T, "cac:PayeeFinancialAccount/cbc:Name"),
        ("BT-86", "Payment service provider", _I, "cac:PayeeFinancialAccount/cac:FinancialInstitutionBranch/cbc:ID"),
        ("BT-87", "Payment card number", _I, "cac:CardAccount/cbc:PrimaryAccountNumberID"),
        ("BT-88", "Payment card holder", _T, "cac:CardAccount/cbc:HolderName"),
        ("BT-89", "Mandate reference", _I, "cac:PaymentMandate/cbc:ID"),
        ("BT-91", "Debited account identifier", _I, "cac:PaymentMandate/cac:PayerFinancialAccount/cbc:ID"),
    ),
    ("Payment", Anchor.DOCUMENT): (("BT-20", "Payment terms", _T, "cac:PaymentTerms/cbc:Note"),),
    ("Payee", Anchor.DOCUMENT): (
        ("BT-59", "Payee name", _T, "cac:PayeeParty/cac:PartyName/cbc:Name"),
        ("BT-60", "Payee identifier", _I, "cac:PayeeParty/cac:PartyIdentification/cbc:ID"),
        ("BT-60-1", "Payee identifier scheme", _C, "cac:PayeeParty/cac:PartyIdentification/cbc:ID/@schemeID"),
        ("BT-61", "Payee legal registration identifier", _I, "cac:PayeeParty/cac:PartyLegalEntity/cbc:CompanyID"),
        (
            "BT-61-1",
            "Payee legal registration scheme",
            _C,
            "cac:PayeeParty/cac:PartyLegalEntity/cbc:CompanyID/@schemeID",
        ),
    ),
    ("Tax representative", Anchor.DOCUMENT): (
        ("BT-62", "Tax representative name", _T, f"{_REPRESENTATIVE}/cac:PartyName/cbc:Name"),
        ("BT-63", "Tax representative VAT identifier", _I, f"{_REPRESENTATIVE}/{_VAT}"),
        ("BT-64", "Tax representative address line 1", _T, f"{_REPRESENTATIVE_ADDRESS}/cbc:StreetName"),
        ("BT-65", "Tax representative address line 2", _T, f"{_REPRESENTATIVE_ADDRESS}/cbc:AdditionalStreetName"),
        ("BT-164", "Tax representative address line 3", _T, f"{_REPRESENTATIVE_ADDRESS}/cac:AddressLine/cbc:Line"),
        ("BT-66", "Tax representative city", _T, f"{_REPRESENTATIVE_ADDRESS}/cbc:CityName"),
        ("BT-67", "Tax representative post code", _T, f"{_REPRESENTATIVE_ADDRESS}/cbc:PostalZone"),
        ("BT-68", "Tax representative country subdivision", _T, f"{_REPRESENTATIVE_ADDRESS}/cbc:CountrySubentity"),
        (
            "BT-69",
            "Tax representative country code",
            _C,
            f"{_REPRESENTATIVE_ADDRESS}/cac:Country/cbc:IdentificationCode",
        ),
    ),
    ("Allowance", Anchor.ALLOWANCE): (
        ("BT-92", "Document level allowance amount", _A, "cbc:Amount"),
        ("BT-93", "Document level allowance base amount", _A, "cbc:BaseAmount"),
        ("BT-94", "Document level allowance percentage", _P, "cbc:MultiplierFactorNumeric"),
        ("BT-95", "Document level allowance VAT category code", _C, "cac:TaxCategory/cbc:ID"),
        ("BT-96", "Document level allowance VAT rate", _P, "cac:TaxCategory/cbc:Percent"),
        ("BT-97", "Document level allowance reason", _T, "cbc:AllowanceChargeReason"),
        ("BT-98", "Document level allowance reason code", _C, "cbc:AllowanceChargeReasonCode"),
    ),
    ("Charge", Anchor.CHARGE): (
        ("BT-99", "Document level charge amount", _A, "cbc:Amount"),
        ("BT-100", "Document level charge base amount", _A, "cbc:BaseAmount"),
        ("BT-101", "Document level charge percentage", _P, "cbc:MultiplierFactorNumeric"),
        ("BT-102", "Document level charge VAT category code", _C, "cac:TaxCategory/cbc:ID"),
        ("BT-103", "Document level charge VAT rate", _P, "cac:TaxCategory/cbc:Percent"),
        ("BT-104", "Document level charge reason", _T, "cbc:AllowanceChargeReason"),
        ("BT-105", "Document level charge reason code", _C, "cbc:AllowanceChargeReasonCode"),
    ),
    ("Totals", Anchor.DOCUMENT): (
        ("BT-106", "Sum of invoice line net amounts", _A, f"{_TOTALS}/cbc:LineExtensionAmount"),
        ("BT-107", "Sum of allowances on document level", _A, f"{_TOTALS}/cbc:AllowanceTotalAmount"),
        ("BT-108", "Sum of charges on document level", _A, f"{_TOTALS}/cbc:ChargeTotalAmount"),
        ("BT-109", "Invoice total amount without VAT", _A, f"{_TOTALS}/cbc:TaxExclusiveAmount"),
        ("BT-110", "Invoice total VAT amount", _A, "cac:TaxTotal/cbc:TaxAmount"),
        ("BT-111", "Invoice total VAT amount in accounting currency", _A, "cac:TaxTotal/cbc:TaxAmount"),
        ("BT-112", "Invoice total amount with VAT", _A, f"{_TOTALS}/cbc:TaxInclusiveAmount"),
        ("BT-113", "Paid amount", _A, f"{_TOTALS}/cbc:PrepaidAmount"),
        ("BT-114", "Rounding amount", _A, f"{_TOTALS}/cbc:PayableRoundingAmount"),
        ("BT-115", "Amount due for payment", _A, f"{_TOTALS}/cbc:PayableAmount"),
    ),
    ("VAT breakdown", Anchor.BREAKDOWN): (
        ("BT-116", "VAT category taxable amount", _A, "cbc:TaxableAmount"),
        ("BT-117", "VAT category tax amount", _A, "cbc:TaxAmount"),
        ("BT-118", "VAT category code", _C, "cac:TaxCategory/cbc:ID"),
        ("BT-119", "VAT category rate", _P, "cac:TaxCategory/cbc:Percent"),
        ("BT-120", "VAT exemption reason text", _T, "cac:TaxCategory/cbc:TaxExemptionReason"),
        ("BT-121", "VAT exemption reason code", _C, "cac:TaxCategory/cbc:TaxExemptionReasonCode"),
    ),
    ("Line", Anchor.LINE): (
        ("BT-126", "Invoice line identifier", _I, "cbc:ID"),
        ("BT-153", "Item name", _T, "cac:Item/cbc:Name"),
        ("BT-154", "Item description", _T, "cac:Item/cbc:Description"),
        ("BT-129", "Invoiced quantity", _Q, "cbc:InvoicedQuantity"),
        ("BT-130", "Quantity unit of measure code", _C, "cbc:InvoicedQuantity/@unitCode"),
        ("BT-146", "Item net price", _A, "cac:Price/cbc:PriceAmount"),
        ("BT-149", "Item price base quantity", _Q, "cac:Price/cbc:BaseQuantity"),
        ("BT-150", "Item price base quantity unit", _C, "cac:Price/cbc:BaseQuantity/@unitCode"),
        ("BT-131", "Invoice line net amount", _A, "cbc:LineExtensionAmount"),
        ("BT-151", "Invoiced item VAT category code", _C, "cac:Item/cac:ClassifiedTaxCategory/cbc:ID"),
        ("BT-152", "Invoiced item VAT rate", _P, "cac:Item/cac:ClassifiedTaxCategory/cbc:Percent"),
        ("BT-127", "Invoice line note", _T, "cbc:Note"),
        ("BT-128", "Invoice line object identifier", _I, "cac:DocumentReference/cbc:ID"),
        ("BT-128-1", "Invoice line object identifier scheme", _C, "cac:DocumentReference/cbc:ID/@schemeID"),
        ("BT-132", "Purchase order line reference", _I, "cac:OrderLineReference/cbc:LineID"),
        ("BT-133", "Invoice line accounting reference", _T, "cbc:AccountingCost"),
        ("BT-134", "Invoice line period start", _D, "cac:InvoicePeriod/cbc:StartDate"),
        ("BT-135", "Invoice line period end", _D, "cac:InvoicePeriod/cbc:EndDate"),
        ("BT-136", "Invoice line allowance amount", _A, f"{_LINE_ALLOWANCE}/cbc:Amount"),
        ("BT-137", "Invoice line allowance base amount", _A, f"{_LINE_ALLOWANCE}/cbc:BaseAmount"),
        ("BT-138", "Invoice line allowance percentage", _P, f"{_LINE_ALLOWANCE}/cbc:MultiplierFactorNumeric"),
        ("BT-139", "Invoice line allowance reason", _T, f"{_LINE_ALLOWANCE}/cbc:AllowanceChargeReason"),
        ("BT-140", "Invoice line allowance reason code", _C, f"{_LINE_ALLOWANCE}/cbc:AllowanceChargeReasonCode"),
        ("BT-141", "Invoice line charge amount", _A, f"{_LINE_CHARGE}/cbc:Amount"),
        ("BT-142", "Invoice line charge base amount", _A, f"{_LINE_CHARGE}/cbc:BaseAmount"),
        ("BT-143", "Invoice line charge percentage", _P, f"{_LINE_CHARGE}/cbc:MultiplierFactorNumeric"),
        ("BT-144", "Invoice line charge reason", _T, f"{_LINE_CHARGE}/cbc:AllowanceChargeReason"),
        ("BT-145", "Invoice line charge reason code", _C, f"{_LINE_CHARGE}/cbc:AllowanceChargeReasonCode"),
        ("BT-147", "Item price discount", _A, "cac:Price/cac:AllowanceCharge/cbc:Amount"),
        ("BT-148", "Item gross price", _A, "cac:Price/cac:AllowanceCharge/cbc:BaseAmount"),
        ("BT-155", "Item seller's identifier", _I, "cac:Item/cac:SellersItemIdentification/cbc:ID"),
        ("BT-156", "Item buyer's identifier", _I, "cac:Item/cac:BuyersItemIdentification/cbc:ID"),
        ("BT-157", "Item standard identifier", _I, "cac:Item/cac:StandardItemIdentification/cbc:ID"),
        ("BT-157-1", "Item standard identifier scheme", _C, "cac:Item/cac:StandardItemIdentification/cbc:ID/@schemeID"),
        ("BT-158", "Item classification", _I, _CLASSIFICATION),
        ("BT-158-1", "Item classification scheme", _C, f"{_CLASSIFICATION}/@listID"),
        ("BT-158-2", "Item classification scheme version", _C, f"{_CLASSIFICATION}/@listVersionID"),
        ("BT-159", "Item country of origin", _C, "cac:Item/cac:OriginCountry/cbc:IdentificationCode"),
        ("BT-160", "Item attribute name", _T, "cac:Item/cac:AdditionalItemProperty/cbc:Name"),
        ("BT-161", "Item attribute value", _T, "cac:Item/cac:AdditionalItemProperty/cbc:Value"),
    ),
}

_DOCUMENT_ONLY_WHEN_PRESENT: Final = (
    "6 7 8 11 12 14 15 16 17 18 18-1 23 25 26 29-1 30-1 32 33 36 39 45 46-1 47-1 51 54 59 60 60-1 61 61-1 62 63 64 65 "
    "66 67 68 69 70 71 71-1 75 76 77 78 79 82 87 88 89 90 91 122 123 124 125-1 125-2 162 163 164 165"
)
_LINE_ONLY_WHEN_PRESENT: Final = (
    "127 128 128-1 132 133 134 135 136 137 138 139 140 141 142 143 144 145 147 148 149 150 154 155 156 157 157-1 158 "
    "158-1 158-2 159 160 161"
)
_ONLY_WHEN_PRESENT: Final = frozenset(
    f"BT-{number}" for row in (_DOCUMENT_ONLY_WHEN_PRESENT, _LINE_ONLY_WHEN_PRESENT) for number in row.split()
)
_CREDIT_NOTE_PATHS: Final = {
    "BT-3": "cbc:CreditNoteTypeCode",
    "BT-9": "cac:PaymentMeans/cbc:PaymentDueDate",
    "BT-11": "cac:AdditionalDocumentReference[cbc:DocumentTypeCode='50']/cbc:ID",
    "BT-129": "cbc:CreditedQuantity",
    "BT-130": "cbc:CreditedQuantity/@unitCode",
}
_CREDIT_NOTE_LABELS: Final = {
    "BT-1": "Credit note number",
    "BT-3": "Credit note type code",
    "BT-129": "Credited quantity",
}


def _terms(*, credit_note: bool) -> dict[str, Term]:
    terms: dict[str, Term] = {}
    for (group, anchor), rows in _ROWS.items():
        for number, label, kind, path in rows:
            terms[number] = Term(
                number=number,
                label=_CREDIT_NOTE_LABELS.get(number, label) if credit_note else label,
                group=group,
                kind=kind,
                path=_CREDIT_NOTE_PATHS.get(number, path) if credit_note else path,
                anchor=anchor,
                always=number not in _ONLY_WHEN_PRESENT,
                hint=_DATE_HINT if kind is _D else "",
            )
    return terms


INVOICE_TERMS: Final = _terms(credit_note=False)
CREDIT_NOTE_TERMS: Final = _terms(credit_note=True)
