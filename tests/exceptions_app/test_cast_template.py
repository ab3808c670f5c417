"""A copy of the cast is what the actions make: every row of every table, and every object."""

import json
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
import time_machine
from django.db import connection, models, transaction

from audit.canonical import canonical_bytes
from audit.log import body_fields
from audit.merkle import leaf_hash
from audit.models import AuditEvent
from exceptions_app.machines import SETUP, machine
from tests import guards
from tests.cast import MORNING, PASSWORD, Cast, make_cast
from tests.cast_template import take_template
from workbench.models import User

Rows = dict[str, list[dict[str, Any]]]
OWN = {"audit_event": {"event_id", "body", "leaf"}, "workbench_user": {"password"}}
"""What no two casts have in common, whoever makes them; it is looked at by itself."""


@pytest.fixture
def counters(db: None) -> Callable[[], None]:
    """Sets the sequences back to where they were, so that two casts get the same ids."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(sequencename), last_value FROM pg_sequences WHERE schemaname = 'public'")
        before = cursor.fetchall()

    def set_back() -> None:
        with connection.cursor() as cursor:
            for name, last in before:
                cursor.execute("SELECT setval(%s, %s, %s)", [name, last or 1, last is not None])

    return set_back


def rows() -> Rows:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
        found = {}
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT to_jsonb(x) FROM "{table}" x ORDER BY to_jsonb(x)::text')  # noqa: S608
            found[table] = [json.loads(row[0]) for row in cursor.fetchall()]
        return found


def shared(found: Rows) -> Rows:
    return {
        table: sorted(({k: v for k, v in row.items() if k not in OWN.get(table, ())} for row in found[table]), key=str)
        for table in found
    }


def described(item: Any) -> Any:
    """What an object holds, down to the objects that it points to."""
    if not isinstance(item, models.Model):
        return item
    held = {name: described(value) for name, value in vars(item).items() if name not in {"_state", "password"}}
    return type(item), held, {name: described(value) for name, value in item._state.fields_cache.items()}


def members(cast: Cast) -> dict[str, models.Model]:
    return {field.name: getattr(cast, field.name) for field in fields(cast)}


def test_a_copy_is_what_the_actions_make(counters, new_cast):
    with time_machine.travel(MORNING, tick=False):
        with transaction.atomic():
            made, by_actions = make_cast(), rows()
            transaction.set_rollback(True)
        counters()
        copied, by_copying = new_cast(), rows()
    assert sum(map(len, by_actions.values())) > 300
    assert shared(by_copying) == shared(by_actions)
    assert {name: described(item) for name, item in members(copied).items()} == {
        name: described(item) for name, item in members(made).items()
    }
    own = [(table, name) for table in OWN for name in OWN[table]]
    for table, name in own:
        together = [row[name] for found in (by_actions, by_copying) for row in found[table] if row[name] != "!"]
        assert len(set(together)) == len(together)


def test_a_copy_s_events_say_what_their_rows_say(cast):
    events = list(AuditEvent.objects.all())
    assert len(events) == 33
    for event in events:
        assert bytes(event.body) == canonical_bytes(body_fields(event))
        assert bytes(event.leaf) == leaf_hash(bytes(event.body))


def test_people_of_a_copy_sign_in_and_their_objects_are_their_rows(cast):
    for name, item in members(cast).items():
        row = type(item)._base_manager.get(pk=item.pk)
        assert {f.attname: getattr(item, f.attname) for f in item._meta.concrete_fields} == {
            f.attname: getattr(row, f.attname) for f in row._meta.concrete_fields
        }, name
        if isinstance(item, User):
            assert item.check_password(PASSWORD)


def test_two_copies_have_nothing_in_common(db, new_cast):
    with transaction.atomic():
        first = new_cast()
        transaction.set_rollback(True)
    second = new_cast()
    for name, item in members(second).items():
        other = getattr(first, name)
        assert item is not other
        assert item.pk != other.pk
    assert second.route.connection is second.connection
    assert second.route.queue is second.einvoicing
    assert second.route.entity is second.netherlands


def test_a_copy_is_made_by_the_actions_where_something_is_there_already(db, new_cast):
    setup = machine(SETUP)
    cast = new_cast()
    assert User.objects.get(username=SETUP) == setup
    assert cast.clerk.groups.get().name == "clerk"
    assert User.objects.count() == 9


def test_a_copy_takes_two_queries_and_a_savepoint(db, new_cast, django_assert_num_queries):
    if not guards.may_pass():
        pytest.skip("The guards cannot be passed in this database: each cast is made by the actions.")
    with django_assert_num_queries(4):
        new_cast()


def test_a_template_is_taken_in_an_empty_database_only(cast):
    with pytest.raises(RuntimeError, match="in an empty database"):
        take_template()
