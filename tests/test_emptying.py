"""What the next test finds after one that commits."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection

from tests import guards
from tests.cast import make_cast
from tests.emptying import KEPT


def rows() -> dict[str, list[Any]]:
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT x::text FROM "{table}" x ORDER BY 1')  # noqa: S608 - names of ours
            found[table] = cursor.fetchall()
    return found


def empty() -> None:
    call_command("flush", interactive=False, verbosity=0, reset_sequences=False)


@pytest.fixture
def after_migrate(transactional_db: None) -> dict[str, list[Any]]:
    if not guards.may_pass():
        pytest.skip("The guards cannot be passed in this database: it is truncated.")
    return rows()


def test_only_what_migrate_leaves_is_there(after_migrate):
    assert {table for table, found in after_migrate.items() if found} == {*KEPT, "django_migrations"}


def test_all_that_a_test_has_committed_is_gone(after_migrate):
    make_cast()
    assert rows() != after_migrate
    empty()
    assert rows() == after_migrate


def test_permissions_that_a_test_has_changed_are_those_of_before(after_migrate):
    before = ContentType.objects.get_for_model(Permission)
    Permission.objects.exclude(content_type=before).delete()
    Permission.objects.update(name="Changed")
    Permission.objects.create(codename="new", name="New", content_type=before)
    ContentType.objects.exclude(pk=before.pk).delete()
    empty()
    assert rows() == after_migrate
    assert ContentType.objects.get_for_model(Permission) == before


def test_sequences_cannot_be_set_back(after_migrate):
    with pytest.raises(ValueError, match="reset_sequences=False"):
        call_command("flush", interactive=False, verbosity=0)
