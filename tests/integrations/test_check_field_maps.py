"""The command that says whether the maps in use still read."""

import io

import pytest
from django.core.management import CommandError, call_command

from exceptions_app.actions.connections import save_configuration
from exceptions_app.demo_field_maps import seed_field_maps
from exceptions_app.machines import SETUP, machine
from integrations.models import ActiveFieldMap, Connection, FieldMap
from tests.cast import MORNING

pytestmark = pytest.mark.django_db


def test_maps_in_use_are_checked_and_the_line_of_a_fault_is_named():
    connection = Connection(slug="crm", name="CRM", connector="erp")
    save_configuration(connection, by=machine(SETUP), at=MORNING)
    seed_field_maps(connection, by=machine(SETUP), at=MORNING)
    out = io.StringIO()
    call_command("check_field_maps", stdout=out)
    assert out.getvalue().splitlines() == [
        "crm: inbound invoice 1: reads and fits",
        "crm: outbound invoice 1: reads and fits",
        "2 field maps in use, all of them read.",
    ]
    old = FieldMap.objects.create(
        connection=connection, direction="inbound", object_type="invoice", number=2, note="From long ago.",
        declared='{\n "rules": [\n  {"to": "/no_such_field", "from": "/a"}]}', author_id=machine(SETUP).pk,
        created_at=MORNING,
    )  # fmt: skip
    ActiveFieldMap.objects.filter(direction="inbound").update(version=old, revision=2)
    out = io.StringIO()
    with pytest.raises(CommandError, match="1 of 2 field maps in use"):
        call_command("check_field_maps", stdout=out)
    assert "crm: inbound invoice 2: line 3, /rules/0/to: “/no_such_field” is no field" in out.getvalue()
