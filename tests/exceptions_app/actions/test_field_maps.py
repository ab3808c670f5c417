"""Versions of field maps are written once and put to use by one named function, with an event for each."""

import json
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from guardian.shortcuts import assign_perm

from audit.models import AuditEvent
from exceptions_app.actions.field_maps import MapChangedMeanwhile, MapInvalid, save_version, use_version
from exceptions_app.actions.grants import grant_connection
from exceptions_app.actions.mover import Invalid
from exceptions_app.demo_field_maps import seed_field_maps
from exceptions_app.machines import SETUP, machine
from exceptions_app.policies import NotPermitted
from integrations.demo.field_maps import deal
from integrations.fieldmaps.active import translate
from integrations.fieldmaps.declaration import Known
from integrations.models import ActiveFieldMap, FieldMap
from tests.cast import MORNING, Cast, make_cast
from tests.concurrency import at_the_same_time


def declared(number: str = "/no") -> str:
    return json.dumps({"rules": [{"to": "/number", "from": number}]})


def save(cast: Cast, text: str = "", **more: Any) -> FieldMap:
    return save_version(
        cast.connection.pk,
        **{
            "direction": "inbound", "object_type": "invoice", "declared": text or declared(), "note": "First.",
            "by": cast.clerk, "at": MORNING, **more,
        },
    )  # fmt: skip


def use(cast: Cast, number: int | None, **more: Any) -> ActiveFieldMap:
    return use_version(
        cast.connection.pk,
        **{
            "direction": "inbound", "object_type": "invoice", "number": number, "by": cast.clerk, "at": MORNING,
            "because": "Agreed.", **more,
        },
    )  # fmt: skip


@pytest.fixture
def mapping(cast: Cast) -> Cast:
    assign_perm("configure_connection", cast.clerk, cast.connection)
    assign_perm("configure_connection", cast.second_clerk, cast.connection)
    return cast


def test_versions_count_up_and_the_event_says_what_was_saved(mapping):
    saved = [save(mapping, declared(path)) for path in ("/a", "/b")]
    assert [found.number for found in saved] == [1, 2]
    event = AuditEvent.objects.filter(action="field_map.saved").last()
    assert event is not None
    assert (event.subject, event.because, event.data["number"]) == ("connection:tax-authority", "First.", 2)
    assert ActiveFieldMap.objects.count() == 0


def test_same_text_again_is_no_new_version(mapping):
    assert save(mapping).pk == save(mapping, base=0, by=mapping.second_clerk).pk
    assert AuditEvent.objects.filter(action="field_map.saved").count() == 1


def test_version_saved_meanwhile_is_not_written_over(mapping):
    save(mapping, base=0)
    with pytest.raises(MapChangedMeanwhile):
        save(mapping, declared("/b"), base=0, by=mapping.second_clerk)
    assert FieldMap.objects.count() == 1
    assert save(mapping, declared("/b"), base=1, by=mapping.second_clerk).number == 2


def test_event_of_putting_to_use_names_author_and_who_did_it(mapping):
    save(mapping)
    active = use(mapping, 1, by=mapping.second_clerk)
    assert (active.revision, active.version and active.version.number) == (1, 1)
    event = AuditEvent.objects.get(action="field_map.activated")
    assert (event.actor, event.because) == ("cem", "Agreed.")
    assert (event.data["author"], event.data["put_to_use_by"]) == ("clara", "cem")
    assert (event.data["was"], event.data["will_be"]) == (None, 1)


def test_putting_to_use_twice_is_once_and_switching_off_is_an_event_of_its_own(mapping):
    save(mapping)
    assert use(mapping, 1, revision=0).revision == use(mapping, 1, revision=0).revision == 1
    off = use(mapping, None, revision=1)
    assert (off.version, off.revision) == (None, 2)
    assert AuditEvent.objects.filter(action="field_map.activated").count() == 1
    assert AuditEvent.objects.get(action="field_map.switched_off").data["was"] == 1


def test_map_switched_meanwhile_is_not_switched_again(mapping):
    for path in ("/a", "/b", "/c"):
        save(mapping, declared(path))
    use(mapping, 1, revision=0)
    use(mapping, 2, revision=1, by=mapping.second_clerk)
    with pytest.raises(MapChangedMeanwhile):
        use(mapping, 3, revision=1)
    active = ActiveFieldMap.objects.get()
    assert active.version is not None
    assert active.version.number == 2


@pytest.mark.parametrize("who", ["controller", "administrator", "outsider"])
def test_who_may_not_configure_the_connection_changes_nothing(mapping, who):
    save(mapping)
    with pytest.raises(NotPermitted, match="configure_connection"):
        save(mapping, declared("/b"), by=getattr(mapping, who))
    with pytest.raises(NotPermitted, match="configure_connection"):
        use(mapping, 1, by=getattr(mapping, who))
    assert (FieldMap.objects.count(), ActiveFieldMap.objects.count()) == (1, 0)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("{", "", "line 1, column 2"),
        ('{"rules": []}', "/rules", "An empty list cannot stand here."),
        ('{"rules": [{"to": "/numbr", "from": "/no"}]}', "/rules/0/to", "“/numbr” is no field of a canonical invoice"),
        (
            '{"rules": [{"to": "/lines", "each": "/i", "rules": [{"to": "/tax", "from": "/t"}]}]}',
            "/rules/0/rules/0/to",
            "“/tax” is no field of a line of it",
        ),
        ('{"rules": [{"to": "/seller", "from": "/s"}]}', "/rules/0/to", "is no field"),
        (
            '{"rules": [{"to": "/number", "each": "/s", "rules": [{"to": "/a", "value": 1}]}]}',
            "/rules/0/to",
            "no field",
        ),
    ],
)
def test_map_that_cannot_translate_is_not_saved(mapping, text, place, words):
    with pytest.raises(MapInvalid) as refused:
        save(mapping, text)
    assert (refused.value.field, refused.value.place) == ("declared", place)
    assert words in refused.value.problem
    assert FieldMap.objects.count() == 0


@pytest.mark.parametrize(
    ("rule", "place"),
    [
        ({"to": "/a", "from": "/numbr"}, "/rules/0/from"),
        ({"to": "/a", "sum": ["/lines/*/net_amount", "/lines/*/net"]}, "/rules/0/sum"),
        ({"to": "/a", "each": "/line", "rules": [{"to": "/b", "value": 1}]}, "/rules/0/each"),
        ({"to": "/a", "each": "/lines", "rules": [{"to": "/b", "from": "/number"}]}, "/rules/0/rules/0/from"),
    ],
)
def test_outbound_map_reads_only_what_the_canonical_document_has(mapping, rule, place):
    with pytest.raises(MapInvalid) as refused:
        save(mapping, json.dumps({"rules": [rule]}), direction="outbound")
    assert refused.value.place == place


def test_outbound_map_may_read_the_top_from_a_row(mapping):
    inner = {"to": "/b", "from": "/number", "top": True}
    rules = [{"to": "/a", "each": "/lines", "rules": [inner]}, {"to": "/first", "from": "/lines/0/description"}]
    assert save(mapping, json.dumps({"rules": rules}), direction="outbound").number == 1


@pytest.mark.parametrize(
    ("more", "field"),
    [({"direction": "sideways"}, "direction"), ({"object_type": "order"}, "object_type"), ({"note": " "}, "note")],
)
def test_what_is_wrong_is_named(mapping, more, field):
    with pytest.raises(Invalid) as refused:
        save(mapping, **more)
    assert refused.value.field == field


def test_version_that_is_not_there_cannot_be_used(mapping):
    with pytest.raises(Invalid) as refused:
        use(mapping, 7)
    assert refused.value.field == "number"
    save(mapping)
    with pytest.raises(Invalid) as refused:
        use(mapping, 1, because=" ")
    assert refused.value.field == "because"


def test_maps_of_the_demonstration_translate_and_are_seeded_once(mapping, django_assert_num_queries):
    for _ in range(2):
        seed_field_maps(mapping.connection, by=machine(SETUP), at=MORNING)
    assert FieldMap.objects.count() == 2
    context = {Known.RECEIVED_DATE: "2026-11-21"}
    with django_assert_num_queries(1):
        found = translate(mapping.connection, payload=deal(), media_type="application/json", context=context)
    assert (found.faults, [str(used) for used in found.maps]) == ((), ["inbound invoice 1", "outbound invoice 1"])
    use(mapping, None)
    use(mapping, None, direction="outbound")
    same = translate(mapping.connection, payload=b"{ }", media_type="application/json")
    assert (same.payload, same.maps) == (b"{ }", ())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE integrations_fieldmap SET declared = '{}'",
        "DELETE FROM integrations_fieldmap",
        "DELETE FROM integrations_activefieldmap",
        "UPDATE integrations_activefieldmap SET object_type = 'journal', revision = revision + 1",
        "UPDATE integrations_activefieldmap SET revision = revision + 2",
        (
            "UPDATE integrations_activefieldmap SET version_id = (SELECT id FROM integrations_fieldmap WHERE "
            "direction = 'outbound'), revision = revision + 1"
        ),
    ],
)
def test_database_refuses_what_the_actions_never_do(mapping, statement):
    save(mapping)
    use(mapping, 1)
    save(mapping, json.dumps({"rules": [{"to": "/a", "value": 1}]}), direction="outbound")
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE integrations_activefieldmap SET revision = revision + 1, because = 'x'",
        (
            "INSERT INTO integrations_fieldmap (connection_id, direction, object_type, number, declared, note, "
            "author_id, created_at) SELECT connection_id, direction, object_type, 9, declared, note, author_id, "
            "created_at FROM integrations_fieldmap"
        ),
    ],
)
def test_database_refuses_a_change_without_its_event(statement):
    cast = make_cast()
    grant_connection(
        "configure_connection", cast.clerk, cast.connection, by=machine(SETUP), at=MORNING, because="Field maps."
    )
    save(cast)
    use(cast, 1)
    with pytest.raises(IntegrityError, match="no audit event"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.django_db(transaction=True)
def test_versions_saved_at_the_same_time_are_numbered_and_only_one_starts_from_the_same(transactional_db):
    cast = make_cast()
    grant_connection(
        "configure_connection", cast.clerk, cast.connection, by=machine(SETUP), at=MORNING, because="Field maps."
    )
    free = at_the_same_time([partial(save, cast, declared(path)) for path in ("/a", "/b", "/c", "/d")])
    assert sorted(found.number for found in free) == [1, 2, 3, 4]
    calls = [partial(save, cast, declared(path), base=4) for path in ("/e", "/f", "/g")]
    outcomes = at_the_same_time(calls)
    assert sorted(type(found).__name__ for found in outcomes) == [
        "FieldMap",
        "MapChangedMeanwhile",
        "MapChangedMeanwhile",
    ]
    switches = at_the_same_time([partial(use, cast, number, revision=0) for number in (1, 2, 3)])
    assert sorted(type(found).__name__ for found in switches) == [
        "ActiveFieldMap",
        "MapChangedMeanwhile",
        "MapChangedMeanwhile",
    ]
