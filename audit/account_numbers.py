"""Account numbers in any text, told by their own check digits, and masked.

An IBAN is the one sensitive value that shows by itself what it is (ISO 13616, ISO 7064 mod 97-10), and a mistyped one
nearly so. It is found wherever it stands: in a sentence, in an answer of another system, in a log line. Everything else
that is masked is known by the field in which it stands, and that is the business of another room.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Final

from django.utils.crypto import salted_hmac

HIDDEN: Final = "••••"
"""Stands for what is not shown. No value of a document may hold two of these marks in a row."""

# Lengths by country: the registry of ISO 13616.
_LENGTHS: Final = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV", 22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip
# As banks of these countries number their accounts, by which a mistyped IBAN is still known for one. Not of Norway: its
# thirteen digits after NO are too many other numbers.
_SHAPES: Final = re.compile(
    r"AT\d{18}|BE\d{14}|DE\d{20}|(?:DK|FI)\d{16}|(?:CZ|ES|SE|SK)\d{22}|(?:HU|PL)\d{26}|PT\d{23}|NL\d\d[A-Z]{4}\d{10}|"
    r"(?:CH|LI)\d{7}[A-Z0-9]{12}|(?:FR|MC)\d{12}[A-Z0-9]{11}\d\d|(?:GB|IE)\d\d[A-Z]{4}\d{14}|"
    r"(?:IT|SM)\d\d[A-Z]\d{10}[A-Z0-9]{12}|LU\d{5}[A-Z0-9]{13}"
)
_START: Final = re.compile(r"(?<![^\W_])[A-Za-z]{2}[0-9]{2}")
# The groups of a random identifier, as each request has one, are now and then the length and digits of an account.
_UUID: Final = re.compile(r"(?<![0-9a-f\-])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![0-9a-f\-])")
_UUID_LENGTH: Final = 36
# How people and forms set the groups of four apart; at most one between two characters.
_GAP: Final = re.compile(r"[ \u00a0\u202f.+\-]|&nbsp;|&#160;|%20")


def masked_iban(number: str) -> str:
    """The country and the last four, by which its owner knows it again."""
    return f"{number[:2].upper()}{HIDDEN}{number[-4:].upper()}"


def without_account_numbers(
    text: str, *, known: Collection[str] = (), instead: Callable[[str], str] = masked_iban
) -> str:
    """The text with every IBAN masked, whatever its spaces and case; those in `known` stay, in capitals and joined."""
    parts, at = [], 0
    for found in _START.finditer(text):
        if found.start() < at:
            continue
        number, end = _number_at(text, found.start())
        if number and number not in known and not _is_in_uuid(text, found.start()):
            parts += [text[at : found.start()], instead(number)]
            at = end
    return "".join([*parts, text[at:]]) if parts else text


def fingerprint(value: str) -> str:
    """By which two equal values are known for equal without being told; keyed, so that it cannot be tried out."""
    joined = "".join(value.split()).upper()
    return salted_hmac("audit.account_numbers", joined, algorithm="sha256").hexdigest()[:16]


def masked_for_the_trail(number: str) -> str:
    """As it stands in an audit event: enough to know it again, and to tell whether two were the same."""
    return f"{masked_iban(number)} #{fingerprint(number)}"


def account_numbers_in(text: str) -> set[str]:
    """Every IBAN of a text, in capitals and joined."""
    found: set[str] = set()

    def note(number: str) -> str:
        found.add(number)
        return number

    without_account_numbers(text, instead=note)
    return found


def masked_in(value: object, *, instead: Callable[[str], str] = masked_iban) -> object:
    """The same of every text in a nested value, such as the data of an event; names stay."""
    if isinstance(value, str):
        return without_account_numbers(value, instead=instead)
    if isinstance(value, Mapping):
        return {name: masked_in(inner, instead=instead) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked_in(inner, instead=instead) for inner in value]
    return value


def _is_in_uuid(text: str, place: int) -> bool:
    around = _UUID.finditer(text, max(place - _UUID_LENGTH, 0), place + _UUID_LENGTH)
    return any(found.start() <= place < found.end() for found in around)


def _number_at(text: str, start: int) -> tuple[str, int]:
    """The IBAN that begins there and where it ends; an empty text when there is none."""
    length = _LENGTHS.get(text[start : start + 2].upper())
    taken, at = "", start
    while length is not None and len(taken) < length and at < len(text):
        if text[at].isascii() and text[at].isalnum():
            taken, at = taken + text[at].upper(), at + 1
            continue
        gap = _GAP.match(text, at)
        if gap is None:
            break
        at = gap.end()
        if not (at < len(text) and text[at].isascii() and text[at].isalnum()):
            break
    if length is None or len(taken) < length or text[at : at + 1].isalnum():
        return "", start
    if is_iban(taken):
        return taken, at
    # Two exchanged digits are what people mend here. A document named by its account, as a bank's is, has a "|" behind.
    is_mistyped = text[start:at] == taken and _SHAPES.fullmatch(taken) is not None
    return (taken, at) if is_mistyped or text[at : at + 1] == "|" else ("", start)


def is_iban(number: str) -> bool:
    """Whether the length is that of its country and the check digits hold; joined and in capitals."""
    if len(number) != _LENGTHS.get(number[:2]):
        return False
    turned = number[4:] + number[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1
