"""The reads of the page of one exception: complete, in a fixed number of queries, and only what one may see."""

from datetime import timedelta

import pytest
from django.db import transaction

from exceptions_app.actions import propose, work
from exceptions_app.models import ExceptionCase
from exceptions_app.queries.case_page import (
    CasePage,
    attempts_of,
    content_of,
    events_since,
    full_names,
    people_who_may,
    read_case_page,
)
from exceptions_app.states import Verb
from integrations import outbox
from integrations.models import Delivery, DeliveryAnswer, DeliveryAttempt
from tests import factories
from tests.cast import MORNING, Cast, grant

LATER = MORNING + timedelta(hours=1)


def loaded(case: ExceptionCase) -> ExceptionCase:
    return ExceptionCase.objects.select_related("queue", "entity", "connection", "assignee").get(pk=case.pk)


def sent(cast: Cast, case: ExceptionCase, number: int, *, answered: bool = True) -> Delivery:
    """A delivery that was tried once, as rows only."""
    with transaction.atomic():
        delivery = outbox.enqueue(
            connection=cast.connection,
            operation=Delivery.Operation.SUBMIT,
            object_type="invoice",
            business_key=f"{case.business_key}/{number}",
            content=b"<Invoice/>",
            media_type="application/xml",
            subject=case.subject,
            probe_first=False,
            at=MORNING,
        )
    attempt = DeliveryAttempt.objects.create(
        delivery=delivery,
        phase=DeliveryAttempt.Phase.SEND,
        epoch=1,
        started_at=MORNING,
        content_sha256=delivery.content_sha256,
    )
    if answered:
        DeliveryAnswer.objects.create(attempt=attempt, outcome="confirmed", http_status=201, finished_at=LATER)
    return delivery


def eventful(cast: Cast, item_count: int) -> ExceptionCase:
    case = factories.make_case(cast)
    for number in range(item_count):
        factories.make_version(case, cast.clerk, at=LATER)
        work.comment(case.pk, by=cast.second_clerk, at=LATER, text=f"Remark {number}")
        sent(cast, case, number)
    factories.make_proposal(case, cast.clerk, at=LATER)
    return loaded(case)


@pytest.mark.parametrize("item_count", [1, 3])
def test_page_is_read_in_a_fixed_number_of_queries(cast, django_assert_num_queries, item_count):
    case = eventful(cast, item_count)
    read_case_page(case, cast.controller)  # content types are cached from the first read on
    with django_assert_num_queries(14):
        page = read_case_page(case, cast.controller)
        touch(page)
    assert [len(part) for part in (page.versions, page.deliveries, page.occurrences)] == [item_count + 1, item_count, 1]


def touch(page: CasePage) -> None:
    """What the templates look at."""
    for version in page.versions:
        assert version.author is None or version.author.get_full_name()
    for found in page.occurrences:
        assert found.inbox_message.external_id
    assert page.proposal
    assert page.proposal.proposer.get_full_name()
    assert page.proposal.version.number == page.latest.number
    assert page.decision is None
    assert all(delivery.connection.name for delivery in page.deliveries)


@pytest.mark.parametrize("item_count", [1, 3])
def test_attempts_are_read_in_one_query(cast, django_assert_num_queries, item_count):
    case = eventful(cast, item_count)
    deliveries = read_case_page(case, cast.clerk).deliveries
    with django_assert_num_queries(1):
        found = attempts_of(deliveries)
        outcomes = [attempt.answer.outcome for attempts in found.values() for attempt in attempts]
    assert outcomes == ["confirmed"] * item_count


def test_attempt_without_an_answer_is_listed(cast):
    case = factories.make_case(cast)
    delivery = sent(cast, case, 1, answered=False)
    [attempt] = attempts_of([delivery])[delivery.pk]
    assert getattr(attempt, "answer", None) is None


def test_page_has_the_first_and_the_latest_content(cast):
    case = eventful(cast, 2)
    page = read_case_page(case, cast.clerk)
    assert page.first_content == factories.PAYLOAD
    assert page.latest_content == factories.PAYLOAD + b"<!-- version 2 --><!-- version 3 -->"
    assert content_of(case, 2).content == factories.PAYLOAD + b"<!-- version 2 -->"
    assert content_of(case, 4) is None


def test_draft_is_that_of_the_reader(cast):
    case = loaded(factories.make_case(cast))
    case.drafts.create(author=cast.second_clerk, base_version=1, typed={}, saved_at=MORNING)
    assert read_case_page(case, cast.clerk).draft is None
    assert read_case_page(case, cast.second_clerk).draft is not None


def test_proposal_is_the_newest(cast):
    case = factories.make_case(cast)
    factories.make_proposal(case, cast.clerk)
    propose.withdraw(case.pk, by=cast.clerk, at=LATER)
    newest = factories.make_proposal(case, cast.clerk, at=LATER, because="Once more.")
    assert read_case_page(loaded(case), cast.clerk).proposal == newest


def test_people_who_may_work_hold_the_verb_on_queue_and_entity(cast):
    here, elsewhere = factories.make_case(cast), factories.make_case(cast, entity=cast.germany)
    assert list(people_who_may(Verb.CORRECT, here)) == [cast.second_clerk, cast.clerk, cast.local_clerk]
    assert list(people_who_may(Verb.CORRECT, elsewhere)) == [cast.second_clerk, cast.clerk]


def test_people_who_may_work_are_active_and_listed_once(cast):
    case = factories.make_case(cast)
    grant(cast.clerk, [Verb.CORRECT], cast.einvoicing, cast.netherlands)
    cast.second_clerk.is_active = False
    cast.second_clerk.save(update_fields=["is_active"])
    assert list(people_who_may(Verb.CORRECT, case)) == [cast.clerk, cast.local_clerk]


def test_person_with_the_verb_on_the_queue_alone_may_not(cast):
    case = factories.make_case(cast)
    grant(cast.outsider, [Verb.CORRECT], cast.einvoicing)
    assert cast.outsider not in people_who_may(Verb.CORRECT, case)


def test_events_since_a_revision_leave_out_what_was_seen(cast):
    case = factories.make_case(cast)
    work.claim(case.pk, by=cast.clerk, at=MORNING + timedelta(minutes=1))
    work.comment(case.pk, by=cast.second_clerk, at=LATER, text="Careful.")
    assert [event.action for event in events_since(case, 2)] == ["case.commented"]
    assert [event.action for event in events_since(case, 3)] == []
    assert events_since(case, 99) == []


def test_full_names_are_those_of_people_who_have_one(cast):
    assert full_names({"clara", "machine:intake", "nobody"}) == {"clara": "Clara Clerk"}
