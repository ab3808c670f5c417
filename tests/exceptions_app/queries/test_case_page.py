"""The reads of the page of one exception: complete, in a fixed number of queries, and only what one may see."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from exceptions_app.actions import propose, work
from exceptions_app.models import ExceptionCase, Proposal
from exceptions_app.queries.case_history import attempts_of, deliveries_of
from exceptions_app.queries.case_page import (
    MOST_READS,
    CasePage,
    content_of,
    events_since,
    full_names,
    people_who_may,
    possible_actions,
    read_case_page,
)
from exceptions_app.states import Action, Verb
from integrations import outbox
from integrations.models import Delivery, DeliveryAnswer, DeliveryAttempt
from tests import factories
from tests.cast import MORNING, Cast, grant
from workbench.models import User

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
    with django_assert_num_queries(13):
        page = read_case_page(case, cast.controller)
        touch(page)
    assert (page.latest.number, page.comments_count) == (item_count + 1, item_count)
    assert page.submission == Delivery.objects.latest("id")


def touch(page: CasePage) -> None:
    """What the templates look at."""
    assert page.first.author is None
    assert page.latest.author
    assert page.latest.author.get_full_name()
    assert page.first_arrival
    assert page.first_arrival.inbox_message.external_id
    assert page.came_in
    assert page.proposal
    assert page.proposal.proposer.get_full_name()
    assert page.proposal.version.number == page.latest.number
    assert page.decision is None
    assert page.submission
    assert page.submission.connection.name


def meanwhile(case: ExceptionCase, by: User) -> Proposal:
    """A colleague corrects and proposes anew."""
    with transaction.atomic():
        factories.make_version(case, by, at=LATER)
        Proposal.objects.filter(case=case, state=Proposal.State.OPEN).update(state=Proposal.State.SUPERSEDED)
    return factories.make_proposal(case, by, at=LATER)


def test_page_that_was_opened_before_a_correction_shows_hash_and_content_of_the_same_version(cast):
    case = eventful(cast, 1)
    newest = meanwhile(case, cast.clerk)
    page = read_case_page(case, cast.controller)
    assert (page.case.revision, page.latest.number) == (loaded(case).revision, 3)
    assert (page.proposal, page.standing.proposal) == (newest, newest)


def while_it_is_read(act: Callable[[], object], *, times: int) -> Callable[..., Any]:
    """Has something happen between the read of the versions and that of the proposal."""
    left = [times]

    def wrapper(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if left[0] and 'FROM "exceptions_app_proposal"' in sql:
            left[0] -= 1
            remaining, left[0] = left[0], 0
            act()
            left[0] = remaining
        return execute(sql, params, many, context)

    return wrapper


def test_correction_while_the_page_is_read_never_mixes_two_versions(cast):
    case = eventful(cast, 1)
    with connection.execute_wrapper(while_it_is_read(lambda: meanwhile(case, cast.clerk), times=1)):
        page = read_case_page(case, cast.controller)
    assert page.latest.number == 3
    assert page.proposal is not None
    assert (page.proposal.version_id, page.standing.proposal) == (page.latest.pk, page.proposal)


def test_page_that_does_not_come_to_rest_is_without_a_hash_to_decide_on(cast):
    case = eventful(cast, 1)
    with connection.execute_wrapper(while_it_is_read(lambda: meanwhile(case, cast.clerk), times=2 * MOST_READS)):
        page = read_case_page(case, cast.controller)
    assert (page.proposal, page.standing.proposal) == (None, None)
    approve = next(possible for possible in possible_actions(page) if possible.action is Action.APPROVE)
    assert not approve.allowed


@pytest.mark.parametrize("item_count", [1, 3])
def test_attempts_are_read_in_one_query(cast, django_assert_num_queries, item_count):
    case = eventful(cast, item_count)
    deliveries = deliveries_of(case).items
    with django_assert_num_queries(1):
        found = attempts_of(deliveries, with_bodies=False)
        outcomes = [item.attempt.answer.outcome for attempts in found.values() for item in attempts]
    assert outcomes == ["confirmed"] * item_count


def test_attempt_without_an_answer_is_listed(cast):
    case = factories.make_case(cast)
    delivery = sent(cast, case, 1, answered=False)
    [item] = attempts_of([delivery], with_bodies=True)[delivery.pk]
    assert (item.number, getattr(item.attempt, "answer", None)) == (1, None)


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
