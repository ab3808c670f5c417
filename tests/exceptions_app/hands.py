"""People with a hand in a proposal, and others who come near it: each with what they are told, and what SQL is told."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AbstractUser, Group
from django.db import connection as database
from django.db import transaction
from django.test import Client
from django.utils.timezone import now

from audit import log
from exceptions_app.actions.grants import add_to_role, grant_verbs, remove_from_role
from exceptions_app.machines import SCIM, SETUP, machine
from exceptions_app.models import (
    Delegation,
    ExceptionCase,
    LegalEntity,
    PayloadVersion,
    Proposal,
    Queue,
)
from exceptions_app.states import Verb
from tests import factories
from tests.cast import MORNING, SET_UP_AT, Cast, give_role, grant, person
from workbench.models import User
from workbench.services import make_service_account

LATER = MORNING + timedelta(hours=1)
SignIn = Callable[[User], Client]
FOUR_EYES = "four eyes"
CONTRIBUTED = "contributed to proposal"
GAINED = "did not hold approve since before"
TOUCHED = "changed the account of user"


@dataclass(slots=True)
class Scene:
    """A correction by Cem that Clara proposed; everybody here may approve, as far as grants go."""

    cast: Cast
    case: ExceptionCase
    proposal: Proposal
    people: dict[str, User] = field(default_factory=dict)

    def controller(self, name: str, *, since: datetime = SET_UP_AT) -> User:
        found = person(name, f"{name.title()} Newcomer")
        add_to_role("controller", found, by=machine(SETUP), at=since)
        return found


def play(cast: Cast) -> Scene:
    for one in (cast.clerk, cast.second_clerk):
        give_role(one, "controller")
    writer = person("vera", "Vera Values", role="controller")
    mapper = person("mia", "Mia Maps", role="controller")
    case = factories.make_case(cast)
    version = factories.make_version(case, cast.second_clerk)
    with transaction.atomic():
        # A second version, made by Cem of what Mia's map and Vera's mapping gave.
        log.record(
            "case.corrected", subject=case.subject, scope="NL01/e-invoicing", actor="cem", at=MORNING, summary="Made."
        )
        PayloadVersion.objects.create(
            case=case, number=3, content=b"<x/>", media_type="application/xml", sha256="3", author=cast.second_clerk,
            field_maps=[{"direction": "inbound", "object_type": "invoice", "number": 4, "author": mapper.pk,
                         "put_to_use_by": mapper.pk}],
            hands=[{"person": writer.pk, "part": "valued", "what": "VM-12 version 3"}], created_at=version.created_at,
        )  # fmt: skip
    factories.assign(case, cast.clerk, by=cast.clerk)
    proposal = factories.make_proposal(case, cast.clerk)
    case.refresh_from_db()
    return Scene(cast, case, proposal, {"vera": writer, "mia": mapper})


def told(action: str, subject: str, *, by: AbstractUser, at: datetime, **data: Any) -> None:
    with transaction.atomic():
        log.record(action, subject=subject, scope="", actor=by.get_username(), at=at, summary="A change.", data=data)


def late_by_role(scene: Scene) -> User:
    return scene.controller("nina", since=LATER)


def late_by_grant_to_them(scene: Scene) -> User:
    found = person("nina", "Nina Newcomer")
    grant(found, [Verb.SEE, Verb.APPROVE], scene.cast.einvoicing)
    grant_verbs([Verb.SEE, Verb.APPROVE], found, [scene.cast.netherlands], by=machine(SETUP), at=LATER)
    return found


def late_by_grant_to_their_role(scene: Scene) -> User:
    return deputy(scene, since=LATER)


def deputy(scene: Scene, *, since: datetime = SET_UP_AT) -> User:
    """Who may approve by a role that nobody else has, to which it was granted then."""
    found, role = person("nina", "Nina Newcomer"), Group.objects.create(name="deputies")
    add_to_role("deputies", found, by=machine(SETUP), at=SET_UP_AT)
    places: list[Queue | LegalEntity] = [scene.cast.einvoicing, scene.cast.netherlands]
    grant_verbs([Verb.SEE, Verb.APPROVE], role, places, by=machine(SETUP), at=since)
    return found


def lent(giver: User, taker: User, **changed: Any) -> User:
    """Who decides in place of the giver since the installation was set up."""
    with transaction.atomic():
        told("delegation.given", f"person:{giver.username}", by=giver, at=SET_UP_AT, taker=taker.username)
        Delegation.objects.create(
            **{
                "giver": giver, "taker": taker, "first_day": SET_UP_AT.date(), "last_day": now().date(),
                "begins_at": SET_UP_AT, "ends_at": now() + timedelta(days=1), "because": "Holiday.",
                "given_at": SET_UP_AT,
            }
            | changed
        )  # fmt: skip
    return taker


def given_again(scene: Scene) -> User:
    """The role was taken meanwhile: what counts is since when they have it now."""
    found = scene.controller("nina")
    remove_from_role("controller", found, by=machine(SETUP), at=LATER)
    add_to_role("controller", found, by=machine(SETUP), at=LATER)
    return found


def with_a_reset_password(scene: Scene) -> User:
    found = scene.controller("nina")
    told("person.changed", "person:nina", by=scene.cast.clerk, at=LATER, fields=["password"])
    return found


def with_a_new_second_factor(scene: Scene) -> User:
    """Shortly before the first correction, by its author."""
    found = scene.controller("nina")
    told("person.second_factor_removed", "person:nina", by=scene.cast.second_clerk, at=MORNING - timedelta(hours=23))
    return found


def added_by_the_proposer(scene: Scene) -> User:
    found = scene.controller("nina")
    told("person.added", "person:nina", by=scene.cast.clerk, at=MORNING - timedelta(hours=2))
    return found


def with_a_token_of_the_proposer(scene: Scene) -> User:
    found = scene.controller("nina")
    User.objects.filter(pk=scene.cast.clerk.pk).update(is_superuser=False)
    told("token.made", "person:nina", by=scene.cast.clerk, at=LATER, name="theirs")
    return found


def given_by_the_proposer(scene: Scene) -> User:
    """A right that they had before the proposal, from somebody with a hand in it, shortly before."""
    found = scene.controller("nina")
    subject = f"entity:{scene.cast.netherlands.code}"
    at = MORNING - timedelta(hours=3)
    told("grant.given", subject, by=scene.cast.clerk, at=at, to="person:nina", permissions=["approve", "see"])
    return found


def eligible_by_the_proposer(scene: Scene) -> User:
    """Who may take the right by themselves, in an emergency, since somebody with a hand in it said so."""
    found = scene.controller("nina")
    subject, at = f"entity:{scene.cast.netherlands.code}", MORNING - timedelta(hours=3)
    told("grant.given", subject, by=scene.cast.clerk, at=at, to="person:nina", permissions=["emergency"])
    return found


def given_to_their_role_by_the_proposer(scene: Scene) -> User:
    found = deputy(scene)
    subject, at = f"queue:{scene.cast.einvoicing.slug}", MORNING - timedelta(hours=3)
    told("grant.given", subject, by=scene.cast.clerk, at=at, to="role:deputies", permissions=["approve", "see"])
    return found


def in_place_of_one_whose_password_the_proposer_reset(scene: Scene) -> User:
    giver = scene.controller("gina")
    told("person.changed", "person:gina", by=scene.cast.clerk, at=LATER, fields=["password"])
    return lent(giver, person("nina", "Nina Newcomer", role="support"))


def added_by_the_directory_of_the_proposer(scene: Scene) -> User:
    """By the token of a service account for which somebody with a hand in it answers."""
    found = scene.controller("nina")
    entra = make_service_account(
        "entra", purpose="Joiners", owner=scene.cast.clerk, ends_at=now() + timedelta(days=9),
        by=scene.cast.administrator, at=now(), because="The directory says who works here.",
    )  # fmt: skip
    at, through = MORNING - timedelta(hours=2), entra.user.username
    told("person.added", "person:nina", by=machine(SCIM), at=at, through=through)
    return found


def in_place_of_the_proposer(scene: Scene) -> User:
    return lent(scene.cast.clerk, scene.controller("nina"))


def twin(scene: Scene) -> User:
    found = scene.controller("clara2")
    found.email = scene.cast.clerk.email.upper()
    found.save(update_fields=["email"])
    return found


# Who decides, what they are told, and what the database says to whoever goes past all of it.
REFUSED: dict[str, tuple[Callable[[Scene], User], str, str]] = {
    "the proposer": (lambda scene: scene.cast.clerk, "You proposed this; someone else must decide.", CONTRIBUTED),
    "the author of a version": (
        lambda scene: scene.cast.second_clerk, "You prepared this correction; someone else must decide.", CONTRIBUTED,
    ),
    "the author of a field map": (
        lambda scene: scene.people["mia"],
        "You wrote or put to use a field map that made this (inbound invoice 4); someone else must decide.",
        CONTRIBUTED,
    ),
    "the author of a mapping": (
        lambda scene: scene.people["vera"],
        "You wrote the mapping that gave a value in this (VM-12 version 3); someone else must decide.",
        CONTRIBUTED,
    ),
    "a role given after it was proposed": (late_by_role, "You were given the right to approve here after", GAINED),
    "a grant given after it": (late_by_grant_to_them, "You were given the right to approve here after", GAINED),
    "a grant to the role after it": (
        late_by_grant_to_their_role, "You were given the right to approve here after", GAINED,
    ),
    "a role taken and given again": (given_again, "You were given the right to approve here after", GAINED),
    "a password that the proposer reset": (
        with_a_reset_password,
        "Clara Clerk, who had a hand in this, changed your account or your access on 02.11.2026; someone else must",
        TOUCHED,
    ),
    "a second factor that the author reset": (
        with_a_new_second_factor, "Cem Clerk, who had a hand in this, changed your account", TOUCHED,
    ),
    "an account that the proposer added": (added_by_the_proposer, "Clara Clerk, who had a hand in this", TOUCHED),
    "an account that the proposer added through the directory": (
        added_by_the_directory_of_the_proposer, "Clara Clerk, who had a hand in this, changed your account", TOUCHED,
    ),
    "a token that the proposer made": (with_a_token_of_the_proposer, "Clara Clerk, who had a hand in this", TOUCHED),
    "a right that the proposer gave": (given_by_the_proposer, "Clara Clerk, who had a hand in this", TOUCHED),
    "a way to take it in an emergency that the proposer gave": (
        eligible_by_the_proposer, "Clara Clerk, who had a hand in this", TOUCHED,
    ),
    "a right that the proposer gave to their role": (
        given_to_their_role_by_the_proposer, "Clara Clerk, who had a hand in this", TOUCHED,
    ),
    "who decides for somebody whose password the proposer reset": (
        in_place_of_one_whose_password_the_proposer_reset, "Clara Clerk, who had a hand in this", TOUCHED,
    ),
    "who decides in place of the proposer": (
        in_place_of_the_proposer, "One of you and Clara Clerk, who had a hand in this", "decides for somebody",
    ),
    "a second account of the proposer": (
        twin, "Your account has the e-mail address of Clara Clerk, who had a hand in this", "has the address of",
    ),
}  # fmt: skip


def decide_by_sql(scene: Scene, decider: AbstractUser, *, table: str = "decision") -> None:
    """`table` is firstapproval for the first of two."""
    with database.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO exceptions_app_{table} (proposal_id, verdict, decider_id, frozen_sha256, because, decided_at)"  # noqa: S608 - one of two names
            " VALUES (%s, 'approved', %s, %s, '', now())",
            [scene.proposal.pk, decider.pk, scene.proposal.frozen_sha256],
        )
    with transaction.atomic():
        log.record(
            "case.approved", subject=scene.case.subject, scope="NL01/e-invoicing", actor=decider.get_username(),
            at=LATER, summary="Approved.",
        )  # fmt: skip
