"""A partner as it came: which kind it is, what stands in it, and whether two say the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integrations.connectors.erp.values import text_of
from integrations.connectors.erp_master.terms import KINDS, TERMS
from integrations.refusals import MessageNotUnderstood
from integrations.safe_json import UnsafeJson, loads

VERSION = "version"  # on which change it is based: says nothing of the partner


@dataclass(frozen=True, slots=True)
class Partner:
    kind: str
    content: Mapping[str, Any]

    def text(self, name: str) -> str:
        return text_of(self.content.get(name)).strip()

    @property
    def number(self) -> str:
        return self.text("id")


def read_partner(payload: bytes) -> Partner:
    """Raises MessageNotUnderstood for what is no partner of a kind that we know, or has no number."""
    try:
        content = loads(payload)
    except UnsafeJson as error:
        raise MessageNotUnderstood(error.problem, remedy=error.remedy) from None
    known = " or ".join(KINDS)
    if not isinstance(content, dict):
        raise MessageNotUnderstood("The payload is no JSON object.", remedy=f"Send a partner with type {known}.")
    kind = content.get("type")
    if not isinstance(kind, str) or kind not in KINDS:
        raise MessageNotUnderstood("The payload is no partner.", remedy=f"Send the type {known}.")
    partner = Partner(kind, content)
    if not partner.number:
        raise MessageNotUnderstood(
            f"The {kind} has no number.", remedy="Send the number under id; the ERP keeps each partner under it."
        )
    return partner


def says_the_same(sent: Partner, found: Mapping[str, Any]) -> bool:
    """Whether the ERP's own copy of a change says what was sent.

    A field that we do not know counts only where both have it: the ERP need not give back everything.
    """
    shared = {name for name in sent.content if name in found and name not in TERMS}
    names = ({*TERMS, *shared}) - {VERSION}
    return found.get("type") == sent.kind and all(
        _value(sent.content.get(name)) == _value(found.get(name)) for name in names
    )


def _value(value: Any) -> object:
    return value if isinstance(value, dict | list) else text_of(value).strip()
