"""An exception whose masked fields hold values that stand nowhere else, and every address that could give them away."""

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from django.test import Client
from django.urls import NoReverseMatch, URLPattern, reverse

from exceptions_app.actions import inbox as subscriptions
from exceptions_app.actions import work
from exceptions_app.actions.correct import correct
from exceptions_app.actions.propose import propose_replay
from exceptions_app.api import urls as api_urls
from exceptions_app.models import ExceptionCase, Notification, Occurrence, Proposal
from exceptions_app.urls import case as case_urls
from integrations.connectors.en16931 import connector
from integrations.demo.companies import MERIDIAN_NL
from tests import addresses
from tests.cast import MORNING, Cast
from tests.exceptions_app.views.repair import BROKEN, field, latest, take_in

CAME_WITH, IS_NOW, IN_A_TEXT = "NL20INGB0001234567", "DE89370400440532013000", "FR1420041010050500013M02606"
MISTYPED = "BE68539007547043"  # two digits exchanged: no check digits tell that it is an account
BIC, MANDATE, CARD = "PLNTNL2AXXX", "MNDT-77-120", "41111111"
CONTACT, TELEPHONE, MAIL = "Quirina O'Zonneveld", "+31 20 5550917", "quirina@planted.example"
VALUES = (CAME_WITH, IS_NOW, IN_A_TEXT, MISTYPED, BIC, MANDATE, CONTACT, TELEPHONE, MAIL)

_MEANS = f"""<cac:PayeeFinancialAccount><cbc:ID>{CAME_WITH}</cbc:ID>\
<cac:FinancialInstitutionBranch><cbc:ID>{BIC}</cbc:ID></cac:FinancialInstitutionBranch></cac:PayeeFinancialAccount>\
<cac:PaymentMandate><cbc:ID>{MANDATE}</cbc:ID>\
<cac:PayerFinancialAccount><cbc:ID>{MISTYPED}</cbc:ID></cac:PayerFinancialAccount></cac:PaymentMandate>"""
_CONTACT = f"""<cac:Contact><cbc:Name>{html.escape(CONTACT)}</cbc:Name><cbc:Telephone>{TELEPHONE}</cbc:Telephone>\
<cbc:ElectronicMail>{MAIL}</cbc:ElectronicMail></cac:Contact>"""


def _between(content: str, start: str, end: str, new: str) -> str:
    before, _, rest = content.partition(start)
    return before + new + rest.partition(end)[2]


def document() -> bytes:
    text = BROKEN.decode()
    text = _between(text, "<cac:PayeeFinancialAccount>", "</cac:PayeeFinancialAccount>", _MEANS)
    text = _between(text, "<cac:Contact>", "</cac:Contact>", _CONTACT)
    note = f"<cbc:Note>Ask {html.escape(CONTACT)}, {MAIL}, or pay to {spaced(IN_A_TEXT)}.</cbc:Note>"
    return text.replace("</cbc:InvoiceTypeCode>", f"</cbc:InvoiceTypeCode>{note}", 1).encode()


def spaced(number: str) -> str:
    return " ".join(number[place : place + 4] for place in range(0, len(number), 4))


@dataclass(frozen=True, slots=True)
class Planted:
    case: ExceptionCase
    proposal: Proposal


def plant(cast: Cast) -> Planted:
    """Taken in, talked about, corrected in its account, and proposed; several people are told of it."""
    case = take_in(cast, document())
    for person in (cast.support, cast.auditor, cast.controller, cast.second_clerk):
        subscriptions.subscribe(case, "changes", by=person, at=MORNING)
    work.comment(case.pk, by=cast.clerk, at=MORNING, text=f"By telephone: {spaced(IS_NOW)}, not {CAME_WITH}. @conrad")
    operations = connector.operations_for(
        bytes(latest(case).content), {field(case, "BT-2").path: "2026-11-02", field(case, "BT-84").path: IS_NOW}
    )
    why = f"The account is {IS_NOW}."
    correct(case.pk, by=cast.clerk, at=MORNING, because=why, base_version=1, operations=operations)
    proposal = propose_replay(case.pk, by=cast.clerk, at=MORNING, because="It is right now.")
    case.refresh_from_db()
    return Planted(case, proposal)


def given_away(response: Any, values: Sequence[str] = VALUES) -> list[str]:
    """Which of the planted values stand in an answer, in whatever way they are written there."""
    body = b"".join(response.streaming_content) if response.streaming else response.content
    text = body.decode("utf-8", errors="replace")
    headers = " ".join(f"{name}: {value}" for name, value in response.headers.items())
    ways = " ".join((text, html.unescape(text), unquote_plus(text), headers))
    joined = "".join(ways.split())
    return [value for value in values if value in ways or "".join(value.split()) in joined]


def readers(planted: Planted) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Address after address with its headers: what speaks of the exception, and every list that could name it."""
    yield from ((address, {}) for address in _of_the_exception(planted))
    url = reverse("exceptions:case", args=[planted.case.ref])
    for tab in ("timeline", "versions", "attempts", "arrivals"):
        yield f"{url}?tab={tab}", {}
        yield f"{url}?tab={tab}", {"HX-Request": "true", "HX-Target": "case-history"}
    yield url, {"HX-Request": "true"}
    for name in addresses.pages():
        if (found := _without_arguments(name)) is not None:
            yield found, {}
            yield found, {"HX-Request": "true"}
    for pattern in api_urls.urlpatterns:
        if (found := _without_arguments(f"api:{pattern.name}")) is not None:
            yield found, {}
    for query in ("INV-1001", MERIDIAN_NL.name, "planted.example", "Zonneveld", BIC[:6], CAME_WITH[:10]):
        for name in ("exceptions:search", "exceptions:palette", "api:search"):
            yield f"{reverse(name)}?q={query}", {}
    yield reverse("exceptions:cause", args=[planted.case.cause_id]) if planted.case.cause_id else url, {}
    yield f"{reverse('exceptions:audit_export')}?since=&format=csv", {}
    yield f"{reverse('exceptions:audit_export')}?since=&format=jsonl", {}
    yield f"{reverse('exceptions:effects_export')}?since=2026-01-01&until=2026-12-31", {}
    for told in Notification.objects.all():
        yield reverse("exceptions:notification", args=[told.pk]), {}


def _of_the_exception(planted: Planted) -> Iterator[str]:
    """Whatever is added below the address of an exception, of the pages and of the API, is in it by itself."""
    occurrence = Occurrence.objects.get(case=planted.case)
    known = {
        "ref": planted.case.ref, "number": 1, "occurrence_id": occurrence.pk, "proposal_id": planted.proposal.pk,
        "attachment_id": 1,
    }  # fmt: skip
    for namespace, patterns in (("exceptions", case_urls.urlpatterns), ("api", api_urls.urlpatterns)):
        for pattern in patterns:
            names = set(pattern.pattern.converters)
            if "exceptions/<str:ref>" in str(pattern.pattern) and isinstance(pattern, URLPattern):
                yield reverse(f"{namespace}:{pattern.name}", kwargs={name: known[name] for name in names})
    yield reverse("exceptions:version", args=[planted.case.ref, 2])


def _without_arguments(name: str) -> str | None:
    try:
        return reverse(name)
    except NoReverseMatch:
        return None


def leaks(client: Client, planted: Planted, values: Sequence[str] = VALUES) -> dict[str, list[str]]:
    """Address → what it gave away to that person. What answers with an error of ours is no answer."""
    found: dict[str, list[str]] = {}
    for address, headers in readers(planted):
        response = client.get(address, headers=dict(headers))
        assert response.status_code < 500, address
        if said := given_away(response, values):
            found[address] = said
    return found
