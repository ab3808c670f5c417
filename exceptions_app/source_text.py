"""The text of a document, or of a piece of one, with what is masked in it masked.

What can be read whole is masked by its fields, and by the names around a value. A piece, and what is not well formed,
by these names alone, which takes away rather too much than too little: it is for looking at, no document is made of it.
"""

import re
from typing import Final

from audit.account_numbers import HIDDEN, without_account_numbers
from exceptions_app.field_classes import is_masked, sensitive_values
from exceptions_app.veil import Veil

_REGIONS: Final = (
    "Contact|Person|PayeeFinancialAccount|PayerFinancialAccount|PaymentMandate|CardAccount|CtctDtls|PrvtId|"
    "CdtrAcct|DbtrAcct|CdtrAgt|DbtrAgt|IBAN|BICFI|BIC|MmbId|MndtId|Telephone|Telefax|ElectronicMail"
)
_REGION: Final = re.compile(
    rf"<(?P<open>(?:[\w.-]+:)?(?:{_REGIONS}))(?:\s[^<>]*)?>(?P<inside>.*?)(?:</(?P=open)\s*>|\Z)", re.DOTALL
)
_LEAF: Final = re.compile(r">([^<>]*[^<>\s][^<>]*)(?=<|\Z)")
_MEMBER: Final = re.compile(
    r"(\"(?:iban|bic|phone|telephone|email|e_mail|mail)\"\s*:\s*\")(?!••|[^\"]*••)[^\"]*", re.IGNORECASE
)
_MAIL: Final = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")


def masked_text(text: str, *, whole: bytes | None = None) -> str:
    """A document as it may be looked at; `whole` are its bytes where the text is all of it."""
    values = sensitive_values(whole) if whole is not None else None
    if values is None:
        return _MAIL.sub(HIDDEN, _by_names(text))
    # By names as well: a value may be written with references or escapes, by which it is not known.
    return _by_names(Veil(values).source(text))


def holds_masked(content: bytes) -> bool:
    """Whether there is anything to mask in the bytes of an answer, whatever they are."""
    values = sensitive_values(content)
    if values is not None:
        return bool(values)
    text = content.decode("utf-8", errors="replace")
    return masked_text(text) != text


def _by_names(text: str) -> str:
    text = _REGION.sub(lambda found: _LEAF.sub(_hidden, found[0]), text)
    return without_account_numbers(_MEMBER.sub(rf"\g<1>{HIDDEN}", text))


def _hidden(found: re.Match[str]) -> str:
    return found[0] if is_masked(found[1]) else f">{HIDDEN}"
