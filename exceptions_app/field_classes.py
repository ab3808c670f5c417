"""Which fields hold bank details, personal data or a secret, declared here and nowhere else; and how each is masked.

A field is known by where it stands: the names on the way to it in its document. These names are the standards' own, so
one table serves every connector, and it holds as well for what a document has beside the fields of a form, and in the
raw document. What is declared nowhere, such as a field that a source added, is internal and shown.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from lxml import etree

from audit.account_numbers import HIDDEN, account_numbers_in, is_iban, masked_iban
from integrations.safe_json import UnsafeJson, loads
from integrations.safe_xml import UnsafeXml, parse

SHORTEST: Final = 3
"""Characters of a value that is looked for in other texts. Two letters stand in too many words."""
_MOST_VALUES: Final = 5000


class FieldClass(StrEnum):
    BANK = "bank"
    PERSONAL = "personal"
    SECRET = "secret"  # noqa: S105 - the name of it
    INTERNAL = "internal"


CLASS_WORDS: Final[Mapping[FieldClass, str]] = MappingProxyType(
    {
        FieldClass.BANK: "bank details",
        FieldClass.PERSONAL: "personal data",
        FieldClass.SECRET: "a secret",
        FieldClass.INTERNAL: "internal",
    }
)

# The terms of EN 16931; of the other standards the term is the end of the way.
_TERMS: Final = MappingProxyType(
    {
        **dict.fromkeys(("BT-84", "BT-86", "BT-87", "BT-89", "BT-90", "BT-91"), FieldClass.BANK),
        **dict.fromkeys(("BT-41", "BT-42", "BT-43", "BT-56", "BT-57", "BT-58", "BT-88"), FieldClass.PERSONAL),
    }
)
# The last name on the way, whatever stands above.
_BY_NAME: Final = MappingProxyType(
    {
        **dict.fromkeys(
            ("IBAN", "BICFI", "BIC", "MmbId", "MndtId", "iban", "bic", "PrimaryAccountNumberID"), FieldClass.BANK
        ),
        "HolderName": FieldClass.PERSONAL,
    }
)
# The last name and the one above it.
_BELOW: Final = MappingProxyType(
    {
        ("PayeeFinancialAccount", "ID"): FieldClass.BANK,
        ("PayerFinancialAccount", "ID"): FieldClass.BANK,
        ("FinancialInstitutionBranch", "ID"): FieldClass.BANK,
        ("FinancialInstitution", "ID"): FieldClass.BANK,
        ("PaymentMandate", "ID"): FieldClass.BANK,
        ("Contact", "Name"): FieldClass.PERSONAL,
        ("Contact", "Telephone"): FieldClass.PERSONAL,
        ("Contact", "Telefax"): FieldClass.PERSONAL,
        ("Contact", "ElectronicMail"): FieldClass.PERSONAL,
    }
)
# Whatever stands below one of these.
_INSIDE: Final = MappingProxyType(
    {
        "CtctDtls": FieldClass.PERSONAL,
        "PrvtId": FieldClass.PERSONAL,
        "Person": FieldClass.PERSONAL,
    }
)
# Of these it is a code or the name of a scheme.
_NO_VALUES: Final = frozenset({"Cd", "Prtry", "NmPrfx", "PrefrdMtd"})
_SECRETS: Final = re.compile(r"(?:.*_)?(?:password|passwd|secret|api_?key|access_?token|client_secret)", re.IGNORECASE)
_PREDICATES: Final = re.compile(r"\[[^\]]*\]")

ClassifiedValue = tuple[Sequence[str], str, FieldClass]

_BIC: Final = re.compile(r"[A-Z0-9]{4}([A-Z]{2})[A-Z0-9]{2}(?:[A-Z0-9]{3})?")
_PHONE: Final = re.compile(r"\+?[0-9 ()/.\-]{5,}")


def class_of(path: str, *, term: str = "") -> FieldClass:
    """The class of the field at a path of its document, an XPath or a JSON Pointer, or of the field of this term."""
    if term in _TERMS:
        return _TERMS[term]
    found = _class_at(_steps_of(path))
    return found if found is not FieldClass.INTERNAL else _class_at(_steps_of(term))


def masked_value(value: str, *, path: str = "", term: str = "") -> str:
    """The value of a field as everybody may read it."""
    return mask(value, class_of(path, term=term))


def _steps_of(path: str) -> list[str]:
    if "/@" in path:  # the currency of an amount, the scheme of an identifier
        return []
    return [_local(step) for step in _PREDICATES.sub("", path).split("/") if step]


def _local(step: str) -> str:
    return step.rpartition(":")[2]


def _class_at(steps: Sequence[str]) -> FieldClass:
    """The class of what the names on the way lead to."""
    names = [step for step in steps if not step.isdigit()]
    if not names:
        return FieldClass.INTERNAL
    last = names[-1]
    if _SECRETS.fullmatch(last):
        return FieldClass.SECRET
    found = _BY_NAME.get(last) or _BELOW.get((names[-2] if len(names) > 1 else "", last))
    if found is None and last == "Id" and any(name.endswith(("Acct", "Agt")) for name in names):
        found = FieldClass.BANK
    if found is None and last not in _NO_VALUES:
        found = next((_INSIDE[name] for name in names if name in _INSIDE), None)
    return found or FieldClass.INTERNAL


def mask(value: str, field_class: FieldClass) -> str:
    """As much of a value as one needs to know it again; of a secret nothing."""
    text = value.strip()
    joined = "".join(text.split()).upper()
    if field_class is FieldClass.INTERNAL or not text:
        return value
    if field_class is FieldClass.SECRET or len(text) < 4:
        return HIDDEN
    if is_iban(joined):
        return masked_iban(joined)
    if field_class is FieldClass.BANK:
        return _masked_bank(joined)
    name, at, domain = text.partition("@")
    if at:
        return f"{name[:1] if len(name) > 1 else ''}{HIDDEN}@{domain}"
    if _PHONE.fullmatch(text):
        return f"{HIDDEN}{text[-2:]}"
    return f"{text[0]}{HIDDEN}"


def _masked_bank(number: str) -> str:
    bic = _BIC.fullmatch(number)
    if bic is not None and not number.isdigit():
        return f"{HIDDEN}{bic[1]}"
    kept = number[-4:] if len(number) >= 10 else number[-2:] if len(number) >= 6 else ""
    country = number[:2] if number[:2].isalpha() and number[2:4].isdigit() and len(number) >= 15 else ""
    return f"{country}{HIDDEN}{kept}"


def is_masked(text: str) -> bool:
    """Whether a text holds the mask of something: two of its marks in a row, which no document has."""
    return HIDDEN[:2] in text


def sensitive_values(content: bytes) -> dict[str, FieldClass] | None:
    """Every value of a document that is not internal, wherever it stands there; None of what cannot be read."""
    values = classified_values(content)
    if values is None:
        return None
    found: dict[str, FieldClass] = {}
    for _, value, field_class in values:
        text = value.strip()
        if len(text) >= SHORTEST and field_class is not FieldClass.INTERNAL:
            found.setdefault(text, field_class)
        for number in account_numbers_in(text):
            found.setdefault(number, FieldClass.BANK)
        if len(found) >= _MOST_VALUES:
            break
    return found


def is_sensitive(content: bytes) -> bool:
    """Whether a document holds anything that is masked. Of what cannot be read nobody knows, so it counts as such."""
    values = sensitive_values(content)
    return values is None or bool(values)


def classified_values(content: bytes) -> Iterator[ClassifiedValue] | None:
    """Every text of a document with the names on the way to it and its class, in order; None of what cannot be read."""
    try:
        return _of_xml(parse(content).getroot(), [])
    except UnsafeXml:
        pass
    try:
        return _of_json(loads(content), [])
    except UnsafeJson:
        return None


def _of_xml(element: etree._Element, above: list[str]) -> Iterator[ClassifiedValue]:
    names = [*above, etree.QName(element).localname]
    children = list(element.iterchildren("*"))
    # A comment within a value cuts it for whoever reads its first piece alone, and not for the target.
    text = "".join([element.text or "", *(child.tail or "" for child in element)])
    if text.strip():
        is_creditor = names[-2:] == ["PartyIdentification", "ID"] and element.get("schemeID") == "SEPA"
        yield names, text, FieldClass.BANK if is_creditor else _class_at(names)
    for child in children:
        yield from _of_xml(child, names)


def _of_json(value: Any, above: list[str]) -> Iterator[ClassifiedValue]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _of_json(inner, [*above, str(name)])
    elif isinstance(value, list):
        for inner in value:
            yield from _of_json(inner, above)
    elif isinstance(value, str):
        yield above, value, _class_at(above)
