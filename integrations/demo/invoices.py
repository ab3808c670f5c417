"""UBL 2.1 invoices and credit notes after EN 16931, from a plan. Pure: the same plan gives the same bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import cast

from lxml import etree

from integrations.demo.companies import Company

CAC = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
CBC = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
_SPECIFICATION = "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0"
_PROFILE = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Vat:
    """A VAT category (UNCL5305) with its rate in percent; a category without VAT says why."""

    category: str
    rate: Decimal
    reason: str = ""
    reason_code: str = ""


@dataclass(frozen=True, slots=True)
class LinePlan:
    name: str
    quantity: Decimal
    unit: str  # UN/ECE Recommendation 20
    price: Decimal  # net, for one unit
    vat: Vat

    @property
    def net(self) -> Decimal:
        return _rounded(self.quantity * self.price)


@dataclass(frozen=True, slots=True)
class InvoicePlan:
    number: str
    issue_date: date
    due_date: date
    delivery_date: date
    seller: Company
    buyer: Company
    currency: str
    lines: tuple[LinePlan, ...]
    order: str
    terms: str
    allowance: Decimal = Decimal(0)  # on the whole document, at the VAT of the first line
    prepaid: Decimal = Decimal(0)
    euro_rate: Decimal | None = None  # euro for one unit of the currency, when it is another
    corrects: tuple[str, date] | None = None  # number and date of the invoice that a credit note corrects

    @property
    def is_credit_note(self) -> bool:
        return self.corrects is not None

    @property
    def net_lines(self) -> Decimal:
        return sum((line.net for line in self.lines), Decimal(0))

    @property
    def vat_breakdown(self) -> dict[Vat, Decimal]:
        """The amount that each VAT rate applies to, in the order of the lines."""
        taxable: dict[Vat, Decimal] = {}
        for line in self.lines:
            taxable[line.vat] = taxable.get(line.vat, Decimal(0)) + line.net
        taxable[self.lines[0].vat] -= self.allowance
        return taxable

    @property
    def total_vat(self) -> Decimal:
        return sum((_vat_on(taxable, vat) for vat, taxable in self.vat_breakdown.items()), Decimal(0))

    @property
    def total_with_vat(self) -> Decimal:
        return self.net_lines - self.allowance + self.total_vat


def build_invoice(plan: InvoicePlan) -> bytes:
    """The document as UTF-8 XML, in the order of elements that the UBL schema asks for."""
    kind = "CreditNote" if plan.is_credit_note else "Invoice"
    namespaces = {None: f"{_UBL}{kind}-2", "cac": CAC, "cbc": CBC}
    root = etree.Element(f"{{{_UBL}{kind}-2}}{kind}", nsmap=cast(dict[str, str], namespaces))
    _put_header(root, plan, kind)
    _put_seller(_put(root, "cac:AccountingSupplierParty"), plan.seller)
    _put_party(_put(root, "cac:AccountingCustomerParty"), plan.buyer)
    _put_delivery(root, plan)
    _put_payment(root, plan)
    _put_allowance(root, plan)
    _put_vat(root, plan)
    _put_totals(root, plan)
    for position, line in enumerate(plan.lines, start=1):
        _put_line(root, plan, position, line)
    etree.indent(root)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8") + b"\n"


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)


def _vat_on(taxable: Decimal, vat: Vat) -> Decimal:
    return _rounded(taxable * vat.rate / 100)


def _put(
    parent: etree._Element, name: str, text: str | Decimal | date | None = None, /, **attributes: str
) -> etree._Element:
    prefix, _, local = name.partition(":")
    element = etree.SubElement(parent, f"{{{CAC if prefix == 'cac' else CBC}}}{local}", attributes)
    if text is not None:
        element.text = str(text)
    return element


def _put_amount(parent: etree._Element, name: str, amount: Decimal, currency: str) -> None:
    _put(parent, name, _rounded(amount), currencyID=currency)


def _put_header(root: etree._Element, plan: InvoicePlan, kind: str) -> None:
    _put(root, "cbc:CustomizationID", _SPECIFICATION)
    _put(root, "cbc:ProfileID", _PROFILE)
    _put(root, "cbc:ID", plan.number)
    _put(root, "cbc:IssueDate", plan.issue_date)
    if not plan.is_credit_note:
        _put(root, "cbc:DueDate", plan.due_date)
    _put(root, f"cbc:{kind}TypeCode", "381" if plan.is_credit_note else "380")
    _put(root, "cbc:DocumentCurrencyCode", plan.currency)
    if plan.euro_rate is not None:
        _put(root, "cbc:TaxCurrencyCode", "EUR")
    _put(root, "cbc:BuyerReference", f"{plan.buyer.country}-{plan.order[-4:]}")
    _put(_put(root, "cac:OrderReference"), "cbc:ID", plan.order)
    if plan.corrects is not None:
        reference = _put(_put(root, "cac:BillingReference"), "cac:InvoiceDocumentReference")
        _put(reference, "cbc:ID", plan.corrects[0])
        _put(reference, "cbc:IssueDate", plan.corrects[1])


def _put_seller(parent: etree._Element, seller: Company) -> None:
    contact = _put(_put_party(parent, seller), "cac:Contact")
    _put(contact, "cbc:Name", seller.contact)
    _put(contact, "cbc:ElectronicMail", seller.mail)


def _put_party(parent: etree._Element, company: Company) -> etree._Element:
    party = _put(parent, "cac:Party")
    address_id, scheme_id = company.endpoint
    _put(party, "cbc:EndpointID", address_id, schemeID=scheme_id)
    _put(_put(party, "cac:PartyName"), "cbc:Name", company.name)
    address = _put(party, "cac:PostalAddress")
    _put(address, "cbc:StreetName", company.street)
    _put(address, "cbc:CityName", company.city)
    _put(address, "cbc:PostalZone", company.postcode)
    _put(_put(address, "cac:Country"), "cbc:IdentificationCode", company.country)
    scheme = _put(party, "cac:PartyTaxScheme")
    _put(scheme, "cbc:CompanyID", company.vat_id)
    _put(_put(scheme, "cac:TaxScheme"), "cbc:ID", "VAT")
    entity = _put(party, "cac:PartyLegalEntity")
    _put(entity, "cbc:RegistrationName", company.name)
    _put(entity, "cbc:CompanyID", company.legal_id, **_scheme(company.legal_scheme))
    return party


def _scheme(code: str) -> Mapping[str, str]:
    return {"schemeID": code} if code else {}


def _put_delivery(root: etree._Element, plan: InvoicePlan) -> None:
    delivery = _put(root, "cac:Delivery")
    _put(delivery, "cbc:ActualDeliveryDate", plan.delivery_date)
    address = _put(_put(delivery, "cac:DeliveryLocation"), "cac:Address")
    _put(address, "cbc:StreetName", plan.buyer.street)
    _put(address, "cbc:CityName", plan.buyer.city)
    _put(address, "cbc:PostalZone", plan.buyer.postcode)
    _put(_put(address, "cac:Country"), "cbc:IdentificationCode", plan.buyer.country)


def _put_payment(root: etree._Element, plan: InvoicePlan) -> None:
    means = _put(root, "cac:PaymentMeans")
    _put(means, "cbc:PaymentMeansCode", "30", name="Credit transfer")
    if plan.is_credit_note:
        _put(means, "cbc:PaymentDueDate", plan.due_date)
    _put(means, "cbc:PaymentID", plan.number)
    account = _put(means, "cac:PayeeFinancialAccount")
    _put(account, "cbc:ID", plan.seller.iban)
    _put(account, "cbc:Name", plan.seller.name)
    _put(_put(root, "cac:PaymentTerms"), "cbc:Note", plan.terms)


def _put_allowance(root: etree._Element, plan: InvoicePlan) -> None:
    if not plan.allowance:
        return
    allowance = _put(root, "cac:AllowanceCharge")
    _put(allowance, "cbc:ChargeIndicator", "false")
    _put(allowance, "cbc:AllowanceChargeReasonCode", "95")
    _put(allowance, "cbc:AllowanceChargeReason", "Volume discount")
    _put_amount(allowance, "cbc:Amount", plan.allowance, plan.currency)
    _put_vat_category(allowance, "cac:TaxCategory", plan.lines[0].vat)


def _put_vat(root: etree._Element, plan: InvoicePlan) -> None:
    total = _put(root, "cac:TaxTotal")
    _put_amount(total, "cbc:TaxAmount", plan.total_vat, plan.currency)
    for vat, taxable in plan.vat_breakdown.items():
        subtotal = _put(total, "cac:TaxSubtotal")
        _put_amount(subtotal, "cbc:TaxableAmount", taxable, plan.currency)
        _put_amount(subtotal, "cbc:TaxAmount", _vat_on(taxable, vat), plan.currency)
        _put_vat_category(subtotal, "cac:TaxCategory", vat, with_reason=True)
    if plan.euro_rate is not None:
        _put_amount(_put(root, "cac:TaxTotal"), "cbc:TaxAmount", plan.total_vat * plan.euro_rate, "EUR")


def _put_vat_category(parent: etree._Element, name: str, vat: Vat, *, with_reason: bool = False) -> None:
    category = _put(parent, name)
    _put(category, "cbc:ID", vat.category)
    _put(category, "cbc:Percent", vat.rate)
    if with_reason and vat.reason:
        _put(category, "cbc:TaxExemptionReasonCode", vat.reason_code)
        _put(category, "cbc:TaxExemptionReason", vat.reason)
    _put(_put(category, "cac:TaxScheme"), "cbc:ID", "VAT")


def _put_totals(root: etree._Element, plan: InvoicePlan) -> None:
    totals = _put(root, "cac:LegalMonetaryTotal")
    _put_amount(totals, "cbc:LineExtensionAmount", plan.net_lines, plan.currency)
    _put_amount(totals, "cbc:TaxExclusiveAmount", plan.net_lines - plan.allowance, plan.currency)
    _put_amount(totals, "cbc:TaxInclusiveAmount", plan.total_with_vat, plan.currency)
    if plan.allowance:
        _put_amount(totals, "cbc:AllowanceTotalAmount", plan.allowance, plan.currency)
    if plan.prepaid:
        _put_amount(totals, "cbc:PrepaidAmount", plan.prepaid, plan.currency)
    _put_amount(totals, "cbc:PayableAmount", plan.total_with_vat - plan.prepaid, plan.currency)


def _put_line(root: etree._Element, plan: InvoicePlan, position: int, line: LinePlan) -> None:
    kind, quantity = ("CreditNote", "Credited") if plan.is_credit_note else ("Invoice", "Invoiced")
    element = _put(root, f"cac:{kind}Line")
    _put(element, "cbc:ID", str(position))
    _put(element, f"cbc:{quantity}Quantity", line.quantity, unitCode=line.unit)
    _put_amount(element, "cbc:LineExtensionAmount", line.net, plan.currency)
    item = _put(element, "cac:Item")
    _put(item, "cbc:Name", line.name)
    _put_vat_category(item, "cac:ClassifiedTaxCategory", line.vat)
    _put(_put(element, "cac:Price"), "cbc:PriceAmount", line.price, currencyID=plan.currency)
