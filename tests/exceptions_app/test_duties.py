"""Who may not decide whatever they are granted, by every route that there is, and who is left."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.postgres.functions import TransactionNow
from django.db import IntegrityError, transaction
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import now

from audit import log
from exceptions_app.actions.decide import approve, reject
from exceptions_app.actions.grants import grant_verbs, remove_from_role
from exceptions_app.duties import Decider, who_can
from exceptions_app.hands import hands_of, own_part
from exceptions_app.machines import POLICY, SCIM, SETUP, machine
from exceptions_app.models import Decision, PayloadVersion
from exceptions_app.models.duties import ACCOUNT_EVENTS, ACCOUNT_FIELDS, STATUS_FIELDS
from exceptions_app.policies import NotPermitted, contributors_of, standing
from exceptions_app.states import Verb
from exceptions_app.views.audit_words import ACTIONS
from tests import factories
from tests.cast import MORNING, Cast, person
from tests.exceptions_app.api.conftest import Api, api
from tests.exceptions_app.hands import (
    FOUR_EYES,
    GAINED,
    LATER,
    REFUSED,
    TOUCHED,
    Scene,
    SignIn,
    decide_by_sql,
    lent,
    play,
    told,
)
from workbench.admin import PersonForm
from workbench.models import User

__all__ = ["api"]
pytestmark = pytest.mark.django_db


def test_nobody_decides_on_what_they_had_a_hand_in_by_any_route(
    cast: Cast, signed_in: SignIn, api: Callable[[User], Api]
):
    scene = play(cast)
    for name, (arrange, told_to_them, database_says) in REFUSED.items():
        with transaction.atomic():
            try_every_route(scene, arrange(scene), told_to_them, database_says, signed_in, api, name)
            transaction.set_rollback(True)
    administration = signed_in(cast.administrator)
    assert administration.get("/admin/").status_code == 200
    assert administration.get("/admin/exceptions_app/decision/add/").status_code == 404
    # The same routes let the one who is left through.
    decide_by_sql(scene, cast.controller)
    assert Decision.objects.get().decider == cast.controller


def try_every_route(
    scene: Scene,
    decider: User,
    told_to_them: str,
    database_says: str,
    signed_in: SignIn,
    api: Callable[[User], Api],
    name: str,
) -> None:
    case, shown = scene.case, scene.proposal.frozen_sha256
    for decide in (approve, reject):
        with pytest.raises(NotPermitted) as refused:
            decide(case.pk, by=decider, at=LATER, frozen_sha256=shown, because="Mine.")
        assert refused.value.reason.startswith(told_to_them), name
        assert refused.value.reason.endswith("Conrad Controller can."), name
    page = signed_in(decider).get(reverse("exceptions:case", args=[case.ref]))
    assert page.status_code == 200, name
    assert not page.context["items"]["approve"].allowed, name
    sent = {"frozen_sha256": shown, "agreed": "on", "because": "Mine."}
    for action in ("approve", "reject"):
        answer = signed_in(decider).post(reverse(f"exceptions:{action}", args=[case.ref]), sent)
        assert answer.status_code == 403, name
        from_api = api(decider).post(f"exceptions/{case.ref}/{action}", {"frozen_sha256": shown, "because": "Mine."})
        assert (from_api.status_code, from_api.json()["detail"]) == (403, refused.value.reason), name
    items = [{"ref": case.ref, "if_match": "*", "body": {"frozen_sha256": shown}}]
    [outcome] = api(decider).post("exceptions/bulk", {"action": "approve", "items": items}).json()["outcomes"]
    assert outcome["problem"]["detail"] == refused.value.reason, name
    with pytest.raises(IntegrityError, match=database_says) as by_database, transaction.atomic():
        decide_by_sql(scene, decider)
    assert FOUR_EYES in str(by_database.value), name
    assert not Decision.objects.exists()


# What gives nobody anything in an account, whoever does it.
HARMLESS: list[tuple[str, dict[str, Any]]] = [
    ("role.taken", {"role": "support"}),
    ("role.not_given", {"role": "controller"}),
    ("token.withdrawn", {"name": "theirs"}),
    ("token.issued", {"name": "theirs"}),
    ("person.sessions_ended", {"sessions": 2}),
    ("person.refused", {"what": "POST exceptions:approve"}),
    ("person.refused_more", {"count": 3}),
    ("person.changed", {"fields": ["First name", "Last name", "Time zone"]}),
    ("person.changed", {"fields": ["Active"], "changes": {"is_active": {"was": True, "will_be": False}}}),
    *[
        ("person.changed", {"fields": [label], "changes": {column: {"was": True, "will_be": False}}})
        for label, column in STATUS_FIELDS.items()
    ],
    ("delegation.given", {"giver": "conrad", "taker": "sara"}),
    ("delegation.ended", {"giver": "conrad", "taker": "sara"}),
    # What a review takes has an event of the taking beside these, which are about the review.
    ("access_review.opened", {"scope": "all"}),
    ("access_review.confirmed", {"holder": "person:conrad"}),
    ("access_review.ended", {"holder": "person:conrad"}),
    ("access_review.gone", {"holder": "person:conrad"}),
    ("access_review.left", {"holder": "person:conrad"}),
    ("access_review.closed", {"scope": "all"}),
    ("access_review.cancelled", {"scope": "all"}),
]
BY_THEMSELVES_ALONE = {
    "person.signed_in", "person.signed_out", "person.sign_in_refused", "person.proved_again",
    "person.recovery_code_used", "person.password_stored_anew",
}  # fmt: skip


PREFIXES = ("person.", "role.", "token.", "delegation.", "access_review.")


def test_each_event_about_an_account_is_known_to_open_it_or_not():
    names = {name for group in ACTIONS.values() for name in group if not name.endswith(".")}
    harmless = {action for action, _ in HARMLESS} | BY_THEMSELVES_ALONE | {"role.added"}
    about_accounts = {name for name in names if name.startswith(PREFIXES)}
    assert about_accounts == set(ACCOUNT_EVENTS) | harmless
    assert harmless.isdisjoint(ACCOUNT_EVENTS)
    # As the form labels them; the page of the password has no label, and roles have events of their own.
    labels = {str(field.label) for field in PersonForm.base_fields.values()}
    assert {*ACCOUNT_FIELDS, *STATUS_FIELDS} - labels == {"password"}


def test_each_change_by_which_somebody_may_sign_in_or_do_more_counts(cast: Cast):
    """By somebody with a hand in it; named here one by one, so that none is missing there."""
    scene = play(cast)
    fields = ["password", "Email address", "Username", "Staff status", "Superuser status"]
    changed: list[tuple[str, dict[str, Any]]] = [("person.changed", {"fields": ["Last name", one]}) for one in fields]
    made_active = {"is_active": {"was": False, "will_be": True}}
    changed.append(("person.changed", {"fields": ["Active"], "changes": made_active}))
    others = (
        "person.added", "person.password_changed", "person.second_factor_added", "person.second_factor_removed",
        "person.recovery_codes_renewed", "person.joined", "role.given", "token.made",
    )  # fmt: skip
    for action, data in [*changed, *((action, {"role": "support"}) for action in others)]:
        with transaction.atomic():
            told(action, "person:conrad", by=cast.clerk, at=LATER, **data)
            with pytest.raises(IntegrityError, match=TOUCHED), transaction.atomic():
                decide_by_sql(scene, cast.controller)
            transaction.set_rollback(True)


def test_what_touches_nobody_keeps_nobody_from_deciding(cast: Cast):
    """The same changes by others, of old or by themselves; and a right that was there before beside a new one."""
    scene = play(cast)
    admin, old = cast.administrator, MORNING - timedelta(hours=25)
    told("person.changed", "person:conrad", by=admin, at=LATER, fields=["password"])
    told("person.changed", "person:conrad", by=cast.clerk, at=old, fields=["password"])
    told("person.password_changed", "person:conrad", by=cast.controller, at=LATER)
    told("role.given", "person:conrad", by=machine(SCIM), at=LATER, role="support", through="service:of-others")
    for action, data in HARMLESS:
        told(action, "person:conrad", by=cast.clerk, at=LATER, **data)
    grant_verbs([Verb.APPROVE], cast.controller, [cast.einvoicing, cast.netherlands], by=machine(SETUP), at=LATER)
    queue, entity, elsewhere = (
        f"queue:{cast.einvoicing.slug}", f"entity:{cast.netherlands.code}", f"queue:{cast.holds.slug}",
    )  # fmt: skip
    for action, place, at, verb in (
        ("grant.taken", queue, LATER, "approve"), ("grant.given", entity, scene.proposal.proposed_at, "approve"),
        ("grant.given", elsewhere, LATER, "approve"), ("grant.given", queue, LATER, "see"),
    ):  # fmt: skip
        told(action, place, by=machine(SETUP), at=at, to="role:controller", permissions=[verb])
    # A status that was given, and one of which the event does not say whether it was, counts as it did.
    for changes in ({}, {"is_staff": {"was": False, "will_be": True}}):
        with transaction.atomic():
            told("person.changed", "person:conrad", by=cast.clerk, at=LATER, fields=["Staff status"], changes=changes)
            with pytest.raises(IntegrityError, match=TOUCHED), transaction.atomic():
                decide_by_sql(scene, cast.controller)
            transaction.set_rollback(True)
    for one in (cast.support, cast.outsider, cast.administrator):
        with pytest.raises(IntegrityError, match=GAINED), transaction.atomic():
            decide_by_sql(scene, one)
    with pytest.raises(IntegrityError, match="a machine cannot decide on proposal"), transaction.atomic():
        decide_by_sql(scene, machine(POLICY))
    User.objects.filter(pk=cast.controller.pk).update(is_active=False)
    with pytest.raises(IntegrityError, match=GAINED), transaction.atomic():
        decide_by_sql(scene, cast.controller)
    User.objects.filter(pk=cast.controller.pk).update(is_active=True)
    told("person.changed", "person:conrad", by=admin, at=LATER, fields=["Active"])
    assert contributors_of(scene.proposal) == {
        cast.clerk.pk, cast.second_clerk.pk, scene.people["mia"].pk, scene.people["vera"].pk
    }  # fmt: skip
    lent(cast.controller, cast.support)
    # Who has no address is nobody's second account.
    for one in (cast.clerk, cast.controller):
        told("person.changed", f"person:{one.username}", by=admin, at=LATER, fields=["Email address"])
    User.objects.filter(pk__in=[cast.clerk.pk, cast.controller.pk]).update(email="")
    decide_by_sql(scene, cast.controller)


@pytest.mark.parametrize("name", ["ended_at", "ends_at"])
def test_delegation_that_was_over_a_day_before_the_first_correction_keeps_nobody_from_deciding(cast: Cast, name: str):
    scene = play(cast)
    first = min(scene.case.versions.filter(author__isnull=False).values_list("created_at", flat=True))
    since = min(first, scene.proposal.proposed_at) - timedelta(hours=24)
    lasted: dict[str, Any] = {"begins_at": since - timedelta(days=2), "given_at": since - timedelta(days=2)}
    by = {"ended_by": cast.clerk} if name == "ended_at" else {}
    with transaction.atomic():
        lent(cast.clerk, cast.controller, **lasted | by | {name: since + timedelta(microseconds=1)})
        with pytest.raises(IntegrityError, match="decides for somebody"), transaction.atomic():
            decide_by_sql(scene, cast.controller)
        transaction.set_rollback(True)
    lent(cast.clerk, cast.controller, **lasted | by | {name: since})
    decide_by_sql(scene, cast.controller)
    assert Decision.objects.get().decider == cast.controller


def test_delegation_counts_from_its_first_moment_on_and_never_when_it_ended_before(cast: Cast):
    scene = play(cast)
    with transaction.atomic():
        lent(cast.clerk, cast.controller, begins_at=TransactionNow())  # the moment that the trigger has
        with pytest.raises(IntegrityError, match="decides for somebody"), transaction.atomic():
            decide_by_sql(scene, cast.controller)
        transaction.set_rollback(True)
    lent(cast.clerk, cast.controller, begins_at=LATER, ended_at=LATER, ended_by=cast.clerk)
    decide_by_sql(scene, cast.controller)
    assert Decision.objects.get().decider == cast.controller


def test_of_two_rows_that_say_the_same_the_one_that_says_of_what_comes_first(cast: Cast):
    case, vera = factories.make_case(cast), person("vera", "Vera Values")
    factories.make_version(case, cast.second_clerk)
    hands = [{"person": vera.pk, "part": "valued", "what": what} for what in ("", "VM-12 version 3")]
    with transaction.atomic():
        log.record("case.corrected", subject=case.subject, scope="", actor="cem", at=MORNING, summary="Made.")
        PayloadVersion.objects.create(
            case=case, number=3, content=b"<x/>", media_type="application/xml", sha256="3", author=cast.second_clerk,
            hands=hands, created_at=MORNING,
        )  # fmt: skip
    factories.assign(case, cast.clerk, by=cast.clerk)
    told_of = own_part(hands_of(factories.make_proposal(case, cast.clerk)), vera.pk)
    assert told_of == "You wrote the mapping that gave a value in this (VM-12 version 3); someone else must decide."


def test_of_several_parts_in_it_the_nearest_is_told(cast: Cast):
    case = factories.make_case(cast)
    factories.make_version(case, cast.clerk)
    proposal = factories.make_proposal(case, cast.clerk)
    assert [hand.part for hand in hands_of(proposal)] == ["proposed", "corrected"]
    assert own_part(hands_of(proposal), cast.clerk.pk) == "You proposed this; someone else must decide."


def test_page_and_api_say_who_could_still_approve_before_it_is_stuck(
    cast: Cast, signed_in: SignIn, api: Callable[[User], Api]
):
    case = factories.make_case(cast)
    person("nina", "Nina Newcomer", role="controller")
    address = reverse("exceptions:case", args=[case.ref])

    def shown(user: User) -> str:
        return str(signed_in(user).get(address).context.get("who_can"))

    def from_api(user: User) -> Any:
        return api(user).get(f"exceptions/{case.ref}").json()["deciders"]

    assert shown(cast.clerk) == "Conrad Controller and Nina Newcomer can."
    assert shown(cast.support) == "None"
    assert from_api(cast.support) is None
    told("person.changed", "person:nina", by=cast.clerk, at=now(), fields=["password"])
    assert shown(cast.clerk) == "Conrad Controller can."
    factories.make_proposal(case, cast.clerk)
    assert shown(cast.support) == shown(cast.clerk) == "Conrad Controller can."
    assert from_api(cast.clerk) == {
        "people": [{"username": "conrad", "name": "Conrad Controller"}], "words": "Conrad Controller can."
    }  # fmt: skip
    remove_from_role("controller", cast.controller, by=machine(SETUP), at=now())
    nobody = (
        "Nobody can: everyone who may approve in E-invoicing for Meridian Industries NV had a hand in it or is kept "
        "from it. An administrator can give somebody else the right there; have it withdrawn and proposed again then."
    )
    assert shown(cast.clerk) == nobody
    assert from_api(cast.clerk) == {"people": [], "words": nobody}
    other = factories.make_case(cast)
    factories.make_version(other, cast.clerk)
    tom = person("tom", "Tom Third", role="controller")
    page = signed_in(cast.clerk).get(reverse("exceptions:case", args=[other.ref]))
    assert "Nobody could approve this" not in page.content.decode()
    remove_from_role("controller", tom, by=machine(SETUP), at=now())
    page = signed_in(cast.clerk).get(reverse("exceptions:case", args=[other.ref]))
    assert "Nobody could approve this" in page.content.decode()


def test_who_is_left_is_read_in_one_query_however_many_they_are(cast: Cast):
    case = factories.make_case(cast)
    factories.make_proposal(case, cast.clerk)
    case.refresh_from_db()
    with CaptureQueriesContext(database) as few:
        standing(cast.controller, case)
    for number in range(8):
        person(f"more{number}", f"More{number} Controller", role="controller")
    with CaptureQueriesContext(database) as many:
        found = standing(cast.controller, case)
    assert (len(few), len(many), len(found.deciders or ())) == (5, 5, 9)


def test_of_who_decides_and_may_nobody_else_is_read(cast: Cast):
    case = factories.make_case(cast)
    factories.make_proposal(case, cast.clerk)
    person("nina", "Nina Newcomer", role="controller")
    case.refresh_from_db()

    def read_for(user: User) -> tuple[int, list[str]]:
        with CaptureQueriesContext(database) as queries:
            found = standing(user, case, decides=True).deciders or ()
        return len(queries), sorted(one.username for one in found)

    assert read_for(cast.controller) == (5, ["conrad"])
    assert read_for(cast.clerk) == (6, ["conrad", "nina"])
    told("person.changed", "person:conrad", by=cast.clerk, at=now(), fields=["password"])
    case.refresh_from_db()
    assert read_for(cast.controller) == (6, ["conrad", "nina"])


def decider(name: str, why_not: str = "", **more: Any) -> Decider:
    return Decider(len(name), name.lower(), name, why_not, **more)


def test_who_can_is_said_of_one_and_of_many_and_of_two_who_must(cast: Cast):
    case = factories.make_case(cast)
    ada, ben, cleo, dan, eve = (decider(name) for name in ("Ada", "Ben", "Cleo", "Dan", "Eve"))
    kept, without = decider("Kim", "You proposed this."), decider("Rob", lacks="A role.", role="treasurer")

    def said(*people: Decider, missing: int = 1, is_proposed: bool = True) -> str:
        return who_can([replace(one, missing=missing) for one in people], case, is_proposed=is_proposed)

    assert said(ada, kept, without) == "Ada can."
    assert said(ada, ben) == "Ada and Ben can."
    assert said(ada, ben, cleo) == "Ada, Ben and Cleo can."
    assert said(ada, ben, cleo, dan, eve) == "Ada, Ben, Cleo and 2 more can."
    assert said(ada, ben, missing=2) == "Ada and Ben can; two of them must."
    give = "Only Ada can, and two must. An administrator can give somebody else the right there"
    assert said(ada, kept, missing=2) == f"{give}; have it withdrawn and proposed again then."
    assert said(ada, kept, missing=2, is_proposed=False) == f"{give}; have that done before it is proposed."
    assert said(ada, without, missing=2).startswith(f"{give}, or the role treasurer; have it withdrawn")
    assert said(replace(without, why_not="You proposed this.")).startswith("Nobody can: everyone who may approve in ")
    takes = "Nobody can: a rule takes the role treasurer, and nobody"
    assert said(without).startswith(f"{takes} had it before it was proposed who may approve in E-invoicing for ")
    assert said(without, is_proposed=False).startswith(f"{takes} has it who may approve in E-invoicing for ")
