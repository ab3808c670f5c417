"""The validator's rules in a clerk's words: which business term a rule is about, and what is wrong in one sentence.

Rules that are not listed here keep the validator's own text, and their term is read from the "(BT-…)" in it.
"""

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Rule:
    """`terms` in order of preference; `unwanted` when the rule objects to a term that is there.

    `attribute` when the rule is not about the text of the field but about what qualifies it.
    """

    terms: tuple[str, ...] = ()
    plain: str = ""
    unwanted: bool = False
    attribute: str = ""


_RULES: Final[dict[str, tuple[str, str]]] = {
    "BR-01": ("BT-24", "The specification identifier is missing."),
    "BR-02": ("BT-1", "The invoice number is missing."),
    "BR-03": ("BT-2", "The issue date is missing."),
    "BR-04": ("BT-3", "The invoice type code is missing."),
    "BR-05": ("BT-5", "The invoice currency code is missing."),
    "BR-06": ("BT-27", "The seller's name is missing."),
    "BR-07": ("BT-44", "The buyer's name is missing."),
    "BR-08": ("BT-40", "The seller's postal address is missing; at least the country is needed."),
    "BR-09": ("BT-40", "The country code in the seller's address is missing."),
    "BR-10": ("BT-55", "The buyer's postal address is missing; at least the country is needed."),
    "BR-11": ("BT-55", "The country code in the buyer's address is missing."),
    "BR-12": ("BT-106", "The sum of the line net amounts is missing."),
    "BR-13": ("BT-109", "The total without VAT is missing."),
    "BR-14": ("BT-112", "The total with VAT is missing."),
    "BR-15": ("BT-115", "The amount due for payment is missing."),
    "BR-16": ("BT-126", "The invoice has no line."),
    "BR-17": ("BT-59", "A payee other than the seller is given, but not by name."),
    "BR-18": ("BT-62", "The name of the seller's tax representative is missing."),
    "BR-19": ("BT-69", "The postal address of the seller's tax representative is missing."),
    "BR-20": ("BT-69", "The country code in the tax representative's address is missing."),
    "BR-21": ("BT-126", "The line has no identifier."),
    "BR-22": ("BT-129", "The quantity on the line is missing."),
    "BR-23": ("BT-130", "The unit of measure of the quantity on the line is missing."),
    "BR-24": ("BT-131", "The net amount of the line is missing."),
    "BR-25": ("BT-153", "The name of the item on the line is missing."),
    "BR-26": ("BT-146", "The net price of the item on the line is missing."),
    "BR-27": ("BT-146", "The net price of the item is negative. Put the minus sign on the quantity instead."),
    "BR-28": ("BT-148", "The gross price of the item is negative."),
    "BR-29": ("BT-74", "The invoicing period ends before it starts."),
    "BR-30": ("BT-135", "The period of the line ends before it starts."),
    "BR-31": ("BT-92", "The amount of the allowance is missing."),
    "BR-32": ("BT-95", "The VAT category code of the allowance is missing."),
    "BR-33": ("BT-97 BT-98", "The allowance has neither a reason nor a reason code."),
    "BR-36": ("BT-99", "The amount of the charge is missing."),
    "BR-37": ("BT-102", "The VAT category code of the charge is missing."),
    "BR-38": ("BT-104 BT-105", "The charge has neither a reason nor a reason code."),
    "BR-41": ("BT-136", "The amount of the allowance on the line is missing."),
    "BR-42": ("BT-139", "The allowance on the line has neither a reason nor a reason code."),
    "BR-43": ("BT-141", "The amount of the charge on the line is missing."),
    "BR-44": ("BT-144", "The charge on the line has neither a reason nor a reason code."),
    "BR-45": ("BT-116", "The taxable amount in the VAT breakdown is missing."),
    "BR-46": ("BT-117", "The tax amount in the VAT breakdown is missing."),
    "BR-47": ("BT-118", "The VAT category code in the VAT breakdown is missing."),
    "BR-48": ("BT-119", "The VAT rate in the VAT breakdown is missing."),
    "BR-49": ("BT-81", "The payment means type code is missing."),
    "BR-50": ("BT-84", "The account to be paid (IBAN or other account number) is missing."),
    "BR-51": ("BT-87", "The full payment card number is shown. Give at most the first 6 and last 4 digits."),
    "BR-53": ("BT-111", "A VAT accounting currency is given, but not the VAT total in that currency."),
    "BR-54": ("BT-160 BT-161", "An item attribute lacks its name or its value."),
    "BR-55": ("BT-25", "The reference to the preceding invoice has no invoice number."),
    "BR-56": ("BT-63", "The VAT identifier of the seller's tax representative is missing."),
    "BR-57": ("BT-80", "The country code in the delivery address is missing."),
    "BR-61": ("BT-84", "Payment is by credit transfer, but the account to be paid (IBAN or other number) is missing."),
    "BR-62": ("BT-34-1", "The scheme of the seller's electronic address is missing."),
    "BR-63": ("BT-49-1", "The scheme of the buyer's electronic address is missing."),
    "BR-64": ("BT-157-1", "The scheme of the item's standard identifier is missing."),
    "BR-65": ("BT-158-1", "The scheme of the item's classification is missing."),
    "BR-CO-03": ("BT-7", "Both a tax point date and a tax point date code are given. Only one of them may be."),
    "BR-CO-04": ("BT-151", "The VAT category code of the item on the line is missing."),
    "BR-CO-05": ("BT-98", "The reason and the reason code of the allowance contradict each other."),
    "BR-CO-06": ("BT-105", "The reason and the reason code of the charge contradict each other."),
    "BR-CO-09": ("BT-31 BT-48 BT-63", "The VAT identifier does not begin with a country code, such as DE or EL."),
    "BR-CO-10": ("BT-106", "The sum of the line net amounts does not equal the net amounts of the lines added up."),
    "BR-CO-11": ("BT-107", "The sum of allowances does not equal the allowances of the document added up."),
    "BR-CO-12": ("BT-108", "The sum of charges does not equal the charges of the document added up."),
    "BR-CO-13": ("BT-109", "The total without VAT does not equal the sum of the lines less allowances plus charges."),
    "BR-CO-14": ("BT-110", "The total VAT does not equal the tax amounts of the VAT breakdown added up."),
    "BR-CO-15": ("BT-112", "The total with VAT does not equal the total without VAT plus the VAT."),
    "BR-CO-16": ("BT-115", "The amount due does not equal the total with VAT less what is paid, plus rounding."),
    "BR-CO-17": ("BT-117", "The tax amount in the VAT breakdown does not equal the taxable amount times the rate."),
    "BR-CO-18": ("BT-118", "The VAT breakdown is missing."),
    "BR-CO-19": ("BT-73 BT-74", "An invoicing period is given without a start or end date."),
    "BR-CO-20": ("BT-134 BT-135", "A period is given on the line without a start or end date."),
    "BR-CO-21": ("BT-97 BT-98", "The allowance has neither a reason nor a reason code."),
    "BR-CO-22": ("BT-104 BT-105", "The charge has neither a reason nor a reason code."),
    "BR-CO-23": ("BT-139", "The allowance on the line has neither a reason nor a reason code."),
    "BR-CO-24": ("BT-144", "The charge on the line has neither a reason nor a reason code."),
    "BR-CO-25": ("BT-9 BT-20", "An amount is due, but neither a due date nor payment terms are given."),
    "BR-CO-26": ("BT-31 BT-30 BT-29", "The seller has no VAT, registration or other identifier to be known by."),
    "BR-IC-11": ("BT-72 BT-73", "An intra-community supply needs the delivery date or the invoicing period."),
    "BR-IC-12": ("BT-80", "An intra-community supply needs the country that the goods were delivered to."),
    "BR-O-11": ("BT-118", "“Not subject to VAT” cannot be combined with other VAT categories in the breakdown."),
    "BR-O-12": ("BT-151", "The invoice is not subject to VAT, but a line has another VAT category."),
    "BR-O-13": ("BT-95", "The invoice is not subject to VAT, but an allowance has another VAT category."),
    "BR-O-14": ("BT-102", "The invoice is not subject to VAT, but a charge has another VAT category."),
    "BR-CL-01": ("BT-3", "The document type code is not in the code list (UNTDID 1001), such as 380 or 381."),
    "BR-CL-03": ("", "The currency of an amount is not an ISO 4217 code."),
    "BR-CL-04": ("BT-5", "The invoice currency code is not an ISO 4217 code, such as EUR."),
    "BR-CL-05": ("BT-6", "The VAT accounting currency code is not an ISO 4217 code, such as EUR."),
    "BR-CL-06": ("BT-8", "The tax point date code is not in the code list (UNTDID 2005)."),
    "BR-CL-10": ("", "The scheme of the identifier is not in the code list (ISO 6523)."),
    "BR-CL-11": ("", "The scheme of the registration identifier is not in the code list (ISO 6523)."),
    "BR-CL-13": ("BT-158-1", "The scheme of the item classification is not in the code list (UNTDID 7143)."),
    "BR-CL-14": ("", "The country code is not an ISO 3166-1 code, such as DE."),
    "BR-CL-15": ("BT-159", "The item's country of origin is not an ISO 3166-1 code, such as DE."),
    "BR-CL-16": ("BT-81", "The payment means type code is not in the code list (UNCL 4461), such as 30 or 58."),
    "BR-CL-17": ("BT-118 BT-95 BT-102", "The VAT category code is not in the code list (UNCL 5305), such as S or E."),
    "BR-CL-18": ("BT-151", "The VAT category code of the item is not in the code list (UNCL 5305), such as S or E."),
    "BR-CL-19": ("BT-98", "The reason code of the allowance is not in the code list (UNCL 5189)."),
    "BR-CL-20": ("BT-105", "The reason code of the charge is not in the code list (UNCL 7161)."),
    "BR-CL-21": ("BT-157-1", "The scheme of the item's standard identifier is not in the code list (ISO 6523)."),
    "BR-CL-22": ("BT-121", "The VAT exemption reason code is not in the code list (VATEX)."),
    "BR-CL-23": ("BT-130", "The unit of measure code is not in the code list (UN/ECE Rec. 20), such as C62 or HUR."),
    "BR-CL-25": ("BT-34-1 BT-49-1", "The scheme of the electronic address is not in the code list (EAS)."),
    "BR-CL-26": ("BT-71", "The scheme of the delivery location is not in the code list (ISO 6523)."),
    "UBL-DT-01": ("", "The amount has more than two decimals."),
    "UBL-SR-44": ("BT-83", "The payment means carry different remittance information. It must be the same in all."),
    "UBL-SR-47": ("BT-81", "The payment means have different type codes. They must be the same."),
    "UBL-SR-48": ("BT-151", "The line must have exactly one VAT category."),
    "UBL-SR-53": ("BT-31 BT-48", "A tax scheme is named without the VAT identifier that belongs to it."),
    "PEPPOL-EN16931-R001": ("BT-23", "The business process type is missing."),
    "PEPPOL-EN16931-R003": ("BT-10 BT-13", "Neither a buyer reference nor a purchase order reference is given."),
    "PEPPOL-EN16931-R004": ("BT-24", "The specification identifier is not the one that Peppol expects."),
    "PEPPOL-EN16931-R007": ("BT-23", "The business process type is not in the form that Peppol expects."),
    "PEPPOL-EN16931-R010": ("BT-49", "The buyer's electronic address is missing."),
    "PEPPOL-EN16931-R020": ("BT-34", "The seller's electronic address is missing."),
    "PEPPOL-EN16931-R051": ("", "The currency of an amount is not the invoice currency."),
    "PEPPOL-EN16931-R061": ("BT-89", "The mandate reference for the direct debit is missing."),
    "PEPPOL-EN16931-R120": ("BT-131", "The net amount of the line does not equal quantity times price."),
    "PEPPOL-EN16931-R121": ("BT-149", "The base quantity of the price is not greater than zero."),
    "BR-DE-1": ("BT-81", "The payment instructions are missing."),
    "BR-DE-2": ("BT-41", "The seller's contact is missing."),
    "BR-DE-3": ("BT-37", "The seller's city is missing."),
    "BR-DE-4": ("BT-38", "The seller's post code is missing."),
    "BR-DE-5": ("BT-41", "The name of the seller's contact is missing."),
    "BR-DE-6": ("BT-42", "The telephone number of the seller's contact is missing."),
    "BR-DE-7": ("BT-43", "The e-mail address of the seller's contact is missing."),
    "BR-DE-8": ("BT-52", "The buyer's city is missing."),
    "BR-DE-9": ("BT-53", "The buyer's post code is missing."),
    "BR-DE-14": ("BT-119", "The VAT rate in the VAT breakdown is missing."),
    "BR-DE-15": ("BT-10", "The buyer reference (Leitweg-ID) is missing."),
    "BR-DE-16": ("BT-31 BT-32 BT-63", "The seller has neither a VAT identifier nor a tax number."),
}

_ATTRIBUTES: Final = {"BR-CL-03": "currencyID", "PEPPOL-EN16931-R051": "currencyID"}
_CATEGORIES: Final = {
    "S": "standard rate",
    "Z": "zero rated",
    "E": "exempt from VAT",
    "AE": "reverse charge",
    "IC": "intra-community supply",
    "G": "export outside the EU",
    "O": "not subject to VAT",
    "AF": "Canary Islands IGIC",
    "AG": "Ceuta and Melilla IPSI",
}
_RATED: Final = ("S", "AF", "AG")
_CATEGORY_RULE: Final = re.compile(r"BR-(S|Z|E|AE|IC|G|O|AF|AG)-(0[1-9]|10)")
_DECIMALS_RULE: Final = re.compile(r"BR-DEC-\d+")
_NATIONAL_GERMAN: Final = re.compile(r"DE-R-0*(\d+)")
_SUBS: Final = (
    (re.compile(r"BR-CO-1[0-7]|BR-(?:S|Z|E|AE|IC|G|O|AF|AG)-0[89]|PEPPOL-EN16931-R(?:040|120)"), "arithmetic"),
    (re.compile(r"BR-CL-.*|BR-CO-0[5-8]"), "code_list"),
    (re.compile(r"BR-CO-(?:09|26)|BR-(?:S|Z|E|AE|IC|G|O|AF|AG)-0[234]|BR-6[2-5]"), "identifier"),
    (re.compile(r"BR-DEC-.*|UBL-(?:DT|SR|CR)-.*|BR-2[789]|BR-30|XSD"), "format"),
    (
        re.compile(
            r"BR-\d+|BR-CO-(?:04|18|19|2\d)|BR-(?:S|Z|E|AE|IC|G|O|AF|AG)-01|BR-DE-\d+|DE-R-\d+|.*-R(?:001|003|010|020|061)"
        ),
        "required_field",
    ),
)


def rule_of(code: str) -> Rule:
    """What we know about a rule; an empty Rule when we know nothing."""
    if german := _NATIONAL_GERMAN.fullmatch(code):
        code = f"BR-DE-{german[1]}"
    if code in _RULES:
        terms, plain = _RULES[code]
        return Rule(tuple(terms.split()), plain, attribute=_ATTRIBUTES.get(code, ""))
    if found := _CATEGORY_RULE.fullmatch(code):
        return _category_rule(found[1], found[2])
    return Rule(plain="The amount has more than two decimals.") if _DECIMALS_RULE.fullmatch(code) else Rule()


def sub_of(code: str) -> str:
    """The second level of the taxonomy: required_field, arithmetic, code_list, identifier, format or other."""
    return next((sub for pattern, sub in _SUBS if pattern.fullmatch(code)), "other")


def _category_rule(category: str, number: str) -> Rule:
    name = _CATEGORIES[category]
    if number == "01":
        return Rule(("BT-118",), f"A line, allowance or charge is “{name}”, but the VAT breakdown has no row for it.")
    if number in ("02", "03", "04"):
        return _identifier_rule(category, {"02": "a line", "03": "an allowance", "04": "a charge"}[number])
    if number in ("05", "06", "07"):
        return _rate_rule(category, {"05": "BT-152", "06": "BT-96", "07": "BT-103"}[number])
    if number == "08":
        return Rule(
            ("BT-116",),
            f"The taxable amount for “{name}” does not equal its lines added up, less allowances plus charges.",
        )
    if number == "09":
        if category in _RATED:
            return Rule(("BT-117",), f"The tax amount for “{name}” does not equal the taxable amount times the rate.")
        return Rule(("BT-117",), f"The tax amount for “{name}” must be 0.")
    if category in (*_RATED, "Z"):
        return Rule(("BT-120", "BT-121"), f"“{name.capitalize()}” must not have a VAT exemption reason.", unwanted=True)
    return Rule(("BT-120", "BT-121"), f"“{name.capitalize()}” needs a VAT exemption reason or its code.")


def _identifier_rule(category: str, where: str) -> Rule:
    name = _CATEGORIES[category]
    if category == "O":
        return Rule(
            ("BT-31", "BT-63", "BT-48"),
            f"{where.capitalize()} is “{name}”, so no VAT identifier may be given.",
            unwanted=True,
        )
    if category in ("AE", "IC"):
        return Rule(
            ("BT-31", "BT-48"),
            f"{where.capitalize()} is “{name}”, so the VAT identifiers of seller and buyer are needed.",
        )
    return Rule(
        ("BT-31",),
        f"{where.capitalize()} is “{name}”, but the seller has no VAT identifier (nor a tax representative with one).",
    )


def _rate_rule(category: str, term: str) -> Rule:
    name = _CATEGORIES[category]
    if category == "O":
        return Rule((term,), f"“{name.capitalize()}” must not have a VAT rate.", unwanted=True)
    if category == "S":
        return Rule((term,), f"The VAT rate for “{name}” must be greater than 0.")
    demand = "0 or more" if category in _RATED else "0"
    return Rule((term,), f"The VAT rate for “{name}” must be {demand}.")
