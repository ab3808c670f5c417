"""The planned faults, by family of rules. The rules are those that the official validator reports, by name."""

from integrations.demo.faults import (
    BREAKDOWN,
    BUYER,
    LINE,
    SELLER,
    TOTALS,
    VAT_ID,
    Fits,
    PlannedFault,
    with_appended,
    with_attribute,
    with_digits_swapped,
    with_text,
    without,
    without_all,
    without_attribute,
    without_country,
)

PLANNED_FAULTS: tuple[PlannedFault, ...] = (
    # What every document must say.
    PlannedFault("specification missing", ("BR-01",), Fits.ANY, without("/*/cbc:CustomizationID")),
    PlannedFault("issue date missing", ("BR-03",), Fits.ANY, without("/*/cbc:IssueDate")),
    PlannedFault(
        "seller name missing", ("BR-06",), Fits.ANY, without(f"{SELLER}/cac:PartyLegalEntity/cbc:RegistrationName")
    ),
    PlannedFault(
        "buyer name missing", ("BR-07",), Fits.ANY, without(f"{BUYER}/cac:PartyLegalEntity/cbc:RegistrationName")
    ),
    PlannedFault("buyer address missing", ("BR-10",), Fits.ANY, without(f"{BUYER}/cac:PostalAddress")),
    PlannedFault("buyer country missing", ("BR-11",), Fits.ANY, without(f"{BUYER}/cac:PostalAddress/cac:Country")),
    PlannedFault(
        "country of delivery missing",
        ("BR-57",),
        Fits.DOMESTIC,
        without("/*/cac:Delivery/cac:DeliveryLocation/cac:Address/cac:Country"),
    ),
    PlannedFault("item name missing", ("BR-25",), Fits.ANY, without(f"{LINE}/cac:Item/cbc:Name")),
    PlannedFault("item price missing", ("BR-26", "BR-27"), Fits.ANY, without(f"{LINE}/cac:Price/cbc:PriceAmount")),
    PlannedFault("item price negative", ("BR-27",), Fits.ANY, with_text(f"{LINE}/cac:Price/cbc:PriceAmount", "-38.75")),
    PlannedFault(
        "invoiced quantity missing", ("BR-22", "BR-23"), Fits.INVOICE, without(f"{LINE}/cbc:InvoicedQuantity")
    ),
    PlannedFault("line number missing", ("BR-21",), Fits.ANY, without(f"{LINE}/cbc:ID")),
    PlannedFault(
        "corrected invoice not named",
        ("BR-55", "UBL-SR-07"),
        Fits.CREDIT_NOTE,
        without("/*/cac:BillingReference/*/cbc:ID"),
    ),
    PlannedFault(
        "reason for allowance missing",
        ("BR-33", "BR-CO-21"),
        Fits.ALLOWANCE,
        without(
            "/*/cac:AllowanceCharge/cbc:AllowanceChargeReasonCode", "/*/cac:AllowanceCharge/cbc:AllowanceChargeReason"
        ),
    ),
    # Sums.
    PlannedFault(
        "total with VAT wrong",
        ("BR-CO-15", "BR-CO-16"),
        Fits.ANY,
        with_digits_swapped(f"{TOTALS}/cbc:TaxInclusiveAmount"),
    ),
    PlannedFault(
        "sum of lines wrong",
        ("BR-CO-10", "BR-CO-13"),
        Fits.ANY,
        with_digits_swapped(f"{TOTALS}/cbc:LineExtensionAmount"),
    ),
    PlannedFault(
        "total without VAT wrong",
        ("BR-CO-13", "BR-CO-15"),
        Fits.ANY,
        with_digits_swapped(f"{TOTALS}/cbc:TaxExclusiveAmount"),
    ),
    PlannedFault("amount due wrong", ("BR-CO-16",), Fits.ANY, with_digits_swapped(f"{TOTALS}/cbc:PayableAmount")),
    PlannedFault(
        "total of allowances wrong",
        ("BR-CO-11", "BR-CO-13"),
        Fits.ALLOWANCE,
        with_digits_swapped(f"{TOTALS}/cbc:AllowanceTotalAmount"),
    ),
    PlannedFault(
        "line net amount wrong",
        ("BR-CO-10", "BR-S-08"),
        Fits.DOMESTIC,
        with_digits_swapped(f"{LINE}/cbc:LineExtensionAmount"),
    ),
    PlannedFault(
        "VAT breakdown amount wrong",
        ("BR-CO-14", "BR-CO-17", "BR-S-09"),
        Fits.DOMESTIC,
        with_digits_swapped(f"{BREAKDOWN}/cbc:TaxAmount"),
    ),
    PlannedFault(
        "taxable amount wrong",
        ("BR-IC-08",),
        Fits.INTRA_COMMUNITY,
        with_digits_swapped(f"{BREAKDOWN}/cbc:TaxableAmount"),
    ),
    PlannedFault(
        "amount with three decimals",
        ("BR-DEC-18", "UBL-DT-01"),
        Fits.ANY,
        with_appended(f"{TOTALS}/cbc:PayableAmount", "0"),
    ),
    # Payment.
    PlannedFault(
        "IBAN missing for credit transfer",
        ("BR-50", "BR-61"),
        Fits.ANY,
        without("/*/cac:PaymentMeans/cac:PayeeFinancialAccount/cbc:ID"),
    ),
    PlannedFault(
        "payment means code invalid",
        ("BR-CL-16",),
        Fits.ANY,
        with_text("/*/cac:PaymentMeans/cbc:PaymentMeansCode", "SEPA"),
    ),
    PlannedFault(
        "payment means code missing", ("BR-49",), Fits.ANY, without("/*/cac:PaymentMeans/cbc:PaymentMeansCode")
    ),
    # Codes.
    PlannedFault(
        "currency code invalid", ("BR-CL-04", "BR-CO-15"), Fits.ANY, with_text("/*/cbc:DocumentCurrencyCode", "EURO")
    ),
    PlannedFault(
        "accounting currency invalid",
        ("BR-53", "BR-CL-05"),
        Fits.FOREIGN_CURRENCY,
        with_text("/*/cbc:TaxCurrencyCode", "EURO"),
    ),
    PlannedFault(
        "buyer country code invalid",
        ("BR-CL-14",),
        Fits.ANY,
        with_text(f"{BUYER}/cac:PostalAddress/cac:Country/cbc:IdentificationCode", "ESP"),
    ),
    PlannedFault("document type code invalid", ("BR-CL-01",), Fits.INVOICE, with_text("/*/cbc:InvoiceTypeCode", "INV")),
    PlannedFault(
        "unit code invalid",
        ("BR-CL-23",),
        Fits.INVOICE,
        with_attribute(f"{LINE}/cbc:InvoicedQuantity", "unitCode", "PCS"),
    ),
    PlannedFault(
        "scheme of buyer's address invalid",
        ("BR-CL-25",),
        Fits.ANY,
        with_attribute(f"{BUYER}/cbc:EndpointID", "schemeID", "9999"),
    ),
    PlannedFault(
        "scheme of buyer's address missing",
        ("BR-63",),
        Fits.ANY,
        without_attribute(f"{BUYER}/cbc:EndpointID", "schemeID"),
    ),
    PlannedFault(
        "scheme of seller's registration invalid",
        ("BR-CL-11",),
        Fits.ANY,
        with_attribute(f"{SELLER}/cac:PartyLegalEntity/cbc:CompanyID", "schemeID", "KVK"),
    ),
    PlannedFault(
        "VAT category code invalid",
        ("BR-CL-18", "BR-S-08"),
        Fits.DOMESTIC,
        with_text(f"{LINE}/cac:Item/cac:ClassifiedTaxCategory/cbc:ID", "H"),
    ),
    PlannedFault(
        "VAT exemption code invalid",
        ("BR-CL-22",),
        Fits.INTRA_COMMUNITY,
        with_text(f"{BREAKDOWN}/cac:TaxCategory/cbc:TaxExemptionReasonCode", "VATEX-IC"),
    ),
    PlannedFault(
        "reason code of allowance invalid",
        ("BR-CL-19",),
        Fits.ALLOWANCE,
        with_text("/*/cac:AllowanceCharge/cbc:AllowanceChargeReasonCode", "DISC"),
    ),
    # VAT.
    PlannedFault("seller VAT identifier missing", ("BR-S-02",), Fits.DOMESTIC, without(f"{SELLER}/cac:PartyTaxScheme")),
    PlannedFault(
        "seller VAT identifier without country", ("BR-CO-09",), Fits.DOMESTIC, without_country(f"{SELLER}/{VAT_ID}")
    ),
    PlannedFault(
        "buyer VAT identifier missing",
        ("BR-IC-02",),
        Fits.INTRA_COMMUNITY,
        without(f"{BUYER}/cac:PartyTaxScheme", f"{BUYER}/cac:PartyLegalEntity/cbc:CompanyID"),
    ),
    PlannedFault(
        "buyer VAT identifier missing, services",
        ("BR-AE-02",),
        Fits.REVERSE_CHARGE,
        without(f"{BUYER}/cac:PartyTaxScheme", f"{BUYER}/cac:PartyLegalEntity/cbc:CompanyID"),
    ),
    PlannedFault(
        "standard rate of zero",
        ("BR-S-05", "BR-S-08"),
        Fits.DOMESTIC,
        with_text(f"{LINE}/cac:Item/cac:ClassifiedTaxCategory/cbc:Percent", "0"),
    ),
    PlannedFault(
        "VAT category of line missing",
        ("BR-CO-04", "BR-S-08", "UBL-SR-48"),
        Fits.DOMESTIC,
        without(f"{LINE}/cac:Item/cac:ClassifiedTaxCategory"),
    ),
    PlannedFault(
        "reason for exemption missing",
        ("BR-IC-10",),
        Fits.INTRA_COMMUNITY,
        without(
            f"{BREAKDOWN}/cac:TaxCategory/cbc:TaxExemptionReasonCode",
            f"{BREAKDOWN}/cac:TaxCategory/cbc:TaxExemptionReason",
        ),
    ),
    PlannedFault(
        "reason for reverse charge missing",
        ("BR-AE-10",),
        Fits.REVERSE_CHARGE,
        without(
            f"{BREAKDOWN}/cac:TaxCategory/cbc:TaxExemptionReasonCode",
            f"{BREAKDOWN}/cac:TaxCategory/cbc:TaxExemptionReason",
        ),
    ),
    PlannedFault(
        "delivery date missing", ("BR-IC-11",), Fits.INTRA_COMMUNITY, without("/*/cac:Delivery/cbc:ActualDeliveryDate")
    ),
    PlannedFault(
        "country of delivery missing, other member state",
        ("BR-IC-12",),
        Fits.INTRA_COMMUNITY,
        without("/*/cac:Delivery/cac:DeliveryLocation"),
    ),
    PlannedFault(
        "VAT in accounting currency missing", ("BR-53",), Fits.FOREIGN_CURRENCY, without("/*/cac:TaxTotal[2]")
    ),
    PlannedFault(
        "VAT breakdown missing",
        ("BR-CO-18", "BR-S-01"),
        Fits.DOMESTIC,
        without_all("/*/cac:TaxTotal[1]/cac:TaxSubtotal"),
    ),
)


def fault(name: str) -> PlannedFault:
    """A planned fault by its name. Raises StopIteration when there is none."""
    return next(planned for planned in PLANNED_FAULTS if planned.name == name)
