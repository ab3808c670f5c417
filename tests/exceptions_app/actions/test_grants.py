"""Access: given and taken by administrators, each time with its event, and what people see follows at once."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from guardian.shortcuts import assign_perm, remove_perm

from audit.models import AuditEvent
from exceptions_app.actions.connections import may_configure
from exceptions_app.actions.grants import (
    ROLES,
    add_to_role,
    grant_connection,
    grant_role,
    grant_verbs,
    remove_from_role,
    revoke_connection,
    revoke_role,
)
from exceptions_app.actions.mover import Invalid
from exceptions_app.machines import WORKER, machine
from exceptions_app.models import LegalEntityGroupGrant, QueueGroupGrant, QueueUserGrant
from exceptions_app.policies import NotPermitted, verbs_of
from exceptions_app.queries.grants import Granted, grants_of
from exceptions_app.states import Verb
from integrations.models import ConnectionGroupGrant, ConnectionUserGrant
from tests import factories
from tests.cast import MORNING, Cast
from tests.concurrency import at_the_same_time

BECAUSE = "Otto joins the tax team."
SIGNED = ("--by", "ada", "--because", BECAUSE)


def told() -> list[tuple[str, str]]:
    """The events that somebody of the cast caused; what they were refused is told of in `test_refused`."""
    events = AuditEvent.objects.filter(actor_kind="person").exclude(action="person.refused").order_by("id")
    return [(event.action, event.subject) for event in events]


def command(*arguments: str) -> None:
    call_command(*arguments, *SIGNED)


def test_person_given_a_role_sees_and_may_what_it_holds(cast: Cast, signed_in):
    case = factories.make_case(cast)
    page = f"/exceptions/{case.ref}/"
    assert signed_in(cast.outsider).get(page).status_code == 404
    assert add_to_role("clerk", cast.outsider, by=cast.administrator, at=MORNING, because=BECAUSE) is True
    assert verbs_of(cast.outsider, case) == ROLES["clerk"]
    assert signed_in(cast.outsider).get(page).status_code == 200
    event = AuditEvent.objects.get(action="role.given", subject="person:otto")
    assert (event.subject, event.actor, event.because) == ("person:otto", "ada", BECAUSE)
    assert (event.summary, event.data) == (
        "Ada Administrator gave Otto Outsider the role clerk.",
        {"role": "clerk"},
    )
    assert remove_from_role("clerk", cast.outsider, by=cast.administrator, at=MORNING, because="Left.") is True
    assert verbs_of(cast.outsider, case) == frozenset()
    assert signed_in(cast.outsider).get(page).status_code == 404
    assert told() == [("role.given", "person:otto"), ("role.taken", "person:otto")]


def test_role_given_or_taken_twice_is_done_and_told_once(cast: Cast):
    signed: dict[str, Any] = {"by": cast.administrator, "at": MORNING}
    assert add_to_role("clerk", cast.outsider, **signed) is True
    assert add_to_role("clerk", cast.outsider, **signed) is False
    assert remove_from_role("clerk", cast.outsider, **signed) is True
    assert remove_from_role("clerk", cast.outsider, **signed) is False
    assert len(told()) == 2


@pytest.mark.parametrize("who", ["clerk", "controller", "auditor", "outsider"])
def test_access_is_given_and_taken_by_administrators_only(cast: Cast, who: str):
    signed: dict[str, Any] = {"by": getattr(cast, who), "at": MORNING}
    someone, place, connection = cast.support, cast.einvoicing, cast.connection
    for attempt in (
        lambda: grant_role("clerk", [place], **signed),
        lambda: revoke_role("clerk", [place], **signed),
        lambda: grant_verbs([Verb.SEE], someone, [place], **signed),
        lambda: grant_connection("ingest_messages", someone, connection, **signed),
        lambda: revoke_connection("ingest_messages", someone, connection, **signed),
        lambda: add_to_role("clerk", someone, **signed),
        lambda: remove_from_role("support", someone, **signed),
    ):
        with pytest.raises(NotPermitted, match="is no administrator"):
            attempt()
    assert told() == []
    assert list(someone.groups.values_list("name", flat=True)) == ["support"]


def test_administrator_who_is_not_active_gives_nothing(cast: Cast):
    cast.administrator.is_active = False
    with pytest.raises(NotPermitted, match="Ada Administrator is no administrator"):
        add_to_role("clerk", cast.outsider, by=cast.administrator, at=MORNING)


def test_nobody_gives_themselves_a_role(cast: Cast):
    with pytest.raises(NotPermitted, match="Nobody changes their own roles; another administrator can"):
        add_to_role("controller", cast.administrator, by=cast.administrator, at=MORNING)
    assert not cast.administrator.groups.exists()


def test_role_unknown_and_machine_are_refused(cast: Cast):
    with pytest.raises(Invalid, match=r"“boss”[.] Use one of auditor, clerk, controller, standby, support"):
        add_to_role("boss", cast.outsider, by=cast.administrator, at=MORNING)
    with pytest.raises(Invalid, match="There is no role “boss”"):
        grant_role("boss", [cast.holds], by=cast.administrator, at=MORNING)
    with pytest.raises(Invalid, match="part of the machine"):
        add_to_role("clerk", machine(WORKER), by=cast.administrator, at=MORNING)
    with pytest.raises(Invalid, match="“rule” is none of ingest_messages, configure_connection"):
        grant_connection("rule", cast.outsider, cast.connection, by=cast.administrator, at=MORNING)
    assert told() == []


def test_role_taken_from_a_place_holds_from_the_next_request_on(cast: Cast, signed_in):
    case = factories.make_case(cast)
    client = signed_in(cast.clerk)
    assert client.get(f"/exceptions/{case.ref}/").status_code == 200
    places = [cast.einvoicing, cast.holds]
    assert revoke_role("clerk", places, by=cast.administrator, at=MORNING, because="Audit.") == places
    assert client.get(f"/exceptions/{case.ref}/").status_code == 404
    assert revoke_role("clerk", places, by=cast.administrator, at=MORNING) == []
    assert told() == [("grant.taken", "queue:e-invoicing"), ("grant.taken", "queue:policy-holds")]
    event = AuditEvent.objects.filter(action="grant.taken").earliest("id")
    assert event.data == {"from": "role:clerk", "permissions": ["comment", "correct", "propose", "reveal", "see"]}
    grant_role("clerk", places, by=cast.administrator, at=MORNING)
    assert client.get(f"/exceptions/{case.ref}/").status_code == 200


def test_role_granted_again_leaves_no_second_event(cast: Cast):
    grant_role("clerk", [cast.einvoicing, cast.netherlands], by=cast.administrator, at=MORNING)
    assert told() == []


def test_connection_given_and_taken(cast: Cast):
    signed: dict[str, Any] = {"by": cast.administrator, "at": MORNING, "because": BECAUSE}
    assert grant_connection("configure_connection", cast.outsider, cast.connection, **signed) is True
    assert may_configure(cast.outsider, cast.connection)
    assert grant_connection("configure_connection", cast.outsider, cast.connection, **signed) is False
    assert revoke_connection("ingest_messages", cast.outsider, cast.connection, **signed) is False
    assert revoke_connection("configure_connection", cast.outsider, cast.connection, **signed) is True
    assert not may_configure(cast.outsider, cast.connection)
    assert told() == [("grant.given", "connection:tax-authority"), ("grant.taken", "connection:tax-authority")]
    given = AuditEvent.objects.get(action="grant.given", actor="ada")
    assert given.data == {"to": "person:otto", "permissions": ["configure_connection"]}


def test_grants_of_a_person_and_of_a_role(cast: Cast):
    assert grants_of(cast.outsider) == []
    assert grants_of(cast.local_clerk) == [
        Granted("queue", "e-invoicing", ("comment", "correct", "propose", "reveal", "see")),
        Granted("legal entity", "NL01", ("comment", "correct", "propose", "reveal", "see")),
    ]
    assert [granted.place for granted in grants_of(Group.objects.get(name="support"))] == [
        "e-invoicing", "policy-holds", "DE01", "NL01",
    ]  # fmt: skip


# By command -----------------------------------------------------------------------------------------------------------


def test_commands_give_a_role_on_places_and_to_a_person(cast: Cast, capsys):
    case = factories.make_case(cast)
    revoke_role("support", [cast.einvoicing, cast.netherlands], by=cast.administrator, at=MORNING)
    command("grant_role", "support", "--queue", "e-invoicing", "--entity", "NL01", "--to", "otto")
    assert capsys.readouterr().out.splitlines() == [
        "The role support holds its verbs on E-invoicing, Meridian Industries NV.",
        "Otto Outsider has the role support.",
    ]
    assert verbs_of(cast.outsider, case) == ROLES["support"]
    assert told()[2:] == [
        ("grant.given", "queue:e-invoicing"), ("grant.given", "entity:NL01"), ("role.given", "person:otto"),
    ]  # fmt: skip
    assert {event.because for event in AuditEvent.objects.order_by("-id")[:3]} == {BECAUSE}
    command("grant_role", "support", "--to", "otto")
    assert capsys.readouterr().out == "Otto Outsider had the role support already.\n"


def test_commands_take_a_role_from_a_person_and_from_places(cast: Cast, capsys):
    case = factories.make_case(cast)
    command("revoke_role", "clerk", "--from", "clara")
    assert verbs_of(cast.clerk, case) == frozenset()
    command("revoke_role", "clerk", "--queue", "e-invoicing")
    assert verbs_of(cast.second_clerk, case) == frozenset()
    command("revoke_role", "clerk", "--queue", "e-invoicing")
    command("revoke_role", "clerk", "--from", "otto")
    assert capsys.readouterr().out.splitlines() == [
        "Clara Clerk no longer has the role clerk.",
        "The role clerk no longer holds anything on E-invoicing.",
        "The role clerk did not hold anything on E-invoicing.",
        "Otto Outsider did not have the role clerk.",
    ]
    assert told() == [("role.taken", "person:clara"), ("grant.taken", "queue:e-invoicing")]


def test_commands_give_and_take_a_connection(cast: Cast, capsys):
    command("grant_connection", "ingest_messages", "otto", "tax-authority")
    command("grant_connection", "configure_connection", "support", "tax-authority")
    assert may_configure(cast.support, cast.connection)
    command("grant_connection", "ingest_messages", "user:otto", "tax-authority")
    command("revoke_connection", "configure_connection", "role:support", "tax-authority")
    command("revoke_connection", "configure_connection", "support", "tax-authority")
    assert capsys.readouterr().out.splitlines() == [
        "Otto Outsider has ingest_messages on Tax authority.",
        "support has configure_connection on Tax authority.",
        "Otto Outsider had ingest_messages on Tax authority already.",
        "support no longer has configure_connection on Tax authority.",
        "support did not have configure_connection on Tax authority.",
    ]
    assert len(told()) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("grant_role", "clerk"), "Say where with --queue and --entity, or to whom with --to."),
        (("revoke_role", "clerk"), "Say where"),
        (("revoke_role", "clerk", "--queue", "e-invoicing", "--from", "clara"), "not both"),
        (("grant_role", "clerk", "--queue", "x"), "--queue: there is no 'x'. There is: e-invoicing, policy-holds."),
        (("grant_role", "clerk", "--queue", "policy-holds", "--entity", "FR01"), "--entity: there is no 'FR01'"),
        (("grant_role", "clerk", "--queue", "policy-holds", "--to", "nobody"), "--to: there is no account 'nobody'"),
        (("grant_role", "clerk", "--to", "ada"), "Nobody changes their own roles"),
        (("grant_role", "boss", "--to", "otto"), "invalid choice: 'boss'"),
        (("grant_connection", "rule", "otto", "tax-authority"), "invalid choice: 'rule'"),
        (("grant_connection", "ingest_messages", "nobody", "tax-authority"), "neither an account nor a role 'nobody'"),
        (("grant_connection", "ingest_messages", "both", "tax-authority"), "Write user:both or role:both."),
        (("grant_connection", "ingest_messages", "otto", "x"), "no connection 'x'. There is: tax-authority."),
        (("list_grants", "--user", "nobody"), "--user: there is no account 'nobody'"),
        (("list_grants", "--role", "nobody"), "--role: there is no role 'nobody'"),
    ],
)
def test_command_says_what_is_wrong_and_changes_nothing(cast: Cast, arguments: tuple[str, ...], words: str):
    Group.objects.create(name="both")
    type(cast.outsider).objects.create(username="both")
    before = everything()
    with pytest.raises(CommandError) as refused:
        call_command(*arguments, *(() if arguments[0] == "list_grants" else SIGNED))
    assert words in str(refused.value)
    assert (everything(), told()) == (before, [])


@pytest.mark.parametrize(
    ("by", "because", "words"),
    [
        ("clara", BECAUSE, "Clara Clerk is no administrator"),
        ("nobody", BECAUSE, "--by: there is no account 'nobody'"),
        ("ada", " ", "--because: write a reason of 1 to 500 characters."),
        ("ada", "x" * 501, "--because: write a reason of 1 to 500 characters."),
    ],
)
def test_command_wants_an_administrator_and_a_reason(cast: Cast, by: str, because: str, words: str):
    with pytest.raises(CommandError, match=words):
        call_command("grant_role", "clerk", "--to", "otto", "--by", by, "--because", because)
    for missing in (("--by", "ada"), ("--because", "x")):
        with pytest.raises(CommandError, match="the following arguments are required"):
            call_command("grant_role", "clerk", "--to", "otto", *missing)
    assert not cast.outsider.groups.exists()


def test_list_grants_says_who_may_do_what_where(cast: Cast, capsys):
    command("grant_connection", "ingest_messages", "otto", "tax-authority")
    capsys.readouterr()
    call_command("list_grants", "--user", "otto")
    assert capsys.readouterr().out.splitlines() == [
        "person otto (roles: none)",
        "  connection tax-authority: ingest_messages",
    ]
    call_command("list_grants", "--user", "sara")
    assert capsys.readouterr().out.splitlines()[:3] == [
        "person sara (roles: support)", "role support: sara", "  queue e-invoicing: see",
    ]  # fmt: skip
    call_command("list_grants", "--role", "clerk")
    assert capsys.readouterr().out.splitlines()[0] == "role clerk: cem, clara"
    call_command("list_grants")
    everybody = capsys.readouterr().out.splitlines()
    assert "person ada (roles: none; staff)" in everybody
    assert "person machine:setup (roles: none; not active)" in everybody


def everything() -> list[int]:
    tables: tuple[type[Any], ...] = (
        QueueUserGrant,
        QueueGroupGrant,
        LegalEntityGroupGrant,
        ConnectionUserGrant,
        ConnectionGroupGrant,
    )
    return [table.objects.count() for table in tables] + [get_user_model().objects.filter(groups__isnull=False).count()]


# The database ---------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_database_refuses_a_grant_without_its_audit_event(cast: Cast):
    before = everything()
    clerks = Group.objects.get(name="clerk")
    for place, subject, permission in (
        (cast.einvoicing, "queue:e-invoicing", "approve"),
        (cast.netherlands, "entity:NL01", "approve"),
        (cast.connection, "connection:tax-authority", "ingest_messages"),
    ):
        for holder in (cast.outsider, clerks):
            with pytest.raises(IntegrityError, match=f"INSERT on .+ refused: no audit event about {subject}"):
                assign_perm(permission, holder, place)
    for place, subject in ((cast.einvoicing, "queue:e-invoicing"), (cast.netherlands, "entity:NL01")):
        for holder in (cast.local_clerk, clerks):
            with pytest.raises(IntegrityError, match=f"DELETE on .+ refused: no audit event about {subject}"):
                remove_perm("see", holder, place)
    assert everything() == before


@pytest.mark.django_db(transaction=True)
def test_database_refuses_to_move_a_grant(cast: Cast):
    for column, value in (("user_id", cast.outsider.pk), ("content_object_id", cast.holds.pk)):
        with pytest.raises(IntegrityError, match=f"{column} is never changed once written"):
            QueueUserGrant.objects.update(**{column: value})
    see = QueueGroupGrant.objects.filter(permission__codename="see").earliest("pk")
    approve = QueueGroupGrant.objects.filter(permission__codename="approve").earliest("pk").permission
    with pytest.raises(IntegrityError, match="permission_id is never changed once written"):
        QueueGroupGrant.objects.filter(pk=see.pk).update(permission=approve)


@pytest.mark.django_db(transaction=True)
def test_grant_and_revocation_are_committed_with_their_events(cast: Cast):
    signed: dict[str, Any] = {"by": cast.administrator, "at": MORNING}
    grant_connection("ingest_messages", cast.outsider, cast.connection, **signed)
    revoke_connection("ingest_messages", cast.outsider, cast.connection, **signed)
    revoke_role("clerk", [cast.einvoicing, cast.netherlands], **signed)
    assert len(told()) == 4


@pytest.mark.django_db(transaction=True)
def test_grant_given_at_the_same_time_is_given_and_told_once(cast: Cast):
    def give() -> bool:
        return grant_connection("ingest_messages", cast.outsider, cast.connection, by=cast.administrator, at=MORNING)

    def add() -> bool:
        return add_to_role("clerk", cast.outsider, by=cast.administrator, at=MORNING)

    assert sorted(at_the_same_time([give] * 6)) == [False] * 5 + [True]
    assert sorted(at_the_same_time([add] * 6)) == [False] * 5 + [True]
    assert told() == [("grant.given", "connection:tax-authority"), ("role.given", "person:otto")]


@pytest.mark.django_db(transaction=True)
def test_grant_rolled_back_leaves_neither_row_nor_event(cast: Cast):
    def fail() -> None:
        with transaction.atomic():
            grant_role("auditor", [cast.holds], by=cast.administrator, at=MORNING)
            revoke_role("clerk", [cast.holds], by=cast.administrator, at=MORNING)
            raise InterruptedError

    before = everything()
    with pytest.raises(InterruptedError):
        fail()
    assert (everything(), told()) == (before, [])
