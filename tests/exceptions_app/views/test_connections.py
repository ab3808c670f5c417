"""Connections: state and promises for those who have to do with them, no secret and no payload for anybody."""

import dataclasses
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now
from guardian.shortcuts import assign_perm

from audit.models import AuditEvent
from exceptions_app.actions.connections import save_configuration
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import Route
from exceptions_app.queries.connection_reach import connection_reach_of
from exceptions_app.queries.connections import case_number, connections_with_state, recent_deliveries
from exceptions_app.states import Verb
from exceptions_app.targets import without_secrets
from exceptions_app.views.connections import promises_in_words
from integrations import outbox
from integrations.connectors.base import TargetKind
from integrations.connectors.registry import CONNECTORS
from integrations.models import Connection, Delivery, DeliveryAttempt, InboxMessage
from tests import factories
from tests.arrivals import configure
from tests.cast import MORNING, SET_UP_AT, Cast, grant


def page(cast: Cast, name: str = "connection") -> str:
    return reverse(f"exceptions:{name}", args=[cast.connection.slug])


@transaction.atomic
def deliver(cast: Cast, subject: str, *, key: str = "INV-1", state: str = "queued", **more: object) -> Delivery:
    delivery = outbox.enqueue(
        connection=cast.connection, operation=Delivery.Operation.SUBMIT, object_type="invoice", business_key=key,
        content=b"<SecretPayload/>" + key.encode(), media_type="application/xml", subject=subject, probe_first=False,
        at=MORNING,
    )  # fmt: skip
    Delivery.objects.filter(pk=delivery.pk).update(state=state, **more)
    return delivery


@pytest.mark.parametrize("who", ["clerk", "local_clerk", "controller", "support", "auditor"])
def test_connections_are_shown_to_who_has_a_role_there(cast, signed_in, who):
    client = signed_in(getattr(cast, who))
    assert "Tax authority" in client.get(reverse("exceptions:connections")).content.decode()
    assert client.get(page(cast)).status_code == 200


@pytest.mark.parametrize("who", ["outsider", "administrator"])
def test_connections_are_hidden_from_everybody_else(cast, signed_in, who):
    client = signed_in(getattr(cast, who))
    refused = client.get(reverse("exceptions:connections"))
    assert refused.status_code == 403
    assert "You may not see any connection" in refused.content.decode()
    assert client.get(page(cast)).status_code == 404
    for name in ("connection_pause", "connection_resume"):
        assert client.post(page(cast, name), {"because": "x"}).status_code == 404
    cast.connection.refresh_from_db()
    assert not cast.connection.is_paused


def test_connections_of_other_queues_are_not_shown(cast, signed_in):
    bank = Connection(slug="bank", name="Bank", connector="en16931")
    save_configuration(bank, by=machine(SETUP), at=SET_UP_AT)
    save_configuration(
        Route(position=2, connection=bank, queue=cast.holds, entity=cast.germany), by=machine(SETUP), at=SET_UP_AT
    )
    assert connection_reach_of(cast.local_clerk).seen == {cast.connection.pk}
    assert connection_reach_of(cast.clerk).seen == {cast.connection.pk, bank.pk}
    assert signed_in(cast.local_clerk).get(reverse("exceptions:connection", args=["bank"])).status_code == 404


@pytest.mark.parametrize("permission", ["ingest_messages", "configure_connection"])
def test_grant_on_the_connection_itself_is_enough(cast, signed_in, permission):
    assign_perm(permission, cast.outsider, cast.connection)
    assert signed_in(cast.outsider).get(page(cast)).status_code == 200


def test_connection_shows_what_waits_and_what_came_last(cast, signed_in):
    at = now()
    deliver(cast, "case:EX-1", key="a")
    deliver(cast, "case:EX-1", key="b", state="probing")
    deliver(cast, "case:EX-1", key="c", state="unknown")
    deliver(cast, "case:EX-1", key="d", state="refused", finished_at=at)
    deliver(cast, "case:EX-1", key="e", state="refused", finished_at=at - timedelta(days=8))
    deliver(cast, "case:EX-1", key="f", state="confirmed", finished_at=MORNING)
    factories.make_message(cast, status=InboxMessage.Status.PENDING, external_id="p")
    factories.make_message(cast, status=InboxMessage.Status.FAILED, external_id="f", at=MORNING + timedelta(hours=1))
    columns = ("waiting", "unknown", "refused", "unread", "failures", "last_delivery_at", "last_message_at")
    found = connections_with_state([cast.connection.pk], at=at).values_list(*columns).get()
    assert found == (2, 1, 1, 1, 1, MORNING, MORNING + timedelta(hours=1))
    link = f"{reverse('exceptions:intake_failures')}?connection=tax-authority"
    assert link in signed_in(cast.clerk).get(reverse("exceptions:connections")).content.decode()
    assert link not in signed_in(cast.support).get(reverse("exceptions:connections")).content.decode()


def test_connection_shows_promises_in_words(cast, signed_in):
    shown = signed_in(cast.support).get(page(cast)).content.decode()
    declared = CONNECTORS["en16931"].capabilities
    for words in (
        "Recognises a repeat by the key", "invoice number and seller", "5 seconds", "no end declared",
        declared.check_name, *declared.already_exists, *(throttle.in_words for throttle in declared.throttles),
    ):  # fmt: skip
        assert words in shown


@pytest.mark.parametrize(
    ("kind", "resends", "words"),
    [
        (TargetKind.DEDUPLICATES, False, "By itself"),
        (TargetKind.UPSERTS, False, "By itself"),
        (TargetKind.ASKABLE, False, "has not opted in"),
        (TargetKind.ASKABLE, True, "By itself"),
        (TargetKind.NEITHER, True, "Only when a person decides"),
    ],
)
def test_promises_say_who_sends_again(kind, resends, words):
    declared = dataclasses.replace(
        CONNECTORS["en16931"].capabilities, target_kind=kind, key_life=timedelta(days=2), checks_natively=False
    )
    promises = promises_in_words(declared, resends=resends)
    assert words in promises.resend
    assert promises.key_life == "2 days"
    assert promises.check.endswith("a check of ours, which the target may not share")


def test_connection_says_where_it_promises_less_than_its_connector(cast, signed_in):
    configure(cast.connection, connector="iso20022", target_kind="askable", collect_seconds=30)
    shown = signed_in(cast.support).get(page(cast)).content.decode()
    assert "Can only be asked whether it has the document. Set on this connection; its connector declares" in shown
    assert "Up to 500 in one file; the first that is approved waits 30 seconds for others." in shown


def test_connection_with_unknown_connector_is_shown_all_the_same(cast, signed_in):
    cast.connection.connector = "gone"
    save_configuration(cast.connection, by=machine(SETUP), at=SET_UP_AT)
    shown = signed_in(cast.support).get(page(cast)).content.decode()
    assert "gone (not installed)" in shown
    assert "No connector of that name is installed" in shown


def test_connection_never_shows_secrets_or_payload(cast, signed_in):
    cast.connection.target_token = "token-of-the-target"
    cast.connection.target_url = "https://user:hunter2@tax.example/api?key=in-the-query#part"
    save_configuration(cast.connection, by=machine(SETUP), at=SET_UP_AT)
    case = factories.make_case(cast)
    deliver(cast, case.subject)
    assign_perm("configure_connection", cast.clerk, cast.connection)
    shown = signed_in(cast.clerk).get(page(cast)).content.decode()
    for secret in ("token-of-the-target", "hunter2", "in-the-query", "SecretPayload"):
        assert secret not in shown
    assert "https://tax.example/api" in shown
    assert ">\n        set\n" in shown
    assert ">\n        not set\n" in shown


def test_address_is_shown_without_secrets():
    assert without_secrets("https://user:word@host.example:8443/a/b?token=1#x") == "https://host.example:8443/a/b"
    assert without_secrets("") == ""


def test_recent_deliveries_are_those_of_visible_exceptions(cast, signed_in):
    mine = factories.make_case(cast, number="INV-MINE")
    other = factories.make_case(cast, number="INV-OTHER", entity=cast.germany)
    shown = deliver(cast, mine.subject, key="INV-MINE", state="refused", detail="The total is wrong.")
    deliver(cast, other.subject, key="INV-OTHER")
    for epoch in (1, 2):
        DeliveryAttempt.objects.create(
            delivery=shown, phase="send", epoch=epoch, started_at=MORNING, content_sha256=shown.content_sha256
        )
    found = recent_deliveries(cast.connection, cast.local_clerk)
    assert [row.business_key for row in found.shown] == ["INV-MINE"]
    assert found.hidden == 1
    text = signed_in(cast.local_clerk).get(page(cast)).content.decode()
    assert "The total is wrong." in text
    assert '<td class="num" data-label="Attempts">2</td>' in text
    assert "INV-OTHER" not in text
    assert "1 more of the newest belongs to" in text


@pytest.mark.parametrize(
    ("subject", "number"),
    [("case:EX-1042", 1042), ("case:EX-", None), ("message:7", None), ("case:EX-\u0661", None), ("case:7", None)],
)
def test_case_number_of_a_subject(subject, number):
    assert case_number(subject) == number


def test_watched_folder_says_how_files_are_handed_in(cast, signed_in, settings, tmp_path):
    settings.INTAKE_FOLDER = tmp_path
    cast.connection.watched_folder = "nl"
    save_configuration(cast.connection, by=machine(SETUP), at=SET_UP_AT)
    seen = signed_in(cast.support).get(page(cast)).content.decode()
    assert "NAME.refusal.xml" in seen
    assert "nl/ below the intake folder" in seen
    assert str(tmp_path) not in seen
    assign_perm("configure_connection", cast.clerk, cast.connection)
    assert str(tmp_path / "nl") in signed_in(cast.clerk).get(page(cast)).content.decode()


def test_watched_folder_outside_the_intake_folder_is_a_problem(cast, signed_in):
    cast.connection.watched_folder = "../elsewhere"
    save_configuration(cast.connection, by=machine(SETUP), at=SET_UP_AT)
    assert "must lie below the intake folder" in signed_in(cast.support).get(page(cast)).content.decode()


def test_pause_and_resume_with_reason(cast, signed_in):
    assign_perm("configure_connection", cast.clerk, cast.connection)
    client = signed_in(cast.clerk)
    paused = client.post(page(cast, "connection_pause"), {"because": "Maintenance until 18:00."}, follow=True)
    cast.connection.refresh_from_db()
    assert cast.connection.paused_because == "Maintenance until 18:00."
    assert "Maintenance until 18:00." in paused.content.decode()
    assert "1 paused" in client.get(reverse("exceptions:connections")).content.decode()
    assert AuditEvent.objects.get(action="connection.paused").because == "Maintenance until 18:00."
    client.post(page(cast, "connection_resume"))
    cast.connection.refresh_from_db()
    assert not cast.connection.is_paused
    assert AuditEvent.objects.get(action="connection.resumed").actor == "clara"


def test_pause_twice_is_one_pause(cast, signed_in):
    assign_perm("configure_connection", cast.clerk, cast.connection)
    client = signed_in(cast.clerk)
    for because in ("First.", "Second."):
        assert client.post(page(cast, "connection_pause"), {"because": because}).status_code == 302
    cast.connection.refresh_from_db()
    assert cast.connection.paused_because == "First."
    assert AuditEvent.objects.filter(action="connection.paused").count() == 1


def test_pause_without_reason_names_the_field(cast, signed_in):
    assign_perm("configure_connection", cast.clerk, cast.connection)
    response = signed_in(cast.clerk).post(page(cast, "connection_pause"), {"because": " "})
    assert response.status_code == 422
    assert "Say why, for example" in response.content.decode()
    cast.connection.refresh_from_db()
    assert not cast.connection.is_paused


@pytest.mark.parametrize("name", ["connection_pause", "connection_resume"])
def test_pause_and_resume_are_refused_without_the_grant(cast, signed_in, name):
    client = signed_in(cast.clerk)
    assert "An administrator can grant it." in client.get(page(cast)).content.decode()
    for because in ("", "A reason."):
        assert client.post(page(cast, name), {"because": because}).status_code == 403
    assert client.put(page(cast, name)).status_code == 405
    cast.connection.refresh_from_db()
    assert not cast.connection.is_paused


def test_reason_typed_before_the_sign_in_was_lost_is_kept(cast):
    assign_perm("configure_connection", cast.clerk, cast.connection)
    client = Client()
    client.login(username="clara", password="correct horse battery staple")
    client.get(page(cast))
    del client.cookies["sessionid"]
    client.post(page(cast, "connection_pause"), {"because": "Maintenance."})
    client.login(username="clara", password="correct horse battery staple")
    assert "Maintenance.</textarea>" in client.get(page(cast)).content.decode()


def test_admin_link_is_for_staff(cast, signed_in):
    link = reverse("admin:integrations_connection_change", args=[cast.connection.pk])
    assert link not in signed_in(cast.clerk).get(page(cast)).content.decode()
    grant(cast.administrator, [Verb.SEE], cast.einvoicing)
    assert link in signed_in(cast.administrator).get(page(cast)).content.decode()


@pytest.mark.parametrize("items", [1, 3])
def test_connections_cost_the_same_for_any_number(cast, django_assert_num_queries, items):
    for number in range(items - 1):
        more = Connection(slug=f"c-{number}", name=f"Connection {number}", connector="en16931")
        save_configuration(more, by=machine(SETUP), at=SET_UP_AT)
        route = Route(position=number + 2, connection=more, queue=cast.einvoicing, entity=cast.netherlands)
        save_configuration(route, by=machine(SETUP), at=SET_UP_AT)
    for number in range(items):
        deliver(cast, factories.make_case(cast).subject, key=f"INV-{number}")
    with django_assert_num_queries(5):
        seen = connection_reach_of(cast.clerk).seen
    with django_assert_num_queries(1):
        assert len([str(found) for found in connections_with_state(seen, at=MORNING)]) == items
    recent_deliveries(cast.connection, cast.clerk)  # content types are read once for each process
    with django_assert_num_queries(2):
        assert len(recent_deliveries(cast.connection, cast.clerk).shown) == items
