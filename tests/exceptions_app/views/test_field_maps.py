"""The pages of field maps: versions and what differs, the editor that loses nothing, and previews that save nothing."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from guardian.shortcuts import assign_perm

from audit.models import AuditEvent
from exceptions_app.actions.field_maps import save_version, use_version
from exceptions_app.demo_field_maps import seed_field_maps
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import Occurrence
from integrations.demo.field_maps import UNMAPPED_FAMILY, deal, maps_of_the_deal
from integrations.models import ActiveFieldMap, FieldMap, InboxMessage
from tests import factories
from tests.arrivals import configure
from tests.cast import MORNING, PASSWORD, Cast

INBOUND, OUTBOUND = maps_of_the_deal()


def page(cast: Cast, name: str = "field_map", *more: Any, ref: str = "inbound-invoice") -> str:
    return reverse(f"exceptions:{name}", args=[cast.connection.slug, ref, *more])


def typed(cast: Cast, do: str = "preview", **changes: Any) -> dict[str, Any]:
    base = FieldMap.objects.filter(connection=cast.connection, direction="inbound").count()
    return {"do": do, "base": base, "declared": INBOUND.declared, "note": "A note.", **changes}


@pytest.fixture
def mapping(cast: Cast) -> Cast:
    """The clerk configures as well; the outsider configures and sees no payload."""
    configure(cast.connection, connector="erp")
    for person in (cast.clerk, cast.outsider):
        assign_perm("configure_connection", person, cast.connection)
    seed_field_maps(cast.connection, by=machine(SETUP), at=MORNING)
    return cast


def shown(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address, follow=True)
    assert response.status_code == status
    return " ".join(response.content.decode().split())


def posted(client: Client, address: str, data: dict[str, Any], status: int) -> str:
    response = client.post(address, data)
    assert response.status_code == status
    return " ".join(response.content.decode().split())


def deal_message(cast: Cast, payload: bytes, **more: Any) -> InboxMessage:
    return factories.make_message(cast, payload=payload, media_type="application/json", external_id="deal-1", **more)


def test_list_shows_what_is_in_use_and_what_can_be_added(mapping, signed_in):
    text = shown(signed_in(mapping.clerk), reverse("exceptions:field_maps", args=["tax-authority"]))
    assert "Invoice from the source" in text
    assert "Version 1" in text
    assert "Journal entry to the target" in text
    assert "Field maps" in shown(signed_in(mapping.support), reverse("exceptions:connection", args=["tax-authority"]))


def test_version_is_read_rule_by_rule(mapping, signed_in):
    text = shown(signed_in(mapping.support), page(mapping, "field_map_version", 1))
    assert "from /deal/won_on, as date written as %d.%m.%Y, required" in text
    assert "Table “product families”" in text
    assert "This version translates now." in text
    assert shown(signed_in(mapping.support), page(mapping, "field_map_version", 9), status=404)


def test_editor_begins_with_the_newest_version_or_with_what_must_be_there(mapping, signed_in):
    client = signed_in(mapping.clerk)
    assert "&quot;product families&quot;" in shown(client, page(mapping))
    assert "&quot;/posting_date&quot;" in shown(client, page(mapping, ref="inbound-journal"))
    assert shown(client, page(mapping, ref="inbound-order"), status=404)
    assert shown(client, page(mapping, ref="sideways-invoice"), status=404)


def test_preview_of_a_pasted_payload_shows_the_three_documents_and_saves_nothing(mapping, signed_in):
    data = typed(mapping, pasted=deal().decode(), media_type="application/json")
    text = posted(signed_in(mapping.outsider), page(mapping, "field_map_edit"), data, 200)
    for words in ("Source", "Canonical", "Target", "Passes the check", "invoice/1", "customer_invoice", "No objection"):
        assert words in text
    assert "“Invoice from the source” (as it is written here) and “Invoice to the target” (version 1)" in text
    assert (FieldMap.objects.count(), AuditEvent.objects.filter(action="field_map.saved").count()) == (2, 2)


def test_preview_names_the_unmapped_family_its_table_and_its_rule(mapping, signed_in):
    data = typed(mapping, pasted=deal(family=UNMAPPED_FAMILY).decode())
    text = posted(signed_in(mapping.clerk), page(mapping, "field_map_edit"), data, 200)
    assert "The table “product families” has no entry for “Leasing”." in text
    assert "1 fault" in text
    assert "inbound /rules/10/rules/2" in text
    assert "No objection" not in text


def test_preview_shows_what_the_check_of_the_target_objects_to(mapping, signed_in):
    short = json.loads(INBOUND.declared)
    short["rules"][-1] = {"to": "/total_with_vat", "value": "1.00"}
    data = typed(mapping, declared=json.dumps(short), pasted=deal().decode())
    text = posted(signed_in(mapping.clerk), page(mapping, "field_map_edit"), data, 200)
    assert "Mapped, and the check objects" in text
    assert "Net amount and tax amount come to 21114.50, and the total says 1.00." in text


def test_preview_of_a_stored_message_is_for_who_may_see_its_payload(mapping, signed_in):
    message = deal_message(mapping, deal(invoice_no="MNL-SECRET"), status=InboxMessage.Status.FAILED)
    data = typed(mapping, message=message.pk)
    assert "deal-1" in shown(signed_in(mapping.clerk), page(mapping))
    assert "MNL-SECRET" in posted(signed_in(mapping.clerk), page(mapping, "field_map_edit"), data, 200)
    administrator = signed_in(mapping.outsider)
    assert "deal-1" not in shown(administrator, page(mapping))
    refused = posted(administrator, page(mapping, "field_map_edit"), data, 422)
    assert "MNL-SECRET" not in refused
    assert "Messages of this connection are shown to whoever may correct" in refused


def test_clerk_who_may_not_configure_previews_and_saves_nothing(mapping, signed_in):
    message = deal_message(mapping, deal(), status=InboxMessage.Status.FAILED)
    client = signed_in(mapping.second_clerk)
    assert "Passes the check" in posted(
        client, page(mapping, "field_map_edit"), typed(mapping, message=message.pk), 200
    )
    posted(client, page(mapping, "field_map_edit"), typed(mapping, "save", declared="{}"), 403)
    posted(client, page(mapping, "field_map_use"), {"number": "", "revision": 1, "because": "x"}, 403)
    assert (FieldMap.objects.count(), ActiveFieldMap.objects.filter(version=None).count()) == (2, 0)


def test_message_that_belongs_to_nobody_is_not_offered(mapping, signed_in):
    message = deal_message(mapping, deal(), status=InboxMessage.Status.PROCESSED)
    client = signed_in(mapping.clerk)
    assert "deal-1" not in shown(client, page(mapping))
    posted(client, page(mapping, "field_map_edit"), typed(mapping, message=message.pk), 422)


def test_message_of_an_exception_is_for_who_may_see_that(mapping, signed_in):
    case = factories.make_case(mapping, entity=mapping.germany)
    message = InboxMessage.objects.get(pk__in=Occurrence.objects.filter(case=case).values("inbox_message"))
    assert str(message.external_id) in shown(signed_in(mapping.clerk), page(mapping))
    assert str(message.external_id) not in shown(signed_in(mapping.local_clerk), page(mapping))


@pytest.mark.parametrize("do", ["preview", "save"])
@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ("{", "line 1, column 2"),
        (
            '{\n "rules": [\n  {"to": "/number", "from": "/a"},\n  {"to": "/numbr", "from": "/a"}\n]}',
            "Line 4, /rules/1/to:",
        ),
        ("", "Write the map"),
    ],
)
def test_error_in_a_map_is_said_with_its_line_and_what_was_typed_stays(mapping, signed_in, do, declared, words):
    data = typed(mapping, do, declared=declared, note="My careful note.", pasted='{"mine": 1}')
    text = posted(signed_in(mapping.clerk), page(mapping, "field_map_edit"), data, 422)
    assert words in text
    assert "My careful note." in text
    assert "{&quot;mine&quot;: 1}" in text
    assert FieldMap.objects.count() == 2


def test_preview_without_a_payload_asks_for_one(mapping, signed_in):
    text = posted(signed_in(mapping.clerk), page(mapping, "field_map_edit"), typed(mapping), 422)
    assert "Choose a message or paste a payload" in text


def test_saved_version_is_put_to_use_from_its_own_page(mapping, signed_in):
    client = signed_in(mapping.clerk)
    longer = INBOUND.declared.replace('"Academy": "TRAINING"', '"Academy": "TRAINING", "Leasing": "HARDWARE"')
    saved = client.post(page(mapping, "field_map_edit"), typed(mapping, "save", declared=longer), follow=True)
    assert saved.redirect_chain[-1][0] == page(mapping, "field_map_version", 2)
    assert "Put version 2 to use" in saved.content.decode()
    assert "Leasing" in shown(client, page(mapping, "field_map_compare") + "?from=1&to=2")
    used = client.post(page(mapping, "field_map_use"), {"number": 2, "revision": 1, "because": "Tried."}, follow=True)
    assert "Version 2 translates from now on." in used.content.decode()
    active = ActiveFieldMap.objects.select_related("version").get(direction="inbound")
    assert (active.revision, active.because, active.version and active.version.number) == (2, "Tried.", 2)


def test_colleague_who_was_faster_is_shown_and_what_was_typed_stays(mapping, signed_in):
    mine = INBOUND.declared.replace('"default": "EUR"', '"default": "USD"')
    theirs = INBOUND.declared.replace('"Academy": "TRAINING"', '"Academy": "SERVICES"')
    data = typed(mapping, "save", declared=mine)
    save_version(
        mapping.connection.pk, direction="inbound", object_type="invoice", declared=theirs, note="Academy is service.",
        by=mapping.outsider, at=MORNING, base=1,
    )  # fmt: skip
    client = signed_in(mapping.clerk)
    text = posted(client, page(mapping, "field_map_edit"), data, 409)
    assert "saved version 2 meanwhile" in text
    assert "Table “product families”, entry “Academy”" in text
    assert "&quot;default&quot;: &quot;USD&quot;" in text
    assert 'name="base" value="2"' in text
    assert FieldMap.objects.filter(direction="inbound").count() == 2
    assert client.post(page(mapping, "field_map_edit"), data | {"base": 2}).status_code == 302


def test_switching_a_map_that_a_colleague_switched_does_nothing(mapping, signed_in):
    use_version(
        mapping.connection.pk, direction="inbound", object_type="invoice", number=None, by=mapping.outsider, at=MORNING,
        because="Broken.",
    )  # fmt: skip
    data = {"number": 1, "revision": 1, "because": "Mine."}
    text = posted(signed_in(mapping.clerk), page(mapping, "field_map_use"), data, 409)
    assert "Someone switched this map" in text
    assert ActiveFieldMap.objects.get(direction="inbound").version is None


def test_switching_without_a_reason_names_the_field(mapping, signed_in):
    text = posted(signed_in(mapping.clerk), page(mapping, "field_map_use"), {"number": "", "revision": 1}, 422)
    assert "Say why, for example" in text
    assert ActiveFieldMap.objects.filter(version=None).count() == 0


@pytest.mark.parametrize("who", ["outsider", "administrator"])
def test_pages_are_hidden_from_who_has_nothing_to_do_with_the_connection(cast, signed_in, who):
    client = signed_in(getattr(cast, who))
    addresses = [
        reverse("exceptions:field_maps", args=["tax-authority"]), page(cast), page(cast, "field_map_version", 1),
        page(cast, "field_map_compare"), page(cast, "field_map_edit"), page(cast, "field_map_use"),
    ]  # fmt: skip
    assert [client.get(address).status_code for address in addresses] == [404] * 6
    assert client.post(page(cast, "field_map_edit"), typed(cast)).status_code == 404


def test_text_typed_before_the_sign_in_was_lost_is_back_in_the_editor(mapping):
    client = Client()
    client.login(username="clara", password=PASSWORD)
    client.get(page(mapping))
    del client.cookies["sessionid"]
    lost = client.post(page(mapping, "field_map_edit"), typed(mapping, "save", declared='{"rules": "mine"}'))
    assert page(mapping) in lost.headers["Location"].replace("%2F", "/")
    client.login(username="clara", password=PASSWORD)
    assert "{&quot;rules&quot;: &quot;mine&quot;}" in shown(client, page(mapping))


def test_compare_says_that_a_version_can_no_longer_be_read(mapping, signed_in):
    FieldMap(
        connection=mapping.connection, direction="inbound", object_type="invoice", number=2, declared='{"old": 1}',
        note="From long ago.", author=mapping.clerk, created_at=MORNING,
    ).save()  # fmt: skip
    client = signed_in(mapping.clerk)
    assert "One of the two can no longer be read" in shown(client, page(mapping, "field_map_compare"))
    assert "This version can no longer be read" in shown(client, page(mapping, "field_map_version", 2))


@pytest.mark.parametrize("versions", [1, 3])
def test_pages_cost_the_same_for_any_number_of_versions(mapping, signed_in, django_assert_num_queries, versions):
    for number in range(versions - 1):
        save_version(
            mapping.connection.pk, direction="inbound", object_type="invoice", note="More.", by=mapping.clerk,
            at=MORNING, declared=INBOUND.declared.replace('"EUR"', f'"EU{number}"'),
        )  # fmt: skip
    client = signed_in(mapping.clerk)
    for address, queries in ((page(mapping), 21), (page(mapping, "field_map_compare"), 15)):
        client.get(address)
        with django_assert_num_queries(queries):
            client.get(address)
