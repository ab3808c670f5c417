"""Rights that no person may hold together: refused when they are given, reported where they are held already."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.db import connection as database
from django.test import Client
from guardian.shortcuts import assign_perm
from pytest_django.fixtures import DjangoAssertNumQueries

from audit import log
from exceptions_app.actions.connections import save_configuration
from exceptions_app.actions.grants import add_to_role, grant_connection, grant_verbs, remove_from_role
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import LegalEntity, Queue, Route
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.access_conflicts import held_together
from exceptions_app.states import Verb
from integrations.models import Connection, ConnectionUserGrant
from tests.cast import MORNING, SET_UP_AT, Cast, give_role, person
from workbench.admin import NOT_BOTH
from workbench.models import RoleMembership, User

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
MAKES_ITS_OWN = "whoever gives access could make their own second person"


def given(by: User | None = None) -> dict[str, Any]:
    return {"by": by or machine(SETUP), "at": MORNING, "because": "Asked for."}


def refused(give: Callable[[], object], why: str) -> None:
    before = (held_together(), ConnectionUserGrant.objects.count(), RoleMembership._default_manager.count())
    with pytest.raises(NotPermitted, match=why), transaction.atomic():
        give()
    assert (held_together(), ConnectionUserGrant.objects.count(), RoleMembership._default_manager.count()) == before


def test_combination_is_refused_when_it_is_given_also_through_a_role(cast: Cast):
    everywhere: list[Queue | LegalEntity] = [cast.einvoicing, cast.netherlands]
    helpers = Group.objects.create(name="helpers")
    add_to_role("helpers", cast.administrator, **given())
    admin, controller, connection = cast.administrator, cast.controller, cast.connection
    refused(lambda: add_to_role("controller", admin, **given()), MAKES_ITS_OWN)
    refused(lambda: grant_verbs([Verb.APPROVE], admin, everywhere, **given()), MAKES_ITS_OWN)
    refused(lambda: grant_verbs([Verb.APPROVE], helpers, everywhere, **given()), "Ada Administrator may approve in")
    refused(
        lambda: grant_connection("configure_connection", controller, connection, **given()),
        r"Conrad Controller may approve in E-invoicing for Meridian Industries NV, and configure a connection "
        r"that leads there \(Tax authority\): whoever writes field maps",
    )
    refused(lambda: grant_connection("ingest_messages", controller, connection, **given()), "hands a document in could")
    controllers = Group.objects.get(name="controller")
    refused(lambda: grant_connection("ingest_messages", controllers, connection, **given()), "hand messages in")
    grant_connection("ingest_messages", cast.outsider, connection, **given())
    refused(lambda: add_to_role("controller", cast.outsider, **given()), "Otto Outsider may approve in E-invoicing")


def test_what_does_not_meet_is_given(cast: Cast):
    """On one side only, on a connection that leads elsewhere, to who works and approves, and once the other is gone."""
    grant_verbs([Verb.APPROVE], cast.administrator, [cast.einvoicing], **given())
    elsewhere = Connection(slug="bank", name="Bank", connector="en16931", owner="Treasury")
    route = Route(position=9, connection=elsewhere, queue=cast.holds, entity=cast.germany)
    for item in (elsewhere, route):
        save_configuration(item, by=machine(SETUP), at=SET_UP_AT, because="Set up for a test.")
    nina = person("nina", "Nina Newcomer")
    grant_verbs([Verb.SEE, Verb.APPROVE], nina, [cast.einvoicing, cast.netherlands], **given())
    grant_connection("configure_connection", nina, elsewhere, **given())
    give_role(cast.clerk, "controller")
    remove_from_role("controller", cast.controller, **given())
    grant_connection("configure_connection", cast.controller, cast.connection, **given())
    assert held_together() == []


def test_held_from_before_is_reported_whole_and_keeps_nobody_from_other_changes(
    cast: Cast, signed_in: SignIn, django_assert_num_queries: DjangoAssertNumQueries
):
    assert (held_together(), printed()) == ([], "Nobody holds rights that no person may hold together.\n")
    with transaction.atomic():
        seeded = seed(cast)
        with django_assert_num_queries(1):
            found = held_together()
        assert {(held.username, held.right) for held in found} == seeded
        assert len(seeded) == 25
        out = io.StringIO()
        with pytest.raises(CommandError, match="25 people hold rights that no person may hold together"):
            call_command("access_conflicts", stdout=out)
        assert all(held.in_words in out.getvalue() for held in found)
        page = signed_in(cast.auditor).get("/audit/").content.decode()
        assert found[0].in_words in page
        assert f"And {len(found) - 20} more" in page
        somebody = User.objects.get(username="held0")
        add_to_role("support", somebody, **given())
        transaction.set_rollback(True)
    assert "Nobody holds any" in signed_in(cast.auditor).get("/audit/").content.decode()


def seed(cast: Cast) -> set[tuple[str, str]]:
    """Twenty-five people who hold two of them, past the actions: as an installation may have it from before."""
    right = {0: "administer", 1: "configure_connection", 2: "ingest_messages"}
    seeded = set()
    for number in range(25):
        found = person(f"held{number}", f"Held {number}", role="controller" if number % 2 else "")
        if not number % 2:
            for place in (cast.einvoicing, cast.netherlands):
                assign_perm("approve", found, place)
        if right[number % 3] == "administer":
            User.objects.filter(pk=found.pk).update(is_staff=True)
        else:
            assign_perm(right[number % 3], found, cast.connection)
        seeded.add((found.username, right[number % 3]))
    return seeded


def printed() -> str:
    out = io.StringIO()
    call_command("access_conflicts", stdout=out)
    return out.getvalue()


def test_administration_says_it_beside_the_field(cast: Cast, signed_in: SignIn):
    root = person("root", "Root User", is_staff=True)
    controllers = Group.objects.get(name="controller")

    def change(who: User, **entered: Any) -> Any:
        sent = {"username": who.username, "is_active": "on", "time_zone": "UTC", "because": "Moves."} | entered
        return signed_in(root).post(f"/admin/workbench/user/{who.pk}/change/", sent)

    promoted = change(cast.controller, is_staff="on", groups=[controllers.pk])
    assert promoted.context["adminform"].form.errors == {"is_staff": [NOT_BOTH]}
    approving = change(cast.administrator, is_staff="on", groups=[controllers.pk])
    assert approving.context["adminform"].form.errors == {"groups": [NOT_BOTH]}
    assert held_together() == []
    assert change(cast.controller, is_staff="on").status_code == 302  # the role goes with it
    assert held_together() == []


PAST_THE_ACTIONS = {
    "person:conrad": "UPDATE workbench_user SET is_staff = true WHERE id = %(controller)s",
    "person:ada": """
        INSERT INTO workbench_user_groups (user_id, group_id)
        SELECT %(administrator)s, group_id FROM workbench_user_groups WHERE user_id = %(controller)s
    """,
    "entity:NL01": """
        INSERT INTO exceptions_app_legalentityusergrant (user_id, permission_id, content_object_id)
        SELECT DISTINCT %(administrator)s, g.permission_id, l.id FROM exceptions_app_legalentitygroupgrant g
        JOIN exceptions_app_legalentity l ON l.id = g.content_object_id AND l.code = 'NL01'
    """,
}


@pytest.mark.parametrize("about", PAST_THE_ACTIONS)
def test_database_refuses_an_administrator_who_approves(cast: Cast, about: str):
    grant_verbs([Verb.APPROVE], cast.administrator, [cast.einvoicing], **given())
    people = {"controller": cast.controller.pk, "administrator": cast.administrator.pk}

    def commit() -> None:
        log.record("person.changed", subject=about, scope="", actor="ada", at=MORNING, summary="Forged.")
        with database.cursor() as cursor:
            cursor.execute(PAST_THE_ACTIONS[about], people)
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    with pytest.raises(IntegrityError, match="nobody who gives access may approve"), transaction.atomic():
        commit()
