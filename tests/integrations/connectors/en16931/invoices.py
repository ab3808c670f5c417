"""Small valid UBL documents, and reports in the shape that validators write them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from lxml import etree

from integrations.connectors.base import IncomingMessage

CAC = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
CBC = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
INVOICE = "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
CREDIT_NOTE = "urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2"
SVRL = "http://purl.oclc.org/dsdl/svrl"
XPATHS = {"cac": CAC, "cbc": CBC, "ubl": INVOICE, "cn": CREDIT_NOTE, "svrl": SVRL}

TOTALS = "/ubl:Invoice/cac:LegalMonetaryTotal"
DUE_PATH = f"{TOTALS}/cbc:PayableAmount"

_PARTY = """
  <cac:{role}>
    <cac:Party>
      <cac:PostalAddress>
        <cbc:CityName>{city}</cbc:CityName>
        <cac:Country>
          <cbc:IdentificationCode>{country}</cbc:IdentificationCode>
        </cac:Country>
      </cac:PostalAddress>
      <cac:PartyTaxScheme>
        <cbc:CompanyID>{vat_id}</cbc:CompanyID>
        <cac:TaxScheme>
          <cbc:ID>VAT</cbc:ID>
        </cac:TaxScheme>
      </cac:PartyTaxScheme>
      <cac:PartyLegalEntity>
        <cbc:RegistrationName>{name}</cbc:RegistrationName>
      </cac:PartyLegalEntity>
    </cac:Party>
  </cac:{role}>"""

_LINE = """
  <cac:{kind}Line>
    <cbc:ID>{number}</cbc:ID>
    <cbc:{quantity_name} unitCode="C62">{quantity}</cbc:{quantity_name}>
    <cbc:LineExtensionAmount currencyID="EUR">{net:.2f}</cbc:LineExtensionAmount>
    <cac:Item>
      <cbc:Name>Item {number}</cbc:Name>
      <cac:ClassifiedTaxCategory>
        <cbc:ID>S</cbc:ID>
        <cbc:Percent>20</cbc:Percent>
        <cac:TaxScheme>
          <cbc:ID>VAT</cbc:ID>
        </cac:TaxScheme>
      </cac:ClassifiedTaxCategory>
    </cac:Item>
    <cac:Price>
      <cbc:PriceAmount currencyID="EUR">{price}</cbc:PriceAmount>
    </cac:Price>
  </cac:{kind}Line>"""


def ubl(
    *,
    credit_note: bool = False,
    number: str = "INV-7",
    lines: Sequence[tuple[str, str]] = (("2", "50.00"), ("4", "25.00")),
) -> bytes:
    """A valid document of one VAT rate (20 %); `lines` are quantities and net prices in EUR."""
    kind, quantity_name = ("CreditNote", "CreditedQuantity") if credit_note else ("Invoice", "InvoicedQuantity")
    nets = [Decimal(quantity) * Decimal(price) for quantity, price in lines]
    net = sum(nets, Decimal(0))
    tax = net / 5
    due_date = "" if credit_note else "\n  <cbc:DueDate>2026-04-30</cbc:DueDate>"
    due_date_below = "\n    <cbc:PaymentDueDate>2026-04-30</cbc:PaymentDueDate>" if credit_note else ""
    rows = "".join(
        _LINE.format(kind=kind, number=index, quantity_name=quantity_name, quantity=quantity, price=price, net=amount)
        for index, ((quantity, price), amount) in enumerate(zip(lines, nets, strict=True), start=1)
    )
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<!-- sent by the billing run -->
<{kind} xmlns="{CREDIT_NOTE if credit_note else INVOICE}" xmlns:cac="{CAC}" xmlns:cbc="{CBC}">
  <cbc:CustomizationID>urn:cen.eu:en16931:2017</cbc:CustomizationID>
  <cbc:ID>{number}</cbc:ID>
  <cbc:IssueDate>2026-03-31</cbc:IssueDate>{due_date}
  <cbc:{kind}TypeCode>{"381" if credit_note else "380"}</cbc:{kind}TypeCode>
  <cbc:Note>Thank you</cbc:Note>
  <cbc:DocumentCurrencyCode>EUR</cbc:DocumentCurrencyCode>{
        _PARTY.format(
            role="AccountingSupplierParty", city="Wien", country="AT", vat_id="ATU99999999", name="Maker GmbH"
        )
    }{_PARTY.format(role="AccountingCustomerParty", city="Lyon", country="FR", vat_id="FR00999999999", name="Buyer SA")}
  <cac:PaymentMeans>
    <cbc:PaymentMeansCode>58</cbc:PaymentMeansCode>{due_date_below}
    <cac:PayeeFinancialAccount>
      <cbc:ID>AT611904300234573201</cbc:ID>
    </cac:PayeeFinancialAccount>
  </cac:PaymentMeans>
  <cac:TaxTotal>
    <cbc:TaxAmount currencyID="EUR">{tax:.2f}</cbc:TaxAmount>
    <cac:TaxSubtotal>
      <cbc:TaxableAmount currencyID="EUR">{net:.2f}</cbc:TaxableAmount>
      <cbc:TaxAmount currencyID="EUR">{tax:.2f}</cbc:TaxAmount>
      <cac:TaxCategory>
        <cbc:ID>S</cbc:ID>
        <cbc:Percent>20</cbc:Percent>
        <cac:TaxScheme>
          <cbc:ID>VAT</cbc:ID>
        </cac:TaxScheme>
      </cac:TaxCategory>
    </cac:TaxSubtotal>
  </cac:TaxTotal>
  <cac:LegalMonetaryTotal>
    <cbc:LineExtensionAmount currencyID="EUR">{net:.2f}</cbc:LineExtensionAmount>
    <cbc:TaxExclusiveAmount currencyID="EUR">{net:.2f}</cbc:TaxExclusiveAmount>
    <cbc:TaxInclusiveAmount currencyID="EUR">{net + tax:.2f}</cbc:TaxInclusiveAmount>
    <cbc:PayableAmount currencyID="EUR">{net + tax:.2f}</cbc:PayableAmount>
  </cac:LegalMonetaryTotal>{rows}
</{kind}>
"""
    return text.encode()


def nodes(root: etree._Element, xpath: str) -> list[Any]:
    """What an XPath finds: elements, or the texts of attributes."""
    found: Any = root.xpath(xpath, namespaces=XPATHS)
    return list(found)


def changed(payload: bytes, xpath: str, text: str | None) -> bytes:
    """The document with the elements at `xpath` given another text, or taken out when `text` is None."""
    root = etree.fromstring(payload)
    found = nodes(root, xpath)
    assert found, xpath
    for element in found:
        if text is None:
            element.getparent().remove(element)
        else:
            element.text = text
    return etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=True)


def value(payload: bytes, xpath: str) -> str | None:
    """The text at `xpath`, None when there is none."""
    found = nodes(etree.fromstring(payload), xpath)
    return None if not found else found[0] if isinstance(found[0], str) else found[0].text


def located(path: str) -> str:
    """A path of prefixed names as SVRL writes locations."""
    steps = []
    for step in path.strip("/").split("/"):
        name, _, position = step.partition("[")
        prefix, _, local = name.partition(":")
        steps.append(f"*:{local}[namespace-uri()='{XPATHS[prefix]}'][{position or '1]'}")
    return "/" + "/".join(steps)


def svrl(*findings: tuple[str, str, str, str], prefix: str = "svrl", kind: str = "failed-assert") -> bytes:
    """A report with findings (rule, flag, location, text)."""
    rows = "".join(
        f'<{prefix}:{kind} id="{rule}" flag="{flag}" location="{location}">'
        f"<{prefix}:text>{text}</{prefix}:text></{prefix}:{kind}>"
        for rule, flag, location, text in findings
    )
    return f'<{prefix}:schematron-output xmlns:{prefix}="{SVRL}">{rows}</{prefix}:schematron-output>'.encode()


def message(payload: bytes, refusal: bytes = b"", *, status: int | None = 422) -> IncomingMessage:
    return IncomingMessage(payload, "application/xml", refusal, "application/xml", refusal_status=status)
