"""The rules that bind EN 16931 to UBL: what may stand once, and what has no place in an invoice of the standard."""

import re
from typing import Final

# What may stand only once: the terms of which a second one is too many.
ONLY_ONCE: Final[dict[str, str]] = {
    "UBL-SR-01": "BT-12",
    "UBL-SR-02": "BT-15",
    "UBL-SR-03": "BT-16",
    "UBL-SR-04": "BT-18",
    "UBL-SR-05": "BT-20",
    "UBL-SR-06": "BT-25",
    "UBL-SR-08": "BT-73 BT-74 BT-8",
    "UBL-SR-09": "BT-27",
    "UBL-SR-10": "BT-28",
    "UBL-SR-11": "BT-30",
    "UBL-SR-12": "BT-31",
    "UBL-SR-13": "BT-32",
    "UBL-SR-14": "BT-33",
    "UBL-SR-15": "BT-44",
    "UBL-SR-16": "BT-46",
    "UBL-SR-17": "BT-47",
    "UBL-SR-18": "BT-48",
    "UBL-SR-22": "BT-62",
    "UBL-SR-23": "BT-63",
    "UBL-SR-24": "BT-72 BT-70 BT-71 BT-75 BT-76 BT-77 BT-78 BT-79 BT-80",
    "UBL-SR-25": "BT-70",
    "UBL-SR-26": "BT-83",
    "UBL-SR-27": "BT-81",
    "UBL-SR-28": "BT-89",
    "UBL-SR-29": "BT-90",
    "UBL-SR-30": "BT-97 BT-139",
    "UBL-SR-31": "BT-104 BT-144",
    "UBL-SR-32": "BT-120",
    "UBL-SR-33": "BT-123",
    "UBL-SR-34": "BT-127",
    "UBL-SR-35": "BT-132",
    "UBL-SR-36": "BT-134 BT-135",
    "UBL-SR-37": "BT-147",
    "UBL-SR-39": "BT-11",
    "UBL-SR-40": "BT-45",
    "UBL-SR-42": "BT-31 BT-32",
    "UBL-SR-45": "BT-9",
    "UBL-SR-46": "BT-82",
    "UBL-SR-49": "BT-8",
    "UBL-SR-50": "BT-154",
    "UBL-SR-51": "BT-162 BT-163 BT-164 BT-165",
    "UBL-SR-52": "BT-128",
    "UBL-SR-54": "BT-87 BT-88",
    "UBL-SR-55": "BT-89 BT-91",
    "UBL-SR-56": "BT-17",
}

SYNTAX_RULES: Final[dict[str, tuple[str, str]]] = {
    "UBL-DT-01": ("", "The amount has more than two decimals."),
    "UBL-DT-06": ("BT-125-1", "The attachment does not say of which type it is, such as application/pdf."),
    "UBL-DT-07": ("BT-125-2", "The attachment has no file name."),
    "UBL-SR-07": ("BT-25", "The reference to the preceding invoice has no invoice number."),
    "UBL-SR-19": ("BT-59", "The payee must be named once, and be another than the seller."),
    "UBL-SR-20": ("BT-60 BT-59", "The payee may have one identifier, and must be another than the seller."),
    "UBL-SR-21": ("BT-61 BT-59", "The payee may have one registration, and must be another than the seller."),
    "UBL-SR-43": ("BT-18-1", "Only the reference to the invoiced object (type code 130) may have a scheme."),
    "UBL-SR-44": ("BT-83", "The payment means carry different remittance information. It must be the same in all."),
    "UBL-SR-47": ("BT-81", "The payment means have different type codes. They must be the same."),
    "UBL-SR-48": ("BT-151", "The line must have exactly one VAT category."),
    "UBL-SR-53": ("BT-31 BT-48 BT-63 BT-32", "A tax scheme is named without the identifier that belongs to it."),
    "UBL-CR-665": ("BT-18-1", "Only the reference to the invoiced object (type code 130) may have a scheme."),
    "UBL-CR-666": ("BT-18", "The reference to the invoiced object (type code 130) must not carry an attachment."),
    "UBL-CR-673": ("BT-123 BT-18", "The reference to the invoiced object (type code 130) must not have a description."),
}
UNWANTED: Final = frozenset({"UBL-SR-43", "UBL-CR-665", "UBL-CR-666", "UBL-CR-673"})

_NOT_IN_THE_STANDARD: Final = re.compile(r"UBL-(?:CR|DT)-\d+")
_UNEXPECTED: Final = re.compile(r"not\(([^()]+|\((?:cac:\w+\|?)+\)[^()]+)\)(?: or .*)?")
_COUNTED: Final = re.compile(r"count\((//@\w+)\)")
_EITHER_LINE: Final = re.compile(r"\((?:cac:\w+\|)+cac:\w+\)")


def is_outside_the_standard(code: str) -> bool:
    """Whether a rule objects to something that UBL has and EN 16931 has not."""
    return _NOT_IN_THE_STANDARD.fullmatch(code) is not None and code not in SYNTAX_RULES


def unexpected_place(test: str, line: str) -> str:
    """The path that the test of such a rule wants to find empty; `line` is what a line of the document is called."""
    found = _UNEXPECTED.fullmatch(test.strip()) or _COUNTED.match(test.strip())
    return _EITHER_LINE.sub(line, found[1]).replace("//@", "//*/@") if found else ""
