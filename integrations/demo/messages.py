"""The messages of the demonstration: what two legal entities' billing systems hand in, with what refused or held it."""

import json
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from integrations.demo.companies import MERIDIAN_DE, MERIDIAN_NL, Company, customer
from integrations.demo.faults import TOTALS, Fits, PlannedFault, with_text
from integrations.demo.invoices import InvoicePlan, LinePlan, build_invoice
from integrations.demo.planned_faults import fault
from integrations.demo.plans import STANDARD, plan_invoice
from integrations.demo.report import official_report

# The invoice of the README's walk: its total with VAT has two digits swapped.
HERO_NUMBER = "INV-2026-0417"
HERO_TOTAL = Decimal("14127.96")
_HERO_FAULT = PlannedFault(
    "total with VAT mistyped",
    ("BR-CO-15", "BR-CO-16"),
    Fits.DOMESTIC,
    with_text(f"{TOTALS}/cbc:TaxInclusiveAmount", "14172.96"),
)

_SELLERS = {"billing-nl": MERIDIAN_NL, "billing-de": MERIDIAN_DE}
_XML, _JSON = "application/xml", "application/json"
_LIMIT = Decimal(100000)  # euro


@dataclass(frozen=True, slots=True)
class DemoMessage:
    id: str
    connection_slug: str
    number: str
    payload: bytes
    refusal: bytes
    refusal_media_type: str
    received_days_ago: int
    position: int  # in the list, from 0: spreads the messages of one day
    payload_media_type: str = "application/xml"
    refusal_status: int | None = None  # of the HTTP answer, where there was one


@dataclass(frozen=True, slots=True)
class _Story:
    connection: str
    number: str
    days_ago: int
    buyer: str
    fault: str = ""
    hold: str = ""
    currency: str = "EUR"
    corrects: str = ""
    services: bool = False
    allowance: bool = False
    prepayment: bool = False


_STORIES = (
    _Story("billing-nl", "INV-2026-0398", 17, "Van Loon", "VAT breakdown amount wrong"),
    _Story("billing-nl", "INV-2026-0401", 15, "Kassen", "amount due wrong"),
    _Story("billing-nl", "INV-2026-0402", 14, "Ateliers", "buyer VAT identifier missing"),
    _Story("billing-nl", "INV-2026-0404", 12, "Compagnie", "reason for exemption missing"),
    _Story("billing-nl", "INV-2026-0405", 11, "Vandenbroeck", "country of delivery missing, other member state"),
    _Story("billing-nl", "INV-2026-0407", 10, "Brasserie", "sum of lines wrong"),
    _Story("billing-nl", "INV-2026-0408", 9, "Kowalczyk", "VAT in accounting currency missing", currency="PLN"),
    _Story("billing-nl", "INV-2026-0410", 8, "Skagen", "currency code invalid", currency="DKK"),
    _Story("billing-nl", "INV-2026-0411", 7, "Van Loon", "seller VAT identifier without country"),
    _Story("billing-nl", "INV-2026-0412", 6, "Officine", "reason for reverse charge missing", services=True),
    _Story("billing-nl", "INV-2026-0413", 5, "Tessitura", "delivery date missing"),
    _Story("billing-nl", "INV-2026-0414", 4, "Cerámicas", "buyer country code invalid"),
    _Story("billing-nl", "INV-2026-0415", 3, "Kassen", "reason for allowance missing", allowance=True),
    _Story("billing-nl", "INV-2026-0416", 2, "Brouwer", "unit code invalid"),
    _Story("billing-nl", HERO_NUMBER, 1, "Brouwer", _HERO_FAULT.name),
    _Story("billing-nl", "INV-2026-0418", 1, "Alpenglas", "total without VAT wrong"),
    _Story("billing-nl", "INV-2026-0419", 1, "Van Loon", "issue date missing"),
    _Story("billing-nl", "INV-2026-0420", 0, "Vandenbroeck", "amount due wrong", prepayment=True),
    _Story("billing-nl", "INV-2026-0421", 0, "Norrbottens", "total with VAT wrong", currency="SEK"),
    _Story("billing-nl", "CN-2026-0031", 6, "Kassen", "corrected invoice not named", corrects="INV-2026-0312"),
    _Story("billing-nl", "INV-2026-0422", 2, "Vandenbroeck", hold="AMOUNT_LIMIT"),
    _Story("billing-nl", "INV-2026-0423", 1, "Kowalczyk", hold="SANCTIONS_HIT"),
    _Story("billing-de", "RE-2026-1183", 13, "Hartmann", "total with VAT wrong"),
    _Story("billing-de", "RE-2026-1184", 11, "Oberland", "buyer country missing"),
    _Story("billing-de", "RE-2026-1186", 9, "Oberland", "buyer country missing"),
    _Story("billing-de", "RE-2026-1187", 8, "Nordlicht", "IBAN missing for credit transfer"),
    _Story("billing-de", "RE-2026-1189", 7, "Nordlicht", "IBAN missing for credit transfer"),
    _Story("billing-de", "RE-2026-1190", 5, "Hartmann", "line net amount wrong"),
    _Story("billing-de", "RE-2026-1192", 4, "Zakłady", "sum of lines wrong", currency="PLN"),
    _Story("billing-de", "RE-2026-1193", 3, "Ateliers", "scheme of buyer's address invalid"),
    _Story("billing-de", "RE-2026-1195", 2, "Alpenglas", "buyer VAT identifier missing, services", services=True),
    _Story("billing-de", "RE-2026-1196", 1, "Hartmann", "VAT breakdown amount wrong"),
    _Story("billing-de", "GS-2026-0058", 4, "Oberland", "payment means code invalid", corrects="RE-2026-1121"),
    _Story("billing-de", "RE-2026-1198", 1, "Hartmann", hold="AMOUNT_LIMIT"),
    _Story("billing-de", "RE-2026-1199", 0, "Zakłady", hold="SANCTIONS_HIT"),
)


def demo_messages(*, seed: int, today: date) -> list[DemoMessage]:
    """Thirty-one refused and four held documents. The same seed and day give the same bytes."""
    return [_message(story, seed=seed, today=today, position=position) for position, story in enumerate(_STORIES)]


def _message(story: _Story, *, seed: int, today: date, position: int) -> DemoMessage:
    plan = _plan(story, seed=seed, today=today)
    payload = build_invoice(plan)
    if story.hold:
        refusal, media_type = _hold_notice(story, plan), _JSON
    else:
        planned = _HERO_FAULT if story.number == HERO_NUMBER else fault(story.fault)
        payload = planned.apply(payload)
        refusal, media_type = official_report(payload), _XML
    return DemoMessage(
        id=f"{story.connection}:{story.number}",
        connection_slug=story.connection,
        number=story.number,
        payload=payload,
        refusal=refusal,
        refusal_media_type=media_type,
        received_days_ago=story.days_ago,
        position=position,
    )


def _plan(story: _Story, *, seed: int, today: date) -> InvoicePlan:
    issue_date = today - timedelta(days=story.days_ago + 1)
    plan = plan_invoice(
        # By story, so that a story added or changed leaves the others as they are.
        Random(f"{seed}|{story.number}"),  # noqa: S311 — repeatable, not secret
        number=story.number,
        seller=_SELLERS[story.connection],
        buyer=customer(story.buyer),
        issue_date=issue_date,
        currency=story.currency,
        with_allowance=story.allowance,
        with_prepayment=story.prepayment,
        corrects=(story.corrects, issue_date - timedelta(days=41)) if story.corrects else None,
        services=story.services,
    )
    if story.number == HERO_NUMBER:
        return replace(plan, lines=_hero_lines(plan.seller))
    if story.hold == "AMOUNT_LIMIT":
        cabinet = LinePlan(
            "Control cabinet, wired and tested", Decimal(22), "H87", Decimal("7860.00"), plan.lines[0].vat
        )
        return replace(plan, lines=(cabinet, *plan.lines))
    return plan


def _hero_lines(seller: Company) -> tuple[LinePlan, ...]:
    vat = STANDARD[seller.country]
    return (
        LinePlan("Servo drive SD-40, 4 kW", Decimal(4), "H87", Decimal("1284.50"), vat),
        LinePlan("Conveyor belt PU, food grade", Decimal(120), "MTR", Decimal("38.75"), vat),
        LinePlan("Commissioning on site", Decimal(16), "HUR", Decimal("118.00"), vat),
    )


def _hold_notice(story: _Story, plan: InvoicePlan) -> bytes:
    """What a policy engine or a screening says when it stops a document before it is sent."""
    notice: dict[str, str | int]
    if story.hold == "AMOUNT_LIMIT":
        notice = {
            "code": story.hold,
            "text": f"Total {plan.total_with_vat} {plan.currency} is above the limit for sending without release.",
            "field": "BT-112",
            "limit": str(_LIMIT),
            "currency": plan.currency,
        }
    else:
        notice = {
            "code": story.hold,
            "text": f"Screening of {plan.buyer.name} against the consolidated list scored 87 of 100.",
            "field": "BT-44",
            "matched": f"{plan.buyer.name.split()[0]} Trading House",
            "list": "EU consolidated financial sanctions list",
            "score": 87,
        }
    return json.dumps({"hold": notice}, ensure_ascii=False).encode()
