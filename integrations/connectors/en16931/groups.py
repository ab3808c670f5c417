"""The business groups of EN 16931, for what is no business term itself: a place in UBL as the group around it."""

from dataclasses import dataclass
from typing import Final

from lxml import etree


@dataclass(frozen=True, slots=True)
class Group:
    """`number` as in BG-13; `leading` is the term that best stands for the group where a group is missing."""

    number: str
    label: str
    leading: str


_PARTY: Final = "AccountingSupplierParty/Party"
_CUSTOMER: Final = "AccountingCustomerParty/Party"

_GROUPS: Final[dict[str, Group]] = {
    "Note": Group("BG-1", "Invoice note", "BT-22"),
    "BillingReference": Group("BG-3", "Preceding invoice reference", "BT-25"),
    "AccountingSupplierParty": Group("BG-4", "Seller", "BT-27"),
    f"{_PARTY}/PostalAddress": Group("BG-5", "Seller postal address", "BT-40"),
    f"{_PARTY}/Contact": Group("BG-6", "Seller contact", "BT-41"),
    "AccountingCustomerParty": Group("BG-7", "Buyer", "BT-44"),
    f"{_CUSTOMER}/PostalAddress": Group("BG-8", "Buyer postal address", "BT-55"),
    f"{_CUSTOMER}/Contact": Group("BG-9", "Buyer contact", "BT-56"),
    "PayeeParty": Group("BG-10", "Payee", "BT-59"),
    "TaxRepresentativeParty": Group("BG-11", "Tax representative", "BT-62"),
    "TaxRepresentativeParty/PostalAddress": Group("BG-12", "Tax representative postal address", "BT-69"),
    "Delivery": Group("BG-13", "Delivery", "BT-72"),
    "InvoicePeriod": Group("BG-14", "Invoicing period", "BT-73"),
    "Delivery/DeliveryLocation/Address": Group("BG-15", "Delivery address", "BT-80"),
    "PaymentMeans": Group("BG-16", "Payment instructions", "BT-81"),
    "PaymentMeans/PayeeFinancialAccount": Group("BG-17", "Credit transfer", "BT-84"),
    "PaymentMeans/CardAccount": Group("BG-18", "Payment card", "BT-87"),
    "PaymentMeans/PaymentMandate": Group("BG-19", "Direct debit", "BT-89"),
    "AllowanceCharge": Group("BG-20", "Document level allowance", "BT-92"),
    "LegalMonetaryTotal": Group("BG-22", "Document totals", "BT-112"),
    "TaxTotal": Group("BG-23", "VAT breakdown", "BT-118"),
    "AdditionalDocumentReference": Group("BG-24", "Supporting document", "BT-122"),
    "Line": Group("BG-25", "Invoice line", "BT-126"),
    "Line/InvoicePeriod": Group("BG-26", "Invoice line period", "BT-134"),
    "Line/AllowanceCharge": Group("BG-27", "Invoice line allowance", "BT-136"),
    "Line/Price": Group("BG-29", "Price", "BT-146"),
    "Line/Item/ClassifiedTaxCategory": Group("BG-30", "Line VAT information", "BT-151"),
    "Line/Item": Group("BG-31", "Item", "BT-153"),
    "Line/Item/AdditionalItemProperty": Group("BG-32", "Item attribute", "BT-160"),
}
_CHARGES: Final = {
    "BG-20": Group("BG-21", "Document level charge", "BT-99"),
    "BG-27": Group("BG-28", "Invoice line charge", "BT-141"),
}
_PROCESS: Final = Group("BG-2", "Process control", "BT-24")
_LEADING: Final = {group.number: group.leading for group in (*_GROUPS.values(), *_CHARGES.values(), _PROCESS)}


def leading_term(number: str) -> str:
    """The term that stands for a group, empty for a number that the standard does not have."""
    return _LEADING.get(number, "")


def group_of(element: etree._Element) -> Group | None:
    """The innermost group around an element, None for what belongs to the document as a whole."""
    steps = [etree.QName(node).localname for node in (element, *element.iterancestors())][-2::-1]
    steps = ["Line" if index == 0 and step.endswith("Line") else step for index, step in enumerate(steps)]
    for count in range(len(steps), 0, -1):
        group = _GROUPS.get("/".join(steps[:count]))
        if group is not None:
            return _CHARGES[group.number] if group.number in _CHARGES and _is_charge(element) else group
    return None


def _is_charge(element: etree._Element) -> bool:
    row = next(node for node in (element, *element.iterancestors()) if etree.QName(node).localname == "AllowanceCharge")
    indicator = row.find("{*}ChargeIndicator")
    return indicator is not None and (indicator.text or "").strip() in ("true", "1")
