"""Intake failures: shown to those who care for the connection, with the original for those who may correct there."""

import pytest
from django.test import Client
from django.urls import reverse
from guardian.shortcuts import assign_perm

from audit.models import AuditEvent
from exceptions_app.actions import intake_failures as actions
from exceptions_app.actions.connections import save_configuration
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import Route
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.connection_reach import connection_reach_of
from exceptions_app.queries.counters import intake_failures_for
from exceptions_app.queries.intake_failures import FailureFilter, read_failure_page, read_original
from exceptions_app.queries.reach import reach_of
from exceptions_app.states import Verb
from exceptions_app.views.excerpts import excerpt
from integrations import inbox
from integrations.models import Connection, FolderProblem, InboxContent, InboxMessage
from tests import factories
from tests.arrivals import receive
from tests.cast import MORNING, SET_UP_AT, Cast, grant

FAILED = InboxMessage.Status.FAILED


def fail(cast: Cast, external_id: str = "4711", **more: object) -> InboxMessage:
    given = {"problem": "Line 1: not well-formed.", "problem_field": "payload", "remedy": "Send it whole."} | more
    return factories.make_message(cast, external_id=external_id, status=FAILED, **given)  # type: ignore[arg-type]


def page(message: InboxMessage, name: str = "intake_failure", *more: str) -> str:
    return reverse(f"exceptions:{name}", args=[message.pk, *more])


def listed(client: Client, **asked: str) -> list[str]:
    response = client.get(reverse("exceptions:intake_failures"), asked)
    assert response.status_code == 200
    return [message.external_id for message in response.context["rows"]]


def elsewhere(cast: Cast) -> Connection:
    """Another connection, which leads to the other queue and legal entity."""
    connection = Connection(slug="bank", name="Bank", connector="en16931")
    save_configuration(connection, by=machine(SETUP), at=SET_UP_AT)
    route = Route(position=2, connection=connection, queue=cast.holds, entity=cast.germany)
    save_configuration(route, by=machine(SETUP), at=SET_UP_AT)
    return connection


@pytest.mark.parametrize("who", ["clerk", "second_clerk", "local_clerk"])
def test_failures_are_shown_to_who_may_correct_there(cast, signed_in, who):
    fail(cast)
    factories.make_message(cast, external_id="read well")
    assert listed(signed_in(getattr(cast, who))) == ["4711"]


@pytest.mark.parametrize("who", ["controller", "support", "auditor", "outsider", "administrator"])
def test_failures_are_hidden_from_everybody_else(cast, signed_in, who):
    message = fail(cast)
    client = signed_in(getattr(cast, who))
    response = client.get(reverse("exceptions:intake_failures"))
    assert response.status_code == 403
    assert "You may not see intake failures" in response.content.decode()
    for address in (page(message), page(message, "intake_original", "payload")):
        assert client.get(address).status_code == 404
    for name in ("intake_read_again", "intake_set_aside"):
        assert client.post(page(message, name), {"because": "x"}).status_code == 404
    message.refresh_from_db()
    assert message.status == FAILED
    user = getattr(cast, who)
    assert not intake_failures_for(user, reach_of(user)).exists()


def test_failures_need_the_verb_on_queue_and_entity(cast, signed_in):
    message = fail(cast)
    grant(cast.outsider, [Verb.CORRECT], cast.einvoicing, cast.germany)
    assert signed_in(cast.outsider).get(page(message)).status_code == 404


def test_failures_of_other_connections_are_not_shown(cast, signed_in):
    message = fail(cast)
    bank = elsewhere(cast)
    other = InboxMessage.objects.create(
        connection=bank,
        external_id="of the bank",
        via="api",
        status=FAILED,
        received_at=MORNING,
        content_sha256="0" * 64,
    )
    client = signed_in(cast.local_clerk)
    assert listed(client) == [message.external_id]
    assert client.get(page(other)).status_code == 404
    assert sorted(listed(signed_in(cast.clerk))) == ["4711", "of the bank"]
    assert listed(signed_in(cast.clerk), connection="bank") == ["of the bank"]
    response = client.get(reverse("exceptions:intake_failures"), {"connection": "bank"})
    assert (response.status_code, list(response.context["rows"])) == (422, [])


def test_route_without_connection_is_open_to_all(cast):
    bank = elsewhere(cast)
    route = Route(position=3, connection=None, queue=cast.einvoicing, entity=cast.netherlands)
    save_configuration(route, by=machine(SETUP), at=SET_UP_AT)
    assert connection_reach_of(cast.local_clerk).worked == {cast.connection.pk, bank.pk}


def test_configurer_acts_but_sees_no_payload(cast, signed_in):
    """The administrator sees no payload, whatever they configure."""
    message = fail(cast)
    assign_perm("configure_connection", cast.administrator, cast.connection)
    client = signed_in(cast.administrator)
    shown = client.get(page(message)).content.decode()
    assert "Line 1: not well-formed." in shown
    assert "The original is not shown to you" in shown
    assert "INV-2026-0001" not in shown
    assert client.get(page(message, "intake_original", "payload")).status_code == 404
    assert client.post(page(message, "intake_read_again")).status_code == 302


def test_sender_sees_failures_but_may_not_act(cast, signed_in):
    message = fail(cast)
    assign_perm("ingest_messages", cast.outsider, cast.connection)
    client = signed_in(cast.outsider)
    assert "An administrator can grant it." in client.get(page(message)).content.decode()
    for name in ("intake_read_again", "intake_set_aside"):
        assert client.post(page(message, name), {"because": ""}).status_code == 403
    message.refresh_from_db()
    assert message.status == FAILED


def test_failure_shows_problem_remedy_and_original_as_text(cast, signed_in):
    payload = b"<Invoice><script>alert(1)</script>\x00\x1b[2J\xff</Invoice>"
    message = fail(cast, payload=payload)
    shown = signed_in(cast.clerk).get(page(message)).content.decode()
    for words in ("Line 1: not well-formed.", "Send it whole.", "payload"):
        assert words in shown
    assert "&lt;Invoice&gt;&lt;script&gt;alert(1)&lt;/script&gt;␀␛[2J�&lt;/Invoice&gt;" in shown
    assert "<script>alert" not in shown
    assert "Some bytes are no text" in shown


def test_original_is_downloaded_and_never_opened(cast, signed_in):
    message = fail(cast, external_id='../../e vil"\r\n.html', payload=b"<html>")
    response = signed_in(cast.clerk).get(page(message, "intake_original", "payload"))
    assert response.content == b"<html>"
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Disposition"] == 'attachment; filename="e-vil-.html-payload.xml"'
    assert "no-store" in response.headers["Cache-Control"]
    assert signed_in(cast.clerk).get(page(message, "intake_original", "refusal")).status_code == 404


def test_large_original_is_cut_on_the_page_and_whole_in_the_download(cast, signed_in):
    payload = b"<a>" + "é".encode() * 400_000
    message = fail(cast, payload=payload)
    original = read_original(message)
    assert (len(original.payload.head), original.payload.size) == (200_000, len(payload))
    client = signed_in(cast.clerk)
    shown = client.get(page(message)).content.decode()
    assert "Only the beginning is shown" in shown
    assert "Some bytes are no text" not in shown
    assert client.get(page(message, "intake_original", "payload")).content == payload


def test_refusal_beside_it_is_shown(cast, signed_in):
    message = InboxMessage.objects.create(
        connection=cast.connection, external_id="pair", via="folder", status=FAILED, received_at=MORNING,
        content_sha256="1" * 64, received_by="folder:tax-authority",
    )  # fmt: skip
    InboxContent.objects.create(
        message=message, payload=b"<Invoice/>", payload_media_type="application/xml", refusal=b'{"code": 7}',
        refusal_media_type="application/json", refusal_status=422, context={"file_name": "a.xml"},
    )  # fmt: skip
    client = signed_in(cast.clerk)
    shown = client.get(page(message)).content.decode()
    for words in ("{&quot;code&quot;: 7}", "HTTP 422", "a.xml"):
        assert words in shown
    refusal = client.get(page(message, "intake_original", "refusal"))
    assert refusal.headers["Content-Disposition"] == 'attachment; filename="pair-refusal.json"'


def test_message_that_nobody_has_read_yet_is_not_shown(cast, signed_in):
    """Before it is read nobody knows for which legal entity it is, so nobody sees its document."""
    receive(cast.connection)
    message = InboxMessage.objects.get()
    client = signed_in(cast.clerk)
    addresses = [page(message), page(message, "intake_original", "payload")]
    assert [client.get(address).status_code for address in addresses] == [404, 404]
    inbox.fail(message, at=MORNING, problem="Line 1: not well-formed.", field="payload", remedy="Send it whole.")
    assert [client.get(address).status_code for address in addresses] == [200, 200]
    client.post(page(message, "intake_read_again"))
    assert [client.get(address).status_code for address in addresses] == [200, 404]


def test_read_again_gives_it_back_to_the_reader(cast, signed_in):
    message = fail(cast)
    response = signed_in(cast.clerk).post(page(message, "intake_read_again"), follow=True)
    message.refresh_from_db()
    assert message.status == InboxMessage.Status.PENDING
    assert "Is read again" in response.content.decode()
    event = AuditEvent.objects.get(action="message.read_again")
    assert (event.actor, event.subject, event.scope) == ("clara", f"message:{message.pk}", "connection/tax-authority")


def test_read_again_twice_says_that_someone_was_faster(cast, signed_in):
    message = fail(cast)
    client = signed_in(cast.clerk)
    client.post(page(message, "intake_read_again"))
    again = client.post(page(message, "intake_read_again"))
    assert again.status_code == 409
    assert "no longer a failure" in again.content.decode()
    assert AuditEvent.objects.filter(action="message.read_again").count() == 1


def test_set_aside_keeps_it_with_the_reason(cast, signed_in):
    message = fail(cast)
    client = signed_in(cast.clerk)
    client.post(page(message, "intake_set_aside"), {"because": "Sent again as 4711-2."})
    message.refresh_from_db()
    assert message.status == InboxMessage.Status.SET_ASIDE
    assert AuditEvent.objects.get(action="message.set_aside").because == "Sent again as 4711-2."
    assert listed(client) == []
    assert listed(client, show="set-aside") == ["4711"]
    assert "&lt;Invoice&gt;" in client.get(page(message)).content.decode()


@pytest.mark.parametrize("because", ["", "   "])
def test_set_aside_without_reason_names_the_field(cast, signed_in, because):
    message = fail(cast)
    response = signed_in(cast.clerk).post(page(message, "intake_set_aside"), {"because": because})
    assert response.status_code == 422
    assert "Say why nothing is to be done" in response.content.decode()
    assert 'href="#id_because"' in response.content.decode()
    message.refresh_from_db()
    assert message.status == FAILED


def test_reason_typed_before_the_sign_in_was_lost_is_kept(cast):
    message = fail(cast)
    client = Client()
    client.login(username="clara", password="correct horse battery staple")
    client.get(page(message))
    del client.cookies["sessionid"]
    response = client.post(page(message, "intake_set_aside"), {"because": "Sent again as 4711-2."})
    assert response.status_code == 302
    client.login(username="clara", password="correct horse battery staple")
    assert "Sent again as 4711-2.</textarea>" in client.get(page(message)).content.decode()
    message.refresh_from_db()
    assert message.status == FAILED


def test_message_that_became_exception_leads_there(cast, signed_in):
    case = factories.make_case(cast)
    message = case.occurrences.get().inbox_message
    shown = signed_in(cast.clerk).get(page(message)).content.decode()
    assert reverse("exceptions:case", args=[case.ref]) in shown
    assert "&lt;Invoice&gt;" not in shown
    assert signed_in(cast.clerk).get(page(message, "intake_original", "payload")).status_code == 404
    hidden = factories.make_case(cast, entity=cast.germany).occurrences.get().inbox_message
    assert signed_in(cast.local_clerk).get(page(hidden)).status_code == 404


def test_actions_refuse_by_themselves(cast):
    message = fail(cast)
    with pytest.raises(NotPermitted):
        actions.read_again(message.pk, by=cast.controller, at=MORNING)
    with pytest.raises(NotPermitted):
        actions.set_aside(message.pk, by=cast.outsider, at=MORNING, because="x")


def test_actions_take_post_only(cast, signed_in):
    message = fail(cast)
    for name in ("intake_read_again", "intake_set_aside"):
        assert signed_in(cast.clerk).put(page(message, name)).status_code == 405


def test_files_in_quarantine_are_listed(cast, signed_in):
    FolderProblem.objects.create(
        connection=cast.connection, file_name="big.xml", quarantined_as="quarantine/1-big.xml",
        problem="The payload has 6,000,000 bytes.", remedy="Send a smaller document.", found_at=MORNING,
    )  # fmt: skip
    shown = signed_in(cast.clerk).get(reverse("exceptions:intake_failures")).content.decode()
    for words in ("big.xml", "The payload has 6,000,000 bytes.", "Send a smaller document."):
        assert words in shown


def test_empty_list_says_so(cast, signed_in):
    client = signed_in(cast.clerk)
    assert "Every message could be read" in client.get(reverse("exceptions:intake_failures")).content.decode()
    fail(cast)
    assert listed(client, contains="47") == ["4711"]
    narrowed = client.get(reverse("exceptions:intake_failures"), {"contains": "nothing like it"})
    assert "No messages match" in narrowed.content.decode()


def test_list_pages_by_key_both_ways(cast, signed_in):
    for number in range(55):
        fail(cast, f"m-{number:02}")
    client = signed_in(cast.clerk)
    first = client.get(reverse("exceptions:intake_failures"))
    second = client.get(first.context["next_url"])
    ids = [message.external_id for found in (first, second) for message in found.context["rows"]]
    assert ids == [f"m-{number:02}" for number in reversed(range(55))]
    back = client.get(second.context["previous_url"])
    assert list(back.context["rows"]) == list(first.context["rows"])
    assert client.get(reverse("exceptions:intake_failures"), {"after": "nonsense"}).status_code == 302


def test_fragment_is_part_of_the_list(cast, signed_in):
    fail(cast)
    response = signed_in(cast.clerk).get(reverse("exceptions:intake_failures"), headers={"HX-Request": "true"})
    assert response.content.decode().lstrip().startswith('<div id="intake-failure-list"')
    assert "HX-Request" in response.headers["Vary"]


@pytest.mark.parametrize("items", [1, 3])
def test_list_costs_the_same_for_any_number(cast, django_assert_num_queries, items):
    for number in range(items):
        fail(cast, f"m-{number}")
    with django_assert_num_queries(5):
        reach = connection_reach_of(cast.clerk)
    with django_assert_num_queries(4):
        found = read_failure_page(FailureFilter(connections=reach.cared_for), user=cast.clerk)
        assert [message.connection.name for message in found.page.rows] == ["Tax authority"] * items


@pytest.mark.parametrize(
    ("head", "size", "text", "undecodable"),
    [
        (b"plain\r\ntext", 11, "plain\ntext", False),
        ("\ufeffé".encode(), 5, "é", False),
        (b"\xff\xfe<\x00a\x00", 6, "<a", False),
        (b"caf\xe9", 4, "caf�", True),
        ("aé".encode()[:2], 3, "a", False),
        ("a\u202eb".encode(), 5, "a[U+202E]b", False),
    ],
)
def test_excerpt_hides_nothing(head, size, text, undecodable):
    shown = excerpt(head, size=size)
    assert (shown.text, shown.undecodable, shown.cut) == (text, undecodable, size > len(head))


def test_page_says_what_came_from_where_when_why_and_what_to_do(cast, signed_in):
    message = InboxMessage.objects.create(
        connection=cast.connection, external_id="4711", via=InboxMessage.Via.FOLDER, status=FAILED,
        received_at=MORNING, received_by="folder:tax-authority", content_sha256="0" * 64,
        problem="Line 1: not well-formed.", problem_field="refusal", remedy="Send it whole.",
    )  # fmt: skip
    InboxContent.objects.create(message=message, payload=b"<Invoice>", context={"file_name": "march.xml"})
    response = signed_in(cast.clerk).get(page(message))
    shown = " ".join(response.content.decode().split())
    for words in (
        "<h1>Message from Tax authority</h1>", "Could not be read", "2 Nov 2026", "Why it could not be read",
        "Line 1: not well-formed.", "in the refusal beside it", "Send it whole.", "Mend it where it comes from",
        "Read the same message again", "Leave it", "What came in, and from where", "4711",
    ):  # fmt: skip
        assert words in shown
    assert response.context["original"]["context"] == [("File name", "march.xml")]
