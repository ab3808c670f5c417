"""The master data of the demonstration: suppliers and a customer that the ERP did not take, or holds."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from integrations.demo.messages import DemoMessage
from integrations.demo.payments import account_of
from integrations.demo.targets import partner_refusal

MASTER_DATA: Final = "master-data"
# The supplier of the demonstration whose IBAN has two digits exchanged.
WRONG_ACCOUNT: Final = "S-2041"
# A known supplier whose account was closed, as the bank says of a payment: the new one is held until somebody calls.
NEW_ACCOUNT: Final = "S-2007"
_MOVED: Final = "Verbeek Onderhoud B.V."
# What mends a partner, by number: label of a field → value.
MENDS: Final[Mapping[str, Mapping[str, str]]] = {
    WRONG_ACCOUNT: {"Bank account (IBAN)": "NL91ABNA0417164300"},
    "S-2044": {"Payment terms": "N60"},
    "C-1012": {"VAT identifier": "DE611456413"},
}


@dataclass(frozen=True, slots=True)
class _Partner:
    number: str
    days_ago: int
    name: str
    country: str
    vat_id: str
    place: tuple[str, str, str]  # street, postal code, city
    iban: str = ""
    bic: str = ""
    terms: str = "N30"
    company: str = "NL01"
    known_account: str = ""  # the one that the ERP has


_PARTNERS: Final = (
    _Partner(
        WRONG_ACCOUNT, 3, "Rijnmond Hijsservice B.V.", "NL", "NL611907983B01",
        ("Waalhaven 41", "3087 BN", "Rotterdam"), "NL91ABNA0417163400", "ABNANL2A",
    ),
    _Partner(
        "S-2044", 2, "Elbtal Verpackung GmbH", "DE", "DE611115361", ("Hafenstrasse 9", "01067", "Dresden"),
        "DE89370400440532013000", "COBADEFFXXX", terms="N90", company="DE01",
    ),
    _Partner(
        NEW_ACCOUNT, 1, _MOVED, "NL", "NL604495445B01", ("Industrieweg 8", "5145 PD", "Waalwijk"),
        account_of(_MOVED, moved=True), "INGBNL2A", known_account=account_of(_MOVED),
    ),
    _Partner(
        "C-1012", 0, "Nordsee Kaltlager GmbH", "DE", "NL611456413B01", ("Am Kai 3", "27572", "Bremerhaven"),
        company="DE01",
    ),
)  # fmt: skip


def demo_partners(*, today: date) -> list[DemoMessage]:
    """Three suppliers and a customer. The same day gives the same bytes."""
    return [_message(partner, today=today, position=position) for position, partner in enumerate(_PARTNERS)]


def _message(partner: _Partner, *, today: date, position: int) -> DemoMessage:
    content = _content(partner, today)
    before = content | {"iban": partner.known_account} if partner.known_account else None
    payload = json.dumps(content, ensure_ascii=False, indent=2).encode()
    return DemoMessage(
        id=f"master-data:{partner.number}",
        connection_slug=MASTER_DATA,
        number=partner.number,
        payload=payload,
        refusal=partner_refusal(payload, before=before),
        refusal_media_type="application/json",
        received_days_ago=partner.days_ago,
        position=position,
        payload_media_type="application/json",
        refusal_status=400,
    )


def _content(partner: _Partner, today: date) -> dict[str, Any]:
    street, postal_code, city = partner.place
    texts = {
        "type": "supplier" if partner.number.startswith("S-") else "customer",
        "id": partner.number,
        "company": partner.company,
        "valid_from": (today - timedelta(days=partner.days_ago)).isoformat(),
        "name": partner.name,
        "country": partner.country,
        "vat_id": partner.vat_id,
        "street": street,
        "postal_code": postal_code,
        "city": city,
        "currency": "EUR",
        "payment_terms": partner.terms,
        "iban": partner.iban,
        "bic": partner.bic,
    }
    return {name: text for name, text in texts.items() if text}
