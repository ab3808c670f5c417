"""Every form of every page carries its CSRF token: the test client does not miss it, a browser does."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from django.db import connection
from django.test import Client
from django.urls import resolve, reverse
from guardian.shortcuts import assign_perm

from exceptions_app.actions import work
from exceptions_app.actions.approval_rules import Asked, propose_rule
from exceptions_app.actions.connections import pause
from exceptions_app.actions.decide import approve
from exceptions_app.actions.propose import propose_release, propose_replay
from exceptions_app.actions.retention import Asked as Kept
from exceptions_app.actions.retention import propose_policy
from exceptions_app.actions.settle import settle
from exceptions_app.actions.snoozing import snooze
from exceptions_app.demo_field_maps import seed_field_maps
from exceptions_app.forms import MOVE_FORMS
from exceptions_app.models import ExceptionCase
from exceptions_app.models.case import HELD_BY_FIELD_MAP
from exceptions_app.models.retention import RecordClass
from exceptions_app.states import Action, Kind, ProposalKind, WakesOn
from integrations import delivery
from integrations.models import Delivery, FolderProblem, InboxMessage
from tests import factories
from tests.cast import MORNING, Cast
from tests.exceptions_app.views.growing_access import held_and_kept, led, released
from tests.exceptions_app.views.repair import BROKEN, address, correction, mend, take_in, with_value
from tests.exceptions_app.views.test_case import HOLD
from tests.exceptions_app.views.test_pull_sources import make_source, missing
from tests.invoices import valid_invoice
from workbench.models import User

TOKEN = "csrfmiddlewaretoken"
LATER = MORNING + timedelta(hours=1)
ELSEWHERE = {
    "correct", "discard", "intake_read_again", "intake_set_aside", "quarantined_file_set_aside", "connection_pause",
    "connection_resume", "pull_source_now", "pull_source_pause", "pull_source_resume", "sequence_gap_set_aside",
    "field_map_edit", "field_map_use", "field_map_translate_held", "preferences", "logout", "login", "password_change",
    "sending_stop", "subscription", "notification_read", "notifications_read",
    "bulk_selection", "undo", "prove", "second_factor_set_up", "login_passkey", "passkey_add", "delegation_give",
    "reveal", "approval_rule_move", "approval_rule_propose", "routing_rule_move", "routing_rule_propose",
    "field_rule_move", "field_rule_propose", "retention_move",
    "retention_propose", "hold_place", "hold_lift", "erasure_move", "erasure_propose",
}  # fmt: skip
"""Names of the addresses that take a form, beside those of the moves."""
OF_AN_ERP = {Action.REVERSE.value, Action.REPORT_WRONG_BOOKING.value}
"""Moves that no exception of this cast has; their forms are made by the template of all moves."""


@dataclass
class PostedForm:
    """One form of a page, as a browser would send it."""

    action: str
    sent: dict[str, str] = field(default_factory=dict)


class Forms(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[PostedForm] = []
        self._open: PostedForm | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and given.get("method", "").lower() == "post":
            self._open = PostedForm(given.get("action", ""))
            self.found.append(self._open)
        elif tag == "input" and self._open is not None and "name" in given:
            self._open.sent[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None


def cases_in_every_state(cast: Cast) -> Iterator[ExceptionCase]:
    """One exception after the other, each to be looked at before it goes on."""
    yield take_in(cast, with_value(BROKEN, "BT-1", "INV-NEW"), external_id="new")
    yield factories.claim(factories.make_case(cast), cast.clerk)
    yield work.hold(factories.make_case(cast).pk, by=cast.clerk, at=MORNING, waiting_for="An answer")
    yield snooze(factories.make_case(cast).pk, by=cast.clerk, at=MORNING, wakes_on=WakesOn.COMMENT)
    for kind in factories.PROPOSING:
        is_held = kind in (ProposalKind.RELEASE, ProposalKind.DECLINE)
        case = factories.claim(factories.make_case(cast, kind=Kind.HELD if is_held else Kind.FAILED), cast.clerk)
        factories.make_proposal(case, cast.clerk, kind=kind)
        yield case
    yield factories.dismiss(
        factories.claim(factories.make_case(cast), cast.clerk), cast.clerk, approver=cast.controller
    )
    yield from sent(cast, with_value(BROKEN, "BT-1", "INV-UNKNOWN"), Delivery.State.UNKNOWN)
    yield from sent(cast, valid_invoice(), Delivery.State.CONFIRMED, refusal=HOLD)


def sent(cast: Cast, payload: bytes, ending: Delivery.State, *, refusal: bytes = b"") -> Iterator[ExceptionCase]:
    """Ready to be proposed, then under way, then as it ended."""
    case = take_in(cast, payload, refusal, external_id=f"sent-{ending}")
    if not refusal:
        mend(case, by=cast.clerk)
    yield case
    propose = propose_release if refusal else propose_replay
    proposal = propose(case.pk, by=cast.clerk, at=LATER, because="Mended.")
    approve(case.pk, by=cast.controller, at=LATER, frozen_sha256=proposal.frozen_sha256)
    connection.check_constraints()  # as at the end of the transaction of the approval
    yield case
    [claim] = delivery.claim(limit=1)
    settle(delivery.Settlement(claim.delivery, claim.epoch, ending, reference="CLR-1"), at=LATER)
    yield case


def drafted(cast: Cast, client: Client) -> tuple[str, ...]:
    """The page with a draft on it, the same with the whole document, and the comparison of one that is out of date."""
    current, outdated = (
        take_in(cast, with_value(BROKEN, "BT-1", number), external_id=number) for number in ("INV-DRAFT", "INV-OLD")
    )
    for case in (current, outdated):
        assert client.post(address(case, "draft"), correction(case, BT_2="2026-10-31")).status_code == 204
    mend(outdated, by=cast.second_clerk)
    return address(current), address(current, "raw"), address(outdated) + "draft/compare/"


def failed(cast: Cast) -> InboxMessage:
    return factories.make_message(cast, status=InboxMessage.Status.FAILED, problem="Line 1: not well-formed.")


def quarantined(cast: Cast) -> FolderProblem:
    return FolderProblem.objects.create(
        connection=cast.connection, file_name="big.xml", quarantined_as="quarantine/1/big.xml", problem="Too large.",
        remedy="Send a smaller document.", found_at=MORNING,
    )  # fmt: skip


def pages(cast: Cast, client: Client) -> Iterator[str]:
    """The address of every page, one after the other, the exceptions in each state."""
    yield from drafted(cast, client)
    for case in cases_in_every_state(cast):
        yield address(case)
    client.post(address(factories.make_case(cast, number="INV-UNDO"), "claim"))  # the next page offers to undo it
    told = factories.make_case(cast, number="INV-TOLD")
    work.comment(told.pk, by=cast.second_clerk, at=MORNING, text="@clara and @conrad")
    yield address(told, "answer")
    asked = Asked(above=Decimal(1), currency="EUR", approvers=2)
    ruled = propose_rule(asked, by=cast.administrator, at=MORNING, because="The group's policy.")
    held_and_kept(cast, 1)
    kept = Kept(record_class=RecordClass.DOCUMENTS, days=3650)
    propose_policy(kept, by=cast.administrator, at=MORNING, because="The law.")
    released(cast, 1)
    for name in (
        "notifications",
        "my_queue",
        "queue",
        "approvals",
        "search",
        "audit",
        "intake_failures",
        "connections",
        "approval_rules",
        "field_rules",
        "retention",
        "erasures",
    ):
        yield reverse(f"exceptions:{name}")
    yield f"{reverse('exceptions:approval_rules')}?rule={ruled.pk}"
    yield f"{reverse('exceptions:routing_rules')}?rule={led(cast, 1).pk}"
    yield reverse("exceptions:intake_failure", args=[failed(cast).pk])
    yield reverse("exceptions:quarantined_file", args=[quarantined(cast).pk])
    fetched, halted = make_source(cast, "fetched"), make_source(cast, "halted", paused_at=MORNING)
    yield from (reverse("exceptions:pull_source", args=[source.slug]) for source in (fetched, halted))
    yield reverse("exceptions:sequence_gap", args=[missing(fetched).pk])
    switch = reverse("exceptions:connection", args=[cast.connection.slug])
    yield switch
    seed_field_maps(cast.connection, by=cast.clerk, at=MORNING)
    yield address(factories.make_case(cast, number="INV-MAPPED", sub=HELD_BY_FIELD_MAP))
    yield reverse("exceptions:field_maps", args=[cast.connection.slug])
    yield reverse("exceptions:field_map", args=[cast.connection.slug, "inbound-invoice"])
    yield reverse("exceptions:field_map_version", args=[cast.connection.slug, "inbound-invoice", 1])
    yield reverse("exceptions:field_map_compare", args=[cast.connection.slug, "inbound-invoice"])
    pause(cast.connection.pk, by=cast.clerk, at=MORNING, because="Maintenance.")
    yield switch
    yield reverse("password_change")
    yield reverse("password_change_done")
    yield reverse("prove")
    yield reverse("sessions")
    yield reverse("passkey_add")
    yield reverse("second_factor")
    yield reverse("second_factor_set_up")


def looked_over(client: Client, address: str) -> set[str]:
    """What the forms of a page lead to, by name, after a look at each. A page that one may not see has none."""
    response = client.get(address, follow=True)
    if response.status_code in (403, 404):
        return set()
    assert response.status_code == 200, address
    forms = Forms(response.content.decode()).found
    assert [form.action for form in forms if not form.sent.get(TOKEN)] == [], address
    return {resolve(form.action or address).url_name or "" for form in forms}


def test_every_form_of_every_page_has_its_token(cast, signed_in):
    assign_perm("configure_connection", cast.clerk, cast.connection)
    readers = [signed_in(person) for person in (cast.clerk, cast.controller)]
    seen = looked_over(Client(), reverse("login"))
    for page in pages(cast, readers[0]):
        for reader in readers:
            seen |= looked_over(reader, page)
    assert seen == (ELSEWHERE | {action.value for action in MOVE_FORMS}) - OF_AN_ERP


def browser_of(person: User) -> Client:
    """A browser as it is: what comes without the token of the page is refused."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(person)
    return client


def send(client: Client, page: str, action: str, **typed: str) -> int:
    """Send the form of a page as it is written there. Returns the status of the answer."""
    forms = Forms(client.get(page).content.decode()).found
    form = next(form for form in forms if form.action == action)
    assert client.post(action, typed).status_code == 403  # without the token
    return client.post(action, form.sent | typed).status_code


@pytest.mark.parametrize(
    ("name", "status"),
    [("intake_read_again", InboxMessage.Status.PENDING), ("intake_set_aside", InboxMessage.Status.SET_ASIDE)],
)
def test_message_that_could_not_be_read_is_dealt_with_from_its_page(cast, name, status):
    message = failed(cast)
    page, action = (reverse(f"exceptions:{which}", args=[message.pk]) for which in ("intake_failure", name))
    assert send(browser_of(cast.clerk), page, action, because="Sent again.") == 302
    message.refresh_from_db()
    assert message.status == status


def test_connection_is_paused_and_resumed_from_its_page(cast):
    assign_perm("configure_connection", cast.clerk, cast.connection)
    page, *actions = (
        reverse(f"exceptions:{name}", args=[cast.connection.slug])
        for name in ("connection", "connection_pause", "connection_resume")
    )
    client, paused = browser_of(cast.clerk), []
    for action in actions:
        assert send(client, page, action, because="Maintenance.") == 302
        cast.connection.refresh_from_db()
        paused.append(cast.connection.is_paused)
    assert paused == [True, False]


def test_file_in_quarantine_is_set_aside_from_its_page(cast):
    file = quarantined(cast)
    page, action = (
        reverse(f"exceptions:{name}", args=[file.pk]) for name in ("quarantined_file", "quarantined_file_set_aside")
    )
    assert send(browser_of(cast.clerk), page, action, because="Sent again.") == 302
    file.refresh_from_db()
    assert file.set_aside_at is not None


def test_move_is_made_from_the_page(cast):
    case = factories.make_case(cast)
    assert send(browser_of(cast.clerk), address(case), address(case, Action.CLAIM)) == 302
    case.refresh_from_db()
    assert case.assignee == cast.clerk
