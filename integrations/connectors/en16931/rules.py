"""The validator's rules in a clerk's words: which business term a rule is about, and what is wrong in one sentence.

Rules that are not listed here keep the validator's own text, and their term is read from the "(BT-…)" in it.
"""

import re
from dataclasses import dataclass
from typing import Final

from integrations.connectors.en16931.core_rules import CORE_RULES, DECIMAL_RULES
from integrations.connectors.en16931.profile_rules import MORE_THAN_ONCE, PROFILE_RULES
from integrations.connectors.en16931.syntax_rules import ONLY_ONCE, SYNTAX_RULES, UNWANTED, is_outside_the_standard
from integrations.connectors.en16931.terms import INVOICE_TERMS


@dataclass(frozen=True, slots=True)
class Rule:
    """`terms` in order of preference; `unwanted` when the rule objects to a term that is there.

    `repeated` when it objects to a second one, `outside` when to something that the standard does not have at all.
    `attribute` when the rule is not about the text of the field but about what qualifies it.
    """

    terms: tuple[str, ...] = ()
    plain: str = ""
    unwanted: bool = False
    attribute: str = ""
    repeated: bool = False
    outside: bool = False


_RULES: Final = {**CORE_RULES, **SYNTAX_RULES, **PROFILE_RULES}
_UNWANTED: Final = UNWANTED | {"BR-B-01", "BR-B-02"}
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
_DECIMALS_RULE: Final = re.compile(r"BR-DEC-(\d+)")
_NATIONAL_GERMAN: Final = re.compile(r"DE-R-0*(\d+)")
_SUBS: Final = (
    (re.compile(r"BR-CO-1[0-7]|BR-(?:S|Z|E|AE|IC|G|O|AF|AG)-0[89]|PEPPOL-EN16931-R(?:040|046|055|120)"), "arithmetic"),
    (re.compile(r"BR-CL-.*|BR-CO-0[5-8]|BR-B-\d+|PEPPOL-EN16931-(?:CL|P)\d+|BR-DE-17"), "code_list"),
    (
        re.compile(
            r"BR-CO-(?:09|26)|BR-(?:S|Z|E|AE|IC|G|O|AF|AG)-0[234]|BR-6[2-5]|PEPPOL-COMMON-R\d+|BR-DE-(?:16|19|20)"
        ),
        "identifier",
    ),
    (
        re.compile(
            r"BR-DEC-.*|UBL-(?:DT|SR|CR)-.*|BR-2[789]|BR-30|BR-DE-(?:18|2[1278])|PEPPOL-EN16931-(?:F001|R00[78])|XSD"
        ),
        "format",
    ),
    (
        re.compile(
            r"BR-\d+|BR-CO-(?:04|18|19|2\d)|BR-(?:S|Z|E|AE|IC|G|O|AF|AG)-01|BR-(?:E|AE|IC|G|O)-10|BR-IC-1[12]|BR-DE-.+|DE-R-\d+|.*-R(?:001|003|010|020|041|042|061)"
        ),
        "required_field",
    ),
)
# The rules of the standard itself and of its UBL binding; not those of Peppol, XRechnung or a country.
_OF_THE_STANDARD: Final = re.compile(r"BR-(?:\d+|(?:CO|CL|B|S|Z|E|AE|IC|G|O|AF|AG|IG|IP|DEC)-\S+)|UBL-(?:CR|DT|SR)-\d+")


def is_of_the_standard(code: str) -> bool:
    """Whether the official validator of the standard has this rule, so that it would find the fault again."""
    return _OF_THE_STANDARD.fullmatch(code) is not None


def rule_of(code: str) -> Rule:
    """What we know about a rule; an empty Rule when we know nothing."""
    if german := _NATIONAL_GERMAN.fullmatch(code):
        code = f"BR-DE-{german[1]}"
    if code in _RULES:
        listed, plain = _RULES[code]
        return Rule(
            tuple(listed.split()),
            plain,
            unwanted=code in _UNWANTED,
            attribute=_ATTRIBUTES.get(code, ""),
            repeated=code in MORE_THAN_ONCE,
        )
    if code in ONLY_ONCE:
        terms = tuple(ONLY_ONCE[code].split())
        return Rule(terms, f"{INVOICE_TERMS[terms[0]].label} is given more than once.", repeated=True)
    if found := _CATEGORY_RULE.fullmatch(code):
        return _category_rule(found[1], found[2])
    if found := _DECIMALS_RULE.fullmatch(code):
        return _decimals_rule(found[1])
    return Rule(outside=is_outside_the_standard(code))


def _decimals_rule(number: str) -> Rule:
    term = DECIMAL_RULES.get(number)
    if term is None:
        return Rule(plain="The amount has more than two decimals.")
    return Rule((term,), f"{INVOICE_TERMS[term].label} has more than two decimals.")


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
