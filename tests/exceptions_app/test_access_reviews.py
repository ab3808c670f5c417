"""Access confirmed again: who decides, what ends, and what the database lets nobody do."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser, Permission
from django.db import IntegrityError, transaction
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from audit import log
from audit.models import AuditEvent
from exceptions_app.actions.access_review import OWN, close_review, confirm, end_item, open_review
from exceptions_app.actions.access_review_due import due, end_due_review, end_some
from exceptions_app.actions.connections import subject_of
from exceptions_app.actions.grants import add_to_role, grant_connection, grant_verbs, remove_from_role
from exceptions_app.actions.mover import Invalid
from exceptions_app.machines import ACCESS_REVIEW, SETUP, machine
from exceptions_app.models import AccessReview, AccessReviewItem, LegalEntityUserGrant, QueueUserGrant
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.access_review import standing_now, what_became_of
from exceptions_app.states import Verb
from exceptions_app.tasks import access_reviews_due
from integrations.models import ConnectionUserGrant
from tests import factories
from tests.cast import MORNING, SET_UP_AT, Cast, person
from tests.concurrency import at_the_same_time
from workbench.celery import BEAT_SCHEDULE
from workbench.models import User

pytestmark = pytest.mark.django_db
LATER = MORNING + timedelta(hours=1)
DUE = MORNING + timedelta(days=14)
REASON = "Works elsewhere now."


def opened(by: AbstractUser, scope: str = "all", name: str = "Autumn") -> AccessReview:
    return open_review(name, scope=scope, due_at=DUE, by=by, at=MORNING)


def line(review: AccessReview, kind: str, *, of: str = "", role: str = "", place: str = "") -> AccessReviewItem:
    found = review.items.filter(kind=kind, role=role, place=place)
    return found.get(person__username=of) if of else found.get(person=None)


def events(prefix: str = "access_review.") -> Counter[str]:
    found = AuditEvent.objects.filter(action__startswith=prefix).values_list("action", flat=True)
    return Counter(found)


def refused(kind: type[Exception], words: str, act: Callable[[], object]) -> None:
    with pytest.raises(kind) as error, transaction.atomic():
        act()
    assert words in str(error.value)


def test_list_is_frozen_as_it_stands_and_each_line_says_since_when(cast: Cast):
    admin = cast.administrator
    grant_connection("configure_connection", cast.outsider, cast.connection, by=admin, at=MORNING)
    factories.claim(factories.make_case(cast), cast.clerk)
    review = opened(admin)
    lines = {(item.kind, item.holder, item.role, item.place): item for item in review.items.select_related("person")}
    # Five with a role, the local clerk in two places, one connection, the administrator, five roles in four places.
    assert len(lines) == review.count == 5 + 2 + 1 + 1 + 20
    clerk = lines["role", "person:clara", "clerk", ""]
    assert (clerk.verbs, clerk.since, clerk.given_by) == (
        ["comment", "correct", "propose", "reveal", "see"], SET_UP_AT, "machine:setup",
    )  # fmt: skip
    connection = lines["connection", "person:otto", "", "tax-authority"]
    assert (connection.verbs, connection.since, connection.given_by) == (["configure_connection"], MORNING, "ada")
    assert lines["queue", "role:auditor", "auditor", "policy-holds"].verbs == ["export", "see"]
    assert lines["workbench", "person:ada", "", ""].last_used == MORNING
    used = sorted((one.role, one.place) for one in lines.values() if one.person is None and one.last_used)
    assert used == [("clerk", "NL01"), ("clerk", "e-invoicing")]  # by whoever has the role, where they did
    [event] = AuditEvent.objects.filter(action="access_review.opened")
    assert (event.subject, event.data["items"], event.actor) == (review.subject, review.count, "ada")
    # A role with whoever has it; a place with what is granted there and whoever has a role there.
    role = opened(admin, "role:auditor", "Auditors")
    assert Counter(role.items.values_list("kind", flat=True)) == {"role": 1, "queue": 2, "entity": 2}
    place = opened(admin, "queue:policy-holds", "Holds")
    assert Counter(place.items.values_list("kind", flat=True)) == {"role": 5, "queue": 5}
    for scope in ("queue:nowhere", "role:nobody"):
        refused(Invalid, "Nothing is granted there.", partial(opened, admin, scope, "Nothing"))
    refused(Invalid, "open already", lambda: opened(admin))
    refused(Invalid, "to come", lambda: open_review("x", scope="all", due_at=MORNING, by=admin, at=LATER))
    refused(Invalid, "Give it a name", lambda: opened(admin, name=" "))
    for stranger in (cast.clerk, cast.auditor, cast.outsider):
        refused(NotPermitted, "is no administrator", partial(opened, stranger, name="Other"))
    refused(NotPermitted, "A machine confirms nothing", lambda: opened(machine(SETUP), name="Other"))


def test_each_line_is_decided_once_by_somebody_else_and_what_ends_is_taken(cast: Cast):
    admin = cast.administrator
    second = person("abe", "Abe Administrator", is_staff=True)
    review = opened(admin)
    signed: dict[str, Any] = {"by": admin, "at": LATER}
    ada, clara = line(review, "workbench", of="ada"), line(review, "role", of="clara", role="clerk")
    for act in (
        lambda by: confirm(review.pk, [clara.position], by=by, at=LATER),
        lambda by: end_item(review.pk, clara.position, by=by, at=LATER, because=REASON),
        lambda by: close_review(review.pk, by=by, at=LATER),
    ):
        for stranger in (cast.clerk, cast.controller, cast.auditor, cast.outsider):
            refused(NotPermitted, "is no administrator", partial(act, stranger))
    refused(NotPermitted, "A machine", lambda: confirm(review.pk, [clara.position], by=machine(SETUP), at=LATER))
    # Their own, also of a role that they have, of another account of theirs, and among others.
    refused(NotPermitted, OWN, lambda: confirm(review.pk, [clara.position, ada.position], **signed))
    refused(NotPermitted, OWN, lambda: end_item(review.pk, ada.position, because=REASON, **signed))
    User.objects.filter(pk=cast.clerk.pk).update(email="ADA@example.test")
    refused(NotPermitted, OWN, lambda: confirm(review.pk, [clara.position], **signed))
    User.objects.filter(pk=cast.clerk.pk).update(email="clara@example.test")
    add_to_role("support", admin, by=second, at=LATER)
    support = line(review, "queue", role="support", place="policy-holds")
    refused(NotPermitted, OWN, lambda: confirm(review.pk, [support.position], **signed))
    assert not review.items.exclude(outcome="").exists()
    # It ends by the action that takes it, with both events.
    refused(Invalid, "Say why", lambda: end_item(review.pk, clara.position, because=" ", **signed))
    ended = end_item(review.pk, clara.position, because=REASON, **signed)
    assert (ended.outcome, list(cast.clerk.groups.all())) == ("ended", [])
    taken = AuditEvent.objects.get(action="role.taken")
    assert (taken.subject, taken.actor, taken.because) == ("person:clara", "ada", REASON)
    assert AuditEvent.objects.get(action="access_review.ended").subject == clara.subject
    for again in (
        lambda: end_item(review.pk, clara.position, because=REASON, **signed),
        lambda: confirm(review.pk, [clara.position, support.position], by=second, at=LATER),
    ):
        refused(Invalid, f"Line {clara.position} is decided already: ended", again)
    lars, there = line(review, "queue", of="lars", place="e-invoicing"), line(review, "entity", of="lars", place="NL01")
    end_item(review.pk, lars.position, because=REASON, **signed)
    assert ("queue", cast.local_clerk.pk, "", "e-invoicing") not in standing_now()
    # What went is said, what came since is none of it.
    remove_from_role("auditor", cast.auditor, by=admin, at=LATER)
    grant_verbs([Verb.EXPORT], cast.local_clerk, [cast.netherlands], by=admin, at=LATER)
    anna, granted = line(review, "role", of="anna", role="auditor"), standing_now()
    assert what_became_of(anna, granted) == "It is not granted any more."
    assert what_became_of(there, granted) == "Given since then: export."
    assert confirm(review.pk, [anna.position], **signed) == {"gone": 1}
    end_item(review.pk, there.position, because=REASON, **signed)
    assert standing_now()["entity", cast.local_clerk.pk, "", "NL01"].verbs == ("export",)
    gone = line(review, "role", of="cem", role="clerk")
    remove_from_role("clerk", cast.second_clerk, by=admin, at=LATER)
    assert end_item(review.pk, gone.position, because=REASON, **signed).outcome == "gone"
    controller = line(review, "entity", role="controller", place="DE01")
    end_item(review.pk, controller.position, because=REASON, **signed)
    assert ("entity", 0, "controller", "DE01") not in standing_now()
    # The rest, in few statements; then it closes with its totals and who decided.
    refused(Invalid, "are not decided yet", lambda: close_review(review.pk, **signed))
    refused(Invalid, "Choose at least one", lambda: confirm(review.pk, [], **signed))
    refused(Invalid, "no such line", lambda: confirm(review.pk, [9_999], **signed))
    rest = list(review.items.filter(outcome="").values_list("position", flat=True))
    abe = line(review, "workbench", of="abe").position
    with CaptureQueriesContext(database) as few:
        confirm(review.pk, [ada.position], by=second, at=LATER)
    with CaptureQueriesContext(database) as many:
        confirm(review.pk, sorted(set(rest) - {ada.position, abe}), by=second, at=LATER)
    assert len(few) == len(many)
    end_item(review.pk, abe, because=REASON, **signed)
    assert not User.objects.get(username="abe").is_staff
    closed = close_review(review.pk, **signed)
    assert (closed.kept, closed.ended, closed.gone, closed.left_there) == (len(rest) - 1, 5, 2, 0)
    assert close_review(review.pk, by=admin, at=DUE).closed_at == LATER
    [event] = AuditEvent.objects.filter(action="access_review.closed")
    assert event.data["deciders"] == {"ada": 5, "abe": len(rest) - 1}
    refused(Invalid, "is closed", lambda: confirm(review.pk, [support.position], **signed))
    assert not end_due_review(review.pk, at=DUE)


def test_what_nobody_confirmed_in_time_ends_but_never_the_last_who_administers(cast: Cast):
    admin = cast.administrator
    review = opened(admin)
    kept = line(review, "role", of="clara", role="clerk")
    confirm(review.pk, [kept.position], by=admin, at=LATER)
    assert (due(at=LATER), end_due_review(review.pk, at=LATER)) == ([], False)
    for act in (
        lambda: confirm(review.pk, [1], by=admin, at=DUE),
        lambda: end_item(review.pk, 1, by=admin, at=DUE, because=REASON),
    ):
        refused(Invalid, "The time of this review is over", act)
    assert due(at=DUE) == [review.pk]
    assert (end_some(review.pk, at=DUE), end_some(review.pk, at=DUE, limit=3)) == (1, 3)
    assert end_due_review(review.pk, at=DUE)
    review.refresh_from_db()
    assert (review.kept, review.ended, review.gone, review.left_there) == (1, review.count - 2, 0, 1)
    left = review.items.get(outcome="left")
    assert (left.holder, left.because) == (
        "person:ada", "Nobody confirmed it in time. Nobody would be left who can administer."
    )  # fmt: skip
    assert set(standing_now()) == {("role", cast.clerk.pk, "clerk", ""), ("workbench", admin.pk, "", "")}
    assert (due(at=DUE), end_due_review(review.pk, at=DUE)) == ([], False)
    assert events() == {
        "access_review.opened": 1, "access_review.confirmed": 1, "access_review.ended": review.count - 2,
        "access_review.left": 1, "access_review.closed": 1,
    }  # fmt: skip
    by = set(AuditEvent.objects.filter(action__in=("role.taken", "grant.taken")).values_list("actor", flat=True))
    assert by == {ACCESS_REVIEW}
    # Of two whom nobody confirmed the machine chooses neither; beside one who is confirmed the other ends.
    second = person("abe", "Abe Administrator", is_staff=True)
    both = opened(admin, "workbench:workbench", "Both")
    assert end_due_review(both.pk, at=DUE)
    both.refresh_from_db()
    assert (both.ended, both.left_there) == (0, 2)
    # As the clock does it.
    early, yesterday = now() - timedelta(days=2), now() - timedelta(days=1)
    one = open_review("One", scope="workbench:workbench", due_at=yesterday, by=admin, at=early)
    confirm(one.pk, [line(one, "workbench", of="abe").position], by=admin, at=early)
    access_reviews_due(hint="of a newer sender")
    assert access_reviews_due.name in {entry["task"] for entry in BEAT_SCHEDULE.values()}
    one.refresh_from_db()
    assert (one.kept, one.ended, one.left_there) == (1, 1, 0)
    assert list(User.objects.filter(is_staff=True)) == [second]


def by_sql(statement: str, *values: int) -> Callable[[], None]:
    def act() -> None:
        with database.cursor() as cursor:
            cursor.execute(statement, values)
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")

    return act


def decided(item: AccessReviewItem, by: AbstractUser, outcome: str = "kept", **more: Any) -> Callable[[], None]:
    """Past the actions, with an event as the database asks for one."""

    def act() -> None:
        told(item.subject)
        values = {"outcome": outcome, "decided_by": by.pk, "decided_at": LATER, "because": "x", **more}
        AccessReviewItem.objects.filter(pk=item.pk).update(**values)
        by_sql("SELECT 1")()

    return act


def told(subject: str) -> None:
    log.record("test.said", subject=subject, scope="configuration", actor="x", at=LATER, summary="Said in a test.")


def test_database_refuses_what_the_actions_do(cast: Cast):
    admin, second = cast.administrator, person("abe", "Abe Administrator", is_staff=True)
    review = opened(admin)
    clara, ada = line(review, "role", of="clara", role="clerk"), line(review, "workbench", of="ada")
    confirm(review.pk, [line(review, "role", of="cem", role="clerk").position], by=admin, at=LATER)
    done = line(review, "role", of="cem", role="clerk")
    by_sql("SELECT 1")()
    with transaction.atomic():
        decided(clara, admin)()
        transaction.set_rollback(True)
    User.objects.filter(pk=cast.controller.pk).update(email="ada@example.test")
    add_to_role("support", admin, by=second, at=LATER)
    support, late = line(review, "queue", role="support", place="policy-holds"), partial(decided, decided_at=DUE)
    end = (
        "UPDATE exceptions_app_accessreview SET closed_at = now(), closed_by_id = opened_by_id, kept = 25, ended = 0, "
    )
    end += "gone = 0, left_there = 0 WHERE id = %s"
    add = "INSERT INTO exceptions_app_accessreviewitem (review_id, position, kind, person_id, role, place, verbs, "
    add += "given_by, outcome, because) VALUES (%s, %s, 'role', %s, 'clerk', '', '[]', '', '', '')"
    for words, act in (
        ("cannot decide on their own access", decided(ada, admin)),
        ("cannot decide on their own access", decided(line(review, "role", of="conrad", role="controller"), admin)),
        ("cannot decide on their own access", decided(support, admin)),
        ("decides on no access", decided(clara, cast.auditor)),
        ("decides on no access", decided(clara, admin, "left")),
        ("a machine confirms nothing", late(clara, machine(ACCESS_REVIEW))),
        ("a machine confirms nothing", decided(clara, machine(ACCESS_REVIEW), "left")),
        ("is ended and granted still", decided(clara, admin, "ended")),
        ("is gone and granted still", decided(support, second, "gone")),
        ("is ended and granted still", decided(ada, second, "ended")),
        ("is ended and granted still", decided(line(review, "entity", of="lars", place="NL01"), admin, "ended")),
        ("access_review_ended_with_a_reason", decided(clara, admin, "ended", because="")),
        ("access_review_decided_by_somebody", decided(clara, admin, "fine")),
        ("access_review_decided_by_somebody", decided(clara, admin, decided_at=None)),
        ("is decided", decided(done, second, "ended")),
        ("never changed once written", decided(clara, admin, person=cast.outsider.pk)),
        ("never changed once written", decided(clara, admin, verbs=[])),
        ("is not decided as it says", by_sql(end, review.pk)),
        ("never changed once written", by_sql("UPDATE exceptions_app_accessreview SET due_at = now() + '1 day'")),
        ("never deleted", by_sql("DELETE FROM exceptions_app_accessreviewitem")),
        ("never deleted", by_sql("DELETE FROM exceptions_app_accessreview")),
        ("has no place in access review", by_sql(add, review.pk, review.count + 1, cast.outsider.pk)),
        ("access_review_one_item_a_place", by_sql(add, review.pk, 1, cast.outsider.pk)),
    ):
        refused(IntegrityError, words, act)
    alone = AccessReview(name="x", scope="all", due_at=DUE, count=1, opened_at=MORNING, opened_by=admin)

    def unlisted() -> None:
        alone.pk = None
        alone.save(force_insert=True)
        told(alone.subject)
        by_sql("SELECT 1")()

    refused(IntegrityError, "has not the 1 items that it says", unlisted)


@pytest.mark.django_db(transaction=True)
def test_no_line_is_decided_without_its_event(cast: Cast):
    review = opened(cast.administrator)
    item = line(review, "role", of="clara", role="clerk")
    values = {"outcome": "kept", "decided_by": cast.administrator.pk, "decided_at": LATER}
    refused(IntegrityError, "no audit event", lambda: AccessReviewItem.objects.filter(pk=item.pk).update(**values))


@pytest.mark.django_db(transaction=True)
def test_at_the_same_time_each_line_is_decided_once_and_somebody_administers(cast: Cast):
    admin, second = cast.administrator, person("abe", "Abe Administrator", is_staff=True)
    review = opened(admin)
    clara = line(review, "role", of="clara", role="clerk").position

    def tried(act: Callable[[], object]) -> Callable[[], str]:
        def run() -> str:
            try:
                act()
            except (Invalid, NotPermitted) as error:
                return str(error)
            return ""

        return run

    # Two who decide otherwise about the same.
    answers = at_the_same_time(
        [
            tried(lambda: confirm(review.pk, [clara], by=admin, at=LATER)),
            tried(lambda: end_item(review.pk, clara, by=second, at=LATER, because=REASON)),
        ]
    )
    assert sorted(map(bool, answers)) == [False, True]
    outcome = review.items.get(position=clara).outcome
    assert (outcome == "ended") is (not cast.clerk.groups.exists())
    # Two who end each other, in two rounds: the later one administers no more.
    other = opened(admin, "workbench:workbench", "Other")
    abe, ada = line(review, "workbench", of="abe").position, line(other, "workbench", of="ada").position
    answers = at_the_same_time(
        [
            tried(lambda: end_item(review.pk, abe, by=admin, at=LATER, because=REASON)),
            tried(lambda: end_item(other.pk, ada, by=second, at=LATER, because=REASON)),
        ]
    )
    assert sorted(map(bool, answers)) == [False, True]
    assert User.objects.filter(is_staff=True).count() == 1
    # A decision beside the end: it counts, or it comes too late and says so.
    by = User.objects.get(is_staff=True)
    lars = line(review, "queue", of="lars", place="e-invoicing").position
    decision = tried(lambda: confirm(review.pk, [lars], by=by, at=LATER))
    answers = at_the_same_time([decision, *[tried(lambda: end_due_review(review.pk, at=DUE))] * 2])
    review.refresh_from_db()
    assert review.closed_at == DUE
    kept = review.items.get(position=lars).outcome == "kept"
    assert (answers[0] == "") is kept
    assert (("queue", cast.local_clerk.pk, "", "e-invoicing") in standing_now()) is kept
    assert events()["access_review.closed"] == 1
    assert sum((review.kept or 0, review.ended or 0, review.gone or 0, review.left_there or 0)) == review.count


def test_thousand_grants_are_listed_confirmed_and_ended_together(cast: Cast):
    """200 people with five grants each: listed, most confirmed, and the rest ended."""
    make_grants(cast, 200)
    with CaptureQueriesContext(database) as listing:
        review = opened(cast.administrator)
    theirs = review.items.filter(person__username__startswith="many")
    assert theirs.count() == 1000
    kept = list(theirs.values_list("position", flat=True)[:900])
    with CaptureQueriesContext(database) as confirming:
        confirm(review.pk, kept, by=cast.administrator, at=LATER)
    with CaptureQueriesContext(database) as ending:
        assert end_due_review(review.pk, at=DUE)
    by_sql("SELECT 1")()
    ended = review.items.filter(outcome="ended").count()
    # A thousand are listed and confirmed together; each that ends has its change and its event.
    assert (len(listing), len(confirming), len(ending) <= 9 * ended) == (13, 8, True)
    assert review.items.filter(outcome="ended", person__username__startswith="many").count() == 100


def make_grants(cast: Cast, people: int) -> None:
    """Five to each, past the actions and with their events: that they are given is not what is measured."""
    many = User.objects.bulk_create(User(username=f"many{number:04}", password="!") for number in range(people))
    see = {kind: Permission.objects.get(content_type__model=kind, codename="see") for kind in ("queue", "legalentity")}
    ingest = Permission.objects.get(content_type__model="connection", codename="ingest_messages")
    places: list[tuple[Any, Any, Permission]] = [
        *((QueueUserGrant, place, see["queue"]) for place in (cast.einvoicing, cast.holds)),
        *((LegalEntityUserGrant, place, see["legalentity"]) for place in (cast.netherlands, cast.germany)),
        (ConnectionUserGrant, cast.connection, ingest),
    ]
    for table, place, permission in places:
        table.objects.bulk_create(table(user=one, content_object=place, permission=permission) for one in many)
        log.record_many(
            log.Entry(
                action="grant.given", subject=subject_of(place), scope="configuration", actor="ada", at=SET_UP_AT,
                summary="Given.", data={"to": f"person:{one.username}", "permissions": [permission.codename]},
            )
            for one in many
        )  # fmt: skip
