"""Rights that no person may hold together: refused when they are given, reported where they are held already."""

import io
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.db import connection as database
from django.test import Client
from django.utils.timezone import now
from guardian.shortcuts import assign_perm
from pytest_django.fixtures import DjangoAssertNumQueries

from audit import log
from exceptions_app.actions.connections import save_configuration
from exceptions_app.actions.delegations import delegate, end_delegation
from exceptions_app.actions.emergencies import take_emergency
from exceptions_app.actions.grants import add_to_role, grant_connection, grant_verbs, remove_from_role
from exceptions_app.api.scopes import SCIM
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import Delegation, LegalEntity, Queue, Route
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.access_conflicts import held_together
from exceptions_app.queries.grants import Place
from exceptions_app.queries.reach import own_reach_of
from exceptions_app.states import Verb
from integrations.models import Connection, ConnectionUserGrant
from tests.cast import MORNING, SET_UP_AT, Cast, give_role, person
from tests.concurrency import at_the_same_time
from tests.exceptions_app.hands import lent
from workbench.admin import NOT_BOTH
from workbench.models import RoleMembership, User
from workbench.services import end_service_account, make_service_account, make_service_token

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
DAY = timedelta(days=1)
UNTIL: dict[str, Any] = {"first_day": now().date(), "last_day": now().date(), "ends_at": now() + timedelta(days=2)}
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


def test_whoever_reads_the_trail_does_not_approve_there_nor_the_other_way_round(cast: Cast):
    places: list[Queue | LegalEntity] = [cast.einvoicing, cast.netherlands]
    elsewhere: list[Queue | LegalEntity] = [cast.holds, cast.germany]
    auditors = Group.objects.get(name="auditor")
    why = "and read and export the audit trail there: whoever looks into decisions afterwards would look into their own"
    refused(lambda: add_to_role("controller", cast.auditor, **given()), f"Anna Auditor may approve in .*, {why}")
    refused(lambda: grant_verbs([Verb.APPROVE], cast.auditor, places, **given()), why)
    refused(lambda: add_to_role("auditor", cast.controller, **given()), why)
    refused(lambda: grant_verbs([Verb.EXPORT], cast.controller, places, **given()), why)
    refused(lambda: grant_verbs([Verb.APPROVE], auditors, places, **given()), why)
    taker = lent(cast.controller, cast.support, **UNTIL)
    refused(lambda: add_to_role("auditor", taker, **given()), "in place of Conrad Controller, and read and export")
    nina = person("nina", "Nina Newcomer")
    grant_verbs([Verb.SEE, Verb.APPROVE], nina, elsewhere, **given())
    grant_verbs([Verb.EXPORT], nina, places, **given())
    assert held_together() == []


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


def test_delegate_is_given_nothing_that_no_approver_may_hold(cast: Cast):
    """Where they decide in somebody's place, from before it begins until it is ended; also through a role."""
    delegate, hands_in = (
        lent(cast.controller, cast.support, begins_at=now() + timedelta(days=1), **UNTIL),
        "ingest_messages",
    )
    why = "Sara Support may approve in E-invoicing for Meridian Industries NV in place of Conrad Controller, and hand"
    sources = Group.objects.create(name="sources")
    grant_connection(hands_in, sources, cast.connection, **given())
    refused(lambda: grant_connection(hands_in, delegate, cast.connection, **given()), why)
    refused(lambda: add_to_role("sources", delegate, **given()), why)
    # What the giver is given is given to who decides in their place.
    nina, tom = person("nina", "Nina Newcomer"), person("tom", "Tom Taker", role="support")
    grant_verbs([Verb.APPROVE], nina, [cast.holds, cast.germany], **given())
    add_to_role("sources", lent(nina, tom), **given())
    places: list[Queue | LegalEntity] = [cast.einvoicing, cast.netherlands]
    refused(lambda: grant_verbs([Verb.APPROVE], nina, places, **given()), "Tom Taker .* in place of Nina Newcomer")
    assert held_together() == []
    end_delegation(Delegation.objects.get(taker=delegate).pk, by=delegate, at=now())
    assert grant_connection(hands_in, delegate, cast.connection, **given())


def test_what_an_emergency_gives_is_lent_to_nobody(cast: Cast):
    """It is taken beside a delegation, and a delegation is given beside it, though the delegate reads the trail there.

    What a role gives as well is lent all the same.
    """
    home: list[Queue | LegalEntity] = [cast.holds, cast.germany]
    away: list[Queue | LegalEntity] = [cast.einvoicing, cast.netherlands]
    nina, tara, tom = person("nina", "Nina Night"), person("tara", "Tara Taker"), person("tom", "Tom Taker")
    grant_verbs([Verb.SEE, Verb.APPROVE], nina, home, **given())
    grant_verbs([Verb.EMERGENCY], nina, away, **given())
    for taker in (tara, tom):
        grant_verbs([Verb.SEE], taker, home, **given())
        grant_verbs([Verb.EXPORT], taker, away, **given())
    at = now()
    lent(nina, tara)
    take_emergency(
        cast.einvoicing, cast.netherlands, role="controller", minutes=30, by=nina, at=at, because="At night."
    )
    assert Verb.APPROVE in own_reach_of(nina).verbs_at(cast.einvoicing.pk, cast.netherlands.pk)
    today = {"first_day": at.date(), "last_day": at.date() + DAY}
    delegate(tom, by=nina, at=at, because="Holiday.", **today)
    with database.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    assert held_together() == []
    refused(lambda: add_to_role("controller", nina, **given()), "Tara Taker may approve in .* in place of Nina Night")


@pytest.mark.django_db(transaction=True)
def test_of_two_changes_at_the_same_time_one_sees_the_other(cast: Cast):
    """Somebody is made a deputy while their role is granted what no deputy may hold: whoever comes second waits."""
    tara, role = person("tara", "Tara Taker", role="support"), Group.objects.create(name="readers")
    add_to_role("readers", tara, **given())
    places: list[Queue | LegalEntity] = [cast.einvoicing, cast.netherlands]
    lends, granted = threading.Event(), threading.Event()
    at = now()

    def lend() -> None:
        with transaction.atomic():
            delegate(tara, by=cast.controller, at=at, because="Holiday.", first_day=at.date(), last_day=at.date() + DAY)
            lends.set()
            granted.wait(0.5)  # which it is not, before this is committed

    def grant() -> list[Place]:
        assert lends.wait(60)
        try:
            return grant_verbs([Verb.EXPORT], role, places, **given())
        finally:
            granted.set()

    lent_, refused_ = at_the_same_time([lend, grant])
    assert lent_ is None
    assert isinstance(refused_, NotPermitted)
    assert "Tara Taker may approve in E-invoicing for Meridian Industries NV in place of Conrad" in refused_.reason
    assert held_together() == []


def test_whoever_answers_for_a_program_that_gives_roles_administers(cast: Cast):
    """As long as it can: by a token that is live, of an account that is not over."""
    made: dict[str, Any] = {"by": cast.administrator, "at": now(), "because": "For the directory."}
    account = make_service_account(
        "directory", purpose="Directory", owner=cast.outsider, ends_at=now() + timedelta(days=30), **made
    )
    make_service_token(account, name="directory", scopes=[SCIM], days=10, **made)
    with pytest.raises(NotPermitted, match=r"administer accounts and access \(service:directory\): whoever gives"):
        give_role(cast.outsider, "controller")
    assert held_together() == []
    with transaction.atomic():
        cast.outsider.groups.add(Group.objects.get(name="controller"))  # past the action, as from before
        found = held_together()
        assert {(held.username, held.right, held.connection) for held in found} == {
            ("otto", "administer", "service:directory")
        }
        assert held_together([account.user.pk]) == found
        end_service_account(account, by=cast.administrator, at=now())
        assert held_together() == []
        transaction.set_rollback(True)


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
    # A connection, an administrator who was inactive, and one right in place of the other.
    grant_connection("configure_connection", cast.support, cast.connection, **given())
    [why] = errors(change(cast.support, groups=[controllers.pk]))["groups"]
    assert why.startswith("Refused, since no person may hold both: Sara Support may approve in E-invoicing")
    assert why.endswith("Take one of the two away first.")
    away = person("away", "Ann Away", is_staff=True)
    User.objects.filter(pk=away.pk).update(is_active=False)
    assert change(away, is_active="", is_staff="on", groups=[controllers.pk]).status_code == 302
    again = change(away, is_active="on", is_staff="on", groups=[controllers.pk])
    assert errors(again) == {"is_active": [NOT_BOTH]}
    assert change(away, is_active="on", groups=[controllers.pk]).status_code == 302
    assert held_together() == []


def errors(answer: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = answer.context["adminform"].form.errors
    return found


def test_who_holds_both_from_before_is_given_no_more_of_it_and_anything_else(cast: Cast, signed_in: SignIn):
    """By the administration and by the action, with words: the database would refuse it at the end, without any."""
    controllers, deputies = Group.objects.get(name="controller"), Group.objects.create(name="deputies")
    places: list[Queue | LegalEntity] = [cast.einvoicing, cast.netherlands]
    grant_verbs([Verb.APPROVE], deputies, places, **given())
    browser = signed_in(person("root", "Root User", is_staff=True))
    with transaction.atomic():
        both = person("both", "Bea Both", role="controller")
        User.objects.filter(pk=both.pk).update(is_staff=True)
        support = Group.objects.get(name="support")
        sent = {"is_active": "on", "is_staff": "on", "time_zone": "UTC", "because": "Moves."}
        address = f"/admin/workbench/user/{both.pk}/change/"
        answer = browser.post(address, sent | {"groups": [controllers.pk, deputies.pk]})
        assert errors(answer) == {"groups": [NOT_BOTH]}
        refused(lambda: add_to_role("deputies", both, **given()), "Bea Both may approve in E-invoicing")
        refused(lambda: grant_verbs([Verb.APPROVE], both, places, **given()), "Bea Both may approve in E-invoicing")
        assert browser.post(address, sent | {"groups": [controllers.pk, support.pk]}).status_code == 302
        assert set(both.groups.all()) == {controllers, support}
        transaction.set_rollback(True)


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
