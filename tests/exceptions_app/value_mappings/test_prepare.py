"""Many exceptions that go with one mapping: prepared in the background, frozen as one list, decided on once."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from audit.queries import timeline
from exceptions_app.actions import mapping_log, mapping_prepare, mapping_propose
from exceptions_app.actions.batch_propose import ListChanged, propose_batch
from exceptions_app.actions.correct import latest_version
from exceptions_app.actions.grants import revoke_role
from exceptions_app.actions.mapping_decide import approve_mapping, reject_mapping
from exceptions_app.actions.mapping_propose import propose_mapping, withdraw_mapping
from exceptions_app.actions.work import claim
from exceptions_app.mapping_states import MappingMoveNotAllowed, MappingState
from exceptions_app.models import (
    BatchItem,
    ExceptionCase,
    MappingMend,
    MappingProposal,
    MendOutcome,
    Notification,
    PayloadVersion,
    Proposal,
    ReplayBatch,
)
from exceptions_app.queries import mapping_effect
from exceptions_app.queries.mapping_effect import Effect, Unjudged
from exceptions_app.tasks import sweep
from integrations.models import Connection
from tests.cast import MORNING, Cast
from tests.concurrency import at_the_same_time
from tests.exceptions_app.delivering import work_until_done
from tests.exceptions_app.handover.conftest import erp
from tests.exceptions_app.value_mappings.mapping import WHY, approve, row, scope
from tests.exceptions_app.value_mappings.refused import refused
from tests.exceptions_app.value_mappings.test_pages import TYPED, SignIn, page, text_of

__all__ = ["erp"]
pytestmark = pytest.mark.django_db
LATER = MORNING + timedelta(hours=1)
FAMILY = row(begins="2026-01-01")


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """One exception is many, and two are prepared in one transaction."""
    monkeypatch.setattr(mapping_propose, "AT_ONCE", 0)
    monkeypatch.setattr(mapping_prepare, "AT_A_TIME", 2)


def open_cases(erp: Connection, number: int, *, first: int = 1) -> list[ExceptionCase]:
    return [refused(erp, f"49000{place:05}") for place in range(first, first + number)]


def ask(cast: Cast, erp: Connection, cases: list[ExceptionCase]) -> MappingProposal:
    mends = {case.pk: case.revision for case in cases}
    return propose_mapping(scope(cast, connection=erp), [FAMILY], by=cast.clerk, at=LATER, because=WHY, mends=mends)


def prepared(proposal: MappingProposal) -> MappingProposal:
    while mapping_prepare.carry_on_due():
        pass
    proposal.refresh_from_db()
    return proposal


def outcomes(proposal: MappingProposal) -> list[str]:
    """In the order of the list: empty for what was prepared, why not for the others."""
    found = MendOutcome.objects.filter(item__proposal=proposal).order_by("item__position")
    return list(found.values_list("detail", flat=True))


def test_list_is_kept_and_nothing_is_touched_before_its_turn(cast: Cast, erp: Connection):
    cases = open_cases(erp, 3)
    proposal = ask(cast, erp, cases)
    assert (proposal.state, proposal.mends, proposal.batch) == (MappingState.PREPARING, 3, None)
    kept = MappingMend.objects.filter(proposal=proposal).order_by("position")
    assert [(item.case, item.revision) for item in kept] == [(case, case.revision) for case in cases]
    assert not PayloadVersion.objects.filter(number__gt=1).exists()
    for decide in (approve_mapping, reject_mapping):
        with pytest.raises(MappingMoveNotAllowed, match="the proposal is being prepared"):
            decide(proposal.pk, by=cast.controller, at=LATER, frozen_sha256=proposal.frozen_sha256, because="No.")


def test_each_is_prepared_with_its_own_events_and_one_decision_covers_all(cast: Cast, erp: Connection):
    cases = open_cases(erp, 5)
    asked = ask(cast, erp, cases)
    before = asked.frozen_sha256
    proposal = prepared(asked)
    batch = proposal.batch
    assert batch is not None
    assert (proposal.state, batch.count, batch.money, batch.proposer) == (
        MappingState.AWAITING_APPROVAL, 5, {"EUR": "6050"}, cast.clerk,
    )  # fmt: skip
    assert proposal.frozen_sha256 != before
    assert outcomes(proposal) == [""] * 5
    for case in cases:
        told = [(event.action, event.actor) for event in timeline(case.subject)][-2:]
        assert told == [("case.corrected", "clara"), ("case.replay_proposed", "clara")]
        assert b'"account": "800400"' in bytes(latest_version(case).content)
    [event] = [event for event in timeline(proposal.mapping.subject) if event.action == "value_mapping.prepared"]
    assert (event.data["mends"], event.data["left_out"], event.data["frozen_sha256"]) == (5, 0, proposal.frozen_sha256)
    [note] = Notification.objects.filter(person=cast.clerk, reference=proposal.ref)
    assert note.words.startswith("Your mapping is prepared: 5 exceptions go with it.")

    approve(proposal, cast)
    batch.refresh_from_db()
    assert batch.state == "running"
    sent = list(batch.items.order_by("position").values_list("content_sha256", flat=True))
    assert sent == [latest_version(case).sha256 for case in cases]


@pytest.mark.django_db(transaction=True)
def test_sweep_prepares_it_and_after_the_decision_all_are_booked(cast: Cast, erp: Connection):
    cases = open_cases(erp, 3)
    proposal = ask(cast, erp, cases)
    sweep()
    proposal.refresh_from_db()
    approve(proposal, cast)
    for _ in range(4):
        work_until_done()
    assert ReplayBatch.objects.get().state == "complete"
    assert {ExceptionCase.objects.get(pk=case.pk).state for case in cases} == {"resolved"}


def test_what_changed_or_cannot_go_is_left_out_with_the_reason_and_nothing_joins(
    cast: Cast, erp: Connection, signed_in: SignIn
):
    good, changed, taken, more = (
        *open_cases(erp, 3),
        refused(erp, "4900000009", **{"F5/201": "posting_date"}),
    )
    proposal = ask(cast, erp, [good, changed, taken, more])
    claim(changed.pk, by=cast.clerk, at=LATER)
    claim(taken.pk, by=cast.second_clerk, at=LATER)
    later = open_cases(erp, 1, first=20)
    proposal = prepared(proposal)
    assert outcomes(proposal) == [
        "",
        mapping_prepare.CHANGED,
        "Cem Clerk is working on this. Assign it to yourself first.",
        "It has more against it: The posting period of this date is closed.",
    ]
    assert [item.case for item in BatchItem.objects.all()] == [good]
    assert latest_version(later[0]).number == 1
    shown = text_of(signed_in(cast.controller).get(page(proposal)))
    assert "1 prepared, 3 left out." in shown
    assert "It has more against it: The posting period of this date is closed." in shown
    assert more.ref in shown


def test_without_any_that_can_go_the_rows_are_decided_on_alone(cast: Cast, erp: Connection):
    [case] = open_cases(erp, 1)
    proposal = ask(cast, erp, [case])
    revoke_role("clerk", [cast.einvoicing], by=cast.administrator, at=LATER)
    proposal = prepared(proposal)
    assert (proposal.state, proposal.batch, outcomes(proposal)) == ("awaiting_approval", None, [mapping_prepare.GONE])
    assert approve(proposal, cast).version == 1


def test_worker_that_stops_half_way_is_followed_by_another(cast: Cast, erp: Connection):
    cases = open_cases(erp, 3)
    proposal = ask(cast, erp, cases)
    assert mapping_prepare.prepare_some(proposal.pk) == 2
    with transaction.atomic():
        assert mapping_prepare.prepare_some(proposal.pk) == 1
        transaction.set_rollback(True)
    assert len(outcomes(proposal)) == 2
    assert prepared(proposal).batch is not None
    assert [latest_version(case).number for case in cases] == [2, 2, 2]


@pytest.mark.django_db(transaction=True)
def test_two_workers_prepare_each_exception_once(cast: Cast, erp: Connection):
    cases = open_cases(erp, 6)
    proposal = ask(cast, erp, cases)
    at_the_same_time([mapping_prepare.carry_on_due] * 3)
    proposal = prepared(proposal)
    assert proposal.batch is not None
    assert (proposal.batch.count, outcomes(proposal)) == (6, [""] * 6)
    assert PayloadVersion.objects.filter(number__gt=1).count() == Proposal.objects.count() == 6


def test_withdrawn_half_way_gives_back_what_was_prepared(cast: Cast, erp: Connection):
    cases = open_cases(erp, 3)
    proposal = ask(cast, erp, cases)
    mapping_prepare.prepare_some(proposal.pk)
    withdraw_mapping(proposal.pk, by=cast.clerk, at=LATER, because="Another account.")
    proposal = prepared(proposal)
    assert (proposal.state, proposal.batch, len(outcomes(proposal))) == ("withdrawn", None, 2)
    assert [Proposal.objects.get(case=case).state for case in cases[:2]] == ["withdrawn"] * 2
    assert {ExceptionCase.objects.get(pk=case.pk).state for case in cases[:2]} == {"in_progress"}
    event = list(timeline(cases[0].subject))[-1]
    assert (event.action, event.because) == (
        "case.proposal_withdrawn", f"{proposal.ref} was withdrawn: Another account.",
    )  # fmt: skip
    assert mapping_prepare.carry_on_due() == 0


def test_proposal_that_cannot_be_withdrawn_any_more_is_left_to_somebody_else(cast: Cast, erp: Connection):
    [case] = open_cases(erp, 1)
    proposal = ask(cast, erp, [case])
    mapping_prepare.prepare_some(proposal.pk)
    withdraw_mapping(proposal.pk, by=cast.clerk, at=LATER)
    revoke_role("clerk", [cast.einvoicing], by=cast.administrator, at=LATER)
    prepared(proposal)
    assert (Proposal.objects.get().state, mapping_prepare.carry_on_due()) == ("open", 0)


def test_list_is_the_one_that_was_shown(cast: Cast, erp: Connection):
    [case] = open_cases(erp, 1)
    claim(case.pk, by=cast.clerk, at=LATER)
    with pytest.raises(ListChanged):
        ask(cast, erp, [case])
    case.refresh_from_db()
    other = refused(erp, "4900000007", family="DRONES")
    with pytest.raises(ListChanged):
        ask(cast, erp, [case, other])
    assert not MappingProposal.objects.exists()


def post(client: Client, more: dict[str, str]) -> Any:
    return client.post(reverse("exceptions:value_mapping_propose"), TYPED | {"valid_from": "2026-01-01"} | more)


def test_page_opens_a_few_documents_and_tells_how_far_it_is(
    cast: Cast, erp: Connection, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(mapping_effect, "MOST_JUDGED", 1)
    cases = open_cases(erp, 3)
    clerk = signed_in(cast.clerk)
    looked = text_of(post(clerk, {"connection": erp.slug}))
    assert "2 of them are corrected and checked when their turn comes." in looked
    items = ",".join(f"{case.pk}-{case.revision}" for case in cases)
    answer = post(clerk, {"connection": erp.slug, "items": items})
    proposal = MappingProposal.objects.get()
    assert answer["Location"] == page(proposal)
    shown = text_of(clerk.get(page(proposal)))
    assert "3 exceptions are prepared now; then it waits for somebody else's decision." in shown.replace("&#x27;", "'")
    assert "0 of 3 looked at" in shown
    assert f'hx-get="{page(proposal)}?seen=preparing"' in shown
    assert proposal.ref in text_of(clerk.get(reverse("exceptions:approvals"), {"show": "prepared"}))
    controller = signed_in(cast.controller)
    assert "Approve the mapping" not in text_of(controller.get(page(proposal)))
    approval = {"frozen_sha256": proposal.frozen_sha256, "agreed": "on"}
    assert controller.post(page(proposal, "approve"), approval).status_code == 409

    mapping_prepare.prepare_some(proposal.pk)
    waiting = text_of(controller.get(reverse("exceptions:approvals")))
    assert cases[0].ref not in waiting  # it is decided on with the mapping
    polled = clerk.get(page(proposal), {"seen": "preparing"}, headers={"HX-Request": "true"})
    assert "2 of 3 looked at" in text_of(polled)
    assert "<html" not in text_of(polled)
    prepared(proposal)
    over = clerk.get(page(proposal), {"seen": "preparing"}, headers={"HX-Request": "true"})
    assert over["HX-Refresh"] == "true"
    assert "Approve the mapping" in text_of(controller.get(page(proposal)))


def test_no_more_go_with_one_proposal_than_fit():
    later = [Unjudged(number, 1, Decimal("1.10"), "EUR") for number in (7, 8, 9)]
    effect = Effect([], None, later, most=2)
    assert (effect.count, effect.beyond) == (2, True)
    assert (effect.revisions, effect.money) == ({7: 1, 8: 1}, {"EUR": Decimal("2.20")})
    assert not Effect([], None, later[:2], most=2).beyond


def test_queries_of_its_page_do_not_grow_with_the_list(cast: Cast, erp: Connection, signed_in: SignIn):
    counts: dict[str, set[int]] = {"preparing": set(), "prepared": set()}
    client, first = signed_in(cast.controller), 1
    for number in (1, 3, 12):
        cases = open_cases(erp, number, first=first)
        first += number
        for case in cases[1:]:
            claim(case.pk, by=cast.second_clerk, at=LATER)
            case.refresh_from_db()
        proposal = ask(cast, erp, cases)
        counts["preparing"].add(queries(client, page(proposal)))
        prepared(proposal)
        counts["prepared"].add(queries(client, page(proposal)))
        withdraw_mapping(proposal.pk, by=cast.clerk, at=LATER)
    assert {name: len(found) for name, found in counts.items()} == {"preparing": 1, "prepared": 1}, counts


def test_each_more_costs_what_it_writes_and_not_what_is_read_once(
    cast: Cast, erp: Connection, monkeypatch: pytest.MonkeyPatch
):
    """Locks, rights, versions, what waits for it and the rules are read for all that are prepared together."""
    monkeypatch.setattr(mapping_prepare, "AT_A_TIME", 10)
    counts, first = [], 1
    for number in (2, 10):
        proposal = ask(cast, erp, open_cases(erp, number, first=first))
        first += number
        with CaptureQueriesContext(connection) as seen:
            assert mapping_prepare.prepare_some(proposal.pk) == number
        assert outcomes(proposal) == [""] * number
        counts.append(len(seen))
    assert (counts[1] - counts[0]) / 8 == 18


def queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as seen:
        assert client.get(address).status_code == 200
    return len(seen)


JOIN = """
    INSERT INTO exceptions_app_mappingmend (proposal_id, position, case_id, revision)
    SELECT proposal_id, {}, case_id, revision FROM exceptions_app_mappingmend LIMIT 1
"""
OUTCOME = """
    INSERT INTO exceptions_app_mendoutcome (item_id, proposal_id, detail, at)
    SELECT max(m.id), {}, {}, now() FROM exceptions_app_mappingmend m
"""
AWAITS = "UPDATE exceptions_app_mappingproposal SET state = 'awaiting_approval'"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (JOIN.format(4), "item 4 has no place in mapping proposal"),
        (JOIN.format(3), "mend_one_a_place"),
        ("DELETE FROM exceptions_app_mappingmend", "rows of this table are never changed"),
        ("UPDATE exceptions_app_mappingmend SET revision = 9", "rows of this table are never changed"),
        (OUTCOME.format("NULL", "''"), "mend_outcome_has_reason"),
        (OUTCOME.format("(SELECT max(id) FROM exceptions_app_proposal)", "''"), "was not proposed"),
        ("UPDATE exceptions_app_mendoutcome SET proposal_id = NULL, detail = 'x'", "is never changed"),
        ("DELETE FROM exceptions_app_mendoutcome", "never deleted"),
        (AWAITS, "is not prepared: not every exception has an outcome"),
        ("UPDATE exceptions_app_mappingproposal SET state = 'approved'", "is preparing and cannot become approved"),
        ("UPDATE exceptions_app_mappingproposal SET frozen_sha256 = 'x'", "is never changed"),
        ("UPDATE exceptions_app_mappingproposal SET mends = 2", "mends is never changed"),
    ],
)
def test_database_refuses_even_with_an_event(cast: Cast, erp: Connection, statement: str, says: str):
    proposal = ask(cast, erp, open_cases(erp, 3))
    mapping_prepare.prepare_some(proposal.pk)
    with pytest.raises(DatabaseError, match=says):
        write(statement, about=proposal)


@pytest.mark.django_db(transaction=True)
def test_database_takes_no_batch_with_others_and_nothing_after_it_is_prepared(cast: Cast, erp: Connection):
    mine, other = open_cases(erp, 2)
    proposal = ask(cast, erp, [mine])
    mapping_prepare.prepare_some(proposal.pk)
    batch = propose_batch([other.pk], by=cast.clerk, at=LATER, because="By itself.")
    with pytest.raises(IntegrityError, match="has what was not prepared for it"):
        write(f"{AWAITS}, batch_id = {batch.pk}", about=proposal)
    prepared(proposal)
    with pytest.raises(IntegrityError, match="and cannot become preparing"):
        write("UPDATE exceptions_app_mappingproposal SET state = 'preparing'", about=proposal)
    with pytest.raises(IntegrityError, match="has no place"):
        write(JOIN.format(1), about=proposal)


@transaction.atomic
def write(statement: str, *, about: MappingProposal) -> None:
    """One statement in a transaction, with an event about the mapping."""
    mapping_log.record(about.mapping, "value_mapping.approved", by=about.proposer, at=LATER, summary="Forged.")
    with connection.cursor() as cursor:
        cursor.execute(statement)
