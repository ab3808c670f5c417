"""What the database refuses to the role that serves, whatever the application does: the last wall, tried by SQL."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection as database
from django.db import transaction
from pytest_django import DjangoDbBlocker

from exceptions_app.actions.connections import pause
from exceptions_app.actions.inbox import subscribe
from exceptions_app.actions.work import File, assign, comment
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import Proposal
from integrations import batches
from integrations.models import (
    Comparison,
    ComparisonFinding,
    Delivery,
    DeliveryAnswer,
    DeliveryAttempt,
    DeliveryEnvelope,
    DeliveryEnvelopeAnswer,
    Effect,
    InboxMessage,
)
from integrations.refusals import Batch, BatchTotals, OutcomeTotals
from tests.arrivals import mend, propose, replay, take_in
from tests.cast import MORNING, Cast, give_role
from tests.exceptions_app.forbidden_statements import (
    CLOSED,
    NEVER_DELETED,
    REFUSALS,
    WRITTEN_ONCE,
    change,
    change_proposal,
    decide,
    deliver,
)
from tests.factories import dismiss
from tests.rehearsals import make_rehearsal

# What is tried is tried on a connection of its own; the mark brings the test database.
pytestmark = pytest.mark.django_db

Values = dict[str, Any]


def play(cast: Cast) -> Values:
    """An exception that waits for approval, one that is being replayed and one that was dismissed; their numbers."""
    give_role(cast.second_clerk, "controller")
    waiting = take_in(cast)
    mend(waiting, by=cast.second_clerk)
    assign(waiting.pk, to=cast.clerk, by=cast.clerk, at=MORNING)
    proposal = propose(waiting, by=cast.clerk)
    comment(waiting.pk, by=cast.clerk, at=MORNING, text="@sara, see the order.", file=File("order.txt", b"4711"))
    subscribe(waiting, "changes", by=cast.support, at=MORNING)
    replaying = replay(cast, "INV-1002")
    delivery = Delivery.objects.get(subject=replaying.subject)
    sha256 = delivery.content_sha256
    envelope = DeliveryEnvelope.objects.create(
        connection=cast.connection, reference="B1", body=b"1", media_type="application/xml", content_sha256=sha256,
        number=1, sums={}, made_at=MORNING,
    )  # fmt: skip
    DeliveryEnvelopeAnswer.objects.create(envelope=envelope, outcome="unknown", finished_at=MORNING)
    attempt = DeliveryAttempt.objects.create(
        delivery=delivery, phase="send", epoch=1, started_at=MORNING, content_sha256=sha256, envelope=envelope,
        position=1,
    )  # fmt: skip
    answer = DeliveryAnswer.objects.create(attempt=attempt, outcome="unknown", finished_at=MORNING)
    Effect.objects.create(
        connection=cast.connection, object_type="invoice", business_key="x", is_ours=True, content_sha256=sha256,
        seen_by="confirmed", delivery=delivery, answer=answer, observed_at=MORNING,
    )  # fmt: skip
    make_rehearsal()
    with transaction.atomic():
        pause(cast.connection.pk, by=machine(SETUP), at=MORNING, because="A scene.")
        comparison = Comparison.objects.create(
            connection=cast.connection, state="complete", since=MORNING, until=MORNING, matched=1,
            compare_from=MORNING, began_at=MORNING, finished_at=MORNING,
        )  # fmt: skip
        ComparisonFinding.objects.create(
            comparison=comparison, kind="twice_there", delivery=delivery, references=[], told=[], fingerprint="x"
        )
    with transaction.atomic():
        totals = BatchTotals(sent=OutcomeTotals(0, {}), outcomes={})
        batches.record(InboxMessage.objects.earliest("pk"), Batch("FILE-1", "payments", totals), at=MORNING)
    dismissed = dismiss(take_in(cast, "INV-1003"), cast.clerk, approver=cast.controller)
    return {
        "case": waiting.pk,
        "replaying": replaying.pk,
        "dismissed": dismissed.pk,
        "proposal": proposal.pk,
        "hash": proposal.frozen_sha256,
        "decided": Proposal.objects.get(case=replaying).pk,
        "clerk": cast.clerk.pk,
        "author": cast.second_clerk.pk,
        "controller": cast.controller.pk,
        "other": cast.support.pk,
        "delivery": delivery.pk,
        "message": InboxMessage.objects.earliest("pk").pk,
        "connection": cast.connection.pk,
    }


@pytest.fixture(scope="module")
def scene(new_cast: Callable[[], Cast], django_db_blocker: DjangoDbBlocker) -> Iterator[Values]:
    """Committed once for all: nothing that these tests try may change it."""
    with django_db_blocker.unblock():
        try:
            yield play(new_cast())
        finally:
            call_command("flush", interactive=False, verbosity=0, reset_sequences=False)
            database.close()


@pytest.fixture(scope="module")
def application(scene: Values) -> Iterator[psycopg.Connection[Any]]:
    """Somebody who has the password of the role that serves."""
    serving = settings.APPLICATION_DATABASE
    if serving["USER"] == settings.OWNER_DATABASE["USER"]:
        pytest.skip("DATABASE_OWNER_URL is not set, so there is no application role with fewer rights.")
    with psycopg.connect(
        dbname=database.settings_dict["NAME"],
        user=serving["USER"],
        password=serving["PASSWORD"],
        host=serving["HOST"],
        port=serving["PORT"] or None,
        autocommit=True,
        cursor_factory=psycopg.ClientCursor,  # which takes several statements at once
    ) as opened:
        yield opened


def try_it(application: psycopg.Connection[Any], statements: str, values: Values, *, keep: bool = True) -> None:
    """In a transaction of its own, to the very end of it: some guards speak at the commit."""
    with application.transaction(force_rollback=not keep):
        application.execute(statements, values)
        application.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.parametrize("name", REFUSALS)
def test_database_refuses(scene: Values, application: psycopg.Connection[Any], name: str):
    says, statements = REFUSALS[name]
    before = everything(application)
    with pytest.raises(psycopg.Error) as refused:
        try_it(application, statements, scene)
    assert says in str(refused.value)
    assert everything(application) == before


# What is not refused, by the same route: the refusals above are not for want of a right to write at all.
@pytest.mark.parametrize(
    "statements",
    [
        decide("%(controller)s"),
        change("priority = 1"),
        change(f"state = 'resolved', {CLOSED}", case="%(replaying)s"),
        change_proposal("state = 'withdrawn'"),
        deliver(business_key="'other'"),
        "UPDATE integrations_delivery SET state = 'cancelled' WHERE id = %(delivery)s;",
    ],
)
def test_database_lets_through_what_is_as_it_should_be(
    scene: Values, application: psycopg.Connection[Any], statements: str
):
    try_it(application, statements, scene, keep=False)


def everything(application: psycopg.Connection[Any]) -> list[Any]:
    """The rows that the statements aim at."""
    tables = [*WRITTEN_ONCE, *NEVER_DELETED, "workbench_user", "workbench_user_groups", "audit_event"]
    digest = "SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM {} t"
    return [application.execute(digest.format(table)).fetchone() for table in tables]
