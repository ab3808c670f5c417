"""What no machine can find out, two people state with proof; nothing is sent meanwhile, and nothing by it."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction
from django.db.models.functions import Now
from pytest_django.fixtures import Settings

from audit.queries import timeline
from exceptions_app import intake, replays
from exceptions_app.actions import decide, propose, unknown
from exceptions_app.actions.decide import ApprovalNoLongerHolds
from exceptions_app.actions.mover import ChangedMeanwhile, Invalid
from exceptions_app.actions.settle import settle
from exceptions_app.actions.unknown import Proof
from exceptions_app.models import Evidence, ExceptionCase, Identifier, Occurrence, Proposal
from exceptions_app.policies import NotPermitted
from exceptions_app.states import Action, Outcome, State, TransitionNotAllowed
from integrations import delivery as engine
from integrations.connectors.base import Answer, AnswerKind
from integrations.models import Delivery, DeliveryStatement, Effect
from tests.arrivals import approve_open, configure, handed_in, mend, receive, take_in
from tests.arrivals import propose as propose_again
from tests.cast import MORNING, Cast
from tests.concurrency import at_the_same_time
from tests.exceptions_app.delivering import actions_of, submission, time_passes
from tests.exceptions_app.unknowing import of_unknown_outcome, silent_target, statement
from tests.scripted_server import ScriptedServer

pytestmark = pytest.mark.django_db(transaction=True)

PROOF = Proof("CLR-77", "journal.png", "image/png", b"\x89PNG")
WHY = "Seen in their journal of this morning."


@pytest.fixture
def target(cast: Cast, settings: Settings) -> Iterator[ScriptedServer]:
    settings.INTEGRATIONS_ALLOW_LOOPBACK = True
    with silent_target(cast) as server:
        yield server


def state_booked(case: ExceptionCase, cast: Cast, proof: Proof = PROOF) -> Proposal:
    return unknown.state_booked(case.pk, proof=proof, by=cast.clerk, at=MORNING, because=WHY)


def state_absent(case: ExceptionCase, cast: Cast) -> Proposal:
    return unknown.state_absent(case.pk, proof=Proof(), by=cast.clerk, at=MORNING, because=WHY)


def test_target_that_cannot_be_asked_gets_it_once_and_is_never_asked(cast: Cast, target: ScriptedServer):
    case = of_unknown_outcome(cast)
    for _ in range(3):
        time_passes()
        replays.carry_out_due()
    case.refresh_from_db()
    assert [request.split()[0] for request in target.requests] == [b"POST"]
    assert (case.state, submission(case).state) == (State.OUTCOME_UNKNOWN, "unknown")
    assert submission(case).detail.startswith("This target cannot be asked.")


def test_statement_that_it_is_booked_resolves_it_when_another_person_agrees(cast: Cast, target: ScriptedServer):
    case = of_unknown_outcome(cast)
    proposal = state_booked(case, cast)
    case.refresh_from_db()
    assert case.state == State.OUTCOME_UNKNOWN
    approve_open(case, by=cast.controller)
    delivery, case_now = submission(case), ExceptionCase.objects.get(pk=case.pk)
    assert (case_now.state, case_now.outcome, case_now.reference) == (State.RESOLVED, Outcome.REPLAYED, "CLR-77")
    assert (delivery.state, delivery.reference) == ("confirmed", "CLR-77")
    assert delivery.detail == "The target has it: stated by clara, agreed to by conrad."
    stated = DeliveryStatement.objects.get(delivery=delivery)
    assert (stated.says, stated.stated_by, stated.agreed_by) == ("booked", "clara", "conrad")
    assert stated.evidence_sha256 == Evidence.objects.get(proposal=proposal).sha256
    effect = Effect.objects.get(delivery=delivery)
    assert (effect.seen_by, effect.reference, effect.is_ours) == ("evidence", "CLR-77", True)
    assert Identifier.objects.filter(case=case, value="CLR-77").exists()
    assert {"case.booking_stated", "case.booking_confirmed"} <= set(actions_of(case))
    time_passes()
    replays.carry_out_due()
    assert len(target.requests) == 1


def test_statement_that_it_is_not_there_takes_it_back_to_work_and_the_next_sending_needs_its_own_approval(
    cast: Cast, target: ScriptedServer
):
    case = of_unknown_outcome(cast)
    first = submission(case)
    state_absent(case, cast)
    approve_open(case, by=cast.controller)
    first.refresh_from_db()
    assert (case.state, first.state, first.detail[:30]) == (
        State.IN_PROGRESS, "cancelled", "The target does not have it, a",
    )  # fmt: skip
    assert set(Proposal.objects.filter(case=case, kind="replay").values_list("state", flat=True)) == {"spent"}
    replays.carry_out_due()
    assert len(target.requests) == 1
    propose_again(case, by=cast.clerk)
    approve_open(case, by=cast.controller)
    replays.carry_out_due()
    assert [request.split()[0] for request in target.requests] == [b"POST", b"POST"]
    assert submission(case).pk != first.pk


def test_whoever_stated_it_or_corrected_it_may_not_agree(cast: Cast, target: ScriptedServer):
    case = of_unknown_outcome(cast)
    proposal = unknown.state_booked(case.pk, proof=PROOF, by=cast.second_clerk, at=MORNING, because=WHY)
    for person, words in (
        (cast.second_clerk, "You proposed this"),
        (cast.clerk, "You prepared this correction"),
        (cast.support, "You may not approve"),
        (cast.outsider, "You may not approve"),
    ):
        with pytest.raises(NotPermitted, match=words):
            decide.approve(case.pk, by=person, at=MORNING, frozen_sha256=proposal.frozen_sha256)
    assert submission(case).state == "unknown"


@pytest.mark.parametrize("who", ["support", "auditor", "outsider", "administrator"])
def test_statement_and_question_need_the_verb(cast: Cast, target: ScriptedServer, who: str):
    case, person = of_unknown_outcome(cast), getattr(cast, who)
    with pytest.raises(NotPermitted):
        unknown.state_absent(case.pk, proof=Proof(), by=person, at=MORNING, because=WHY)
    with pytest.raises(NotPermitted):
        unknown.ask_again(case.pk, by=person, at=MORNING)
    assert not Evidence.objects.exists()


def test_statement_needs_reason_and_reference_and_a_file_of_bearable_size(cast: Cast, target: ScriptedServer):
    case = of_unknown_outcome(cast)
    for proof, because, field in (
        (PROOF, "  ", "because"),
        (Proof(" "), WHY, "reference"),
        (Proof("x" * 201), WHY, "reference"),
        (Proof("CLR-1", "a.png", "image/png", b"x" * (unknown.LARGEST_FILE + 1)), WHY, "file"),
    ):
        with pytest.raises(Invalid) as refused:
            unknown.state_booked(case.pk, proof=proof, by=cast.clerk, at=MORNING, because=because)
        assert refused.value.field == field
    assert not Proposal.objects.filter(kind="confirm_booked").exists()


def test_second_statement_waits_until_the_first_is_decided_or_withdrawn(cast: Cast, target: ScriptedServer):
    case = of_unknown_outcome(cast)
    first = state_booked(case, cast)
    with pytest.raises(NotPermitted, match="Something is proposed already"):
        state_absent(case, cast)
    propose.withdraw(case.pk, by=cast.clerk, at=MORNING)
    case.refresh_from_db()
    first.refresh_from_db()
    assert (case.state, first.state) == (State.OUTCOME_UNKNOWN, "withdrawn")
    second = state_absent(case, cast)
    decide.reject(
        case.pk, by=cast.controller, at=MORNING, frozen_sha256=second.frozen_sha256, because="Ask their desk first."
    )
    case.refresh_from_db()
    assert (case.state, submission(case).state) == (State.OUTCOME_UNKNOWN, "unknown")
    assert state_booked(case, cast).state == "open"


def test_approval_is_for_the_proof_that_was_shown(cast: Cast, target: ScriptedServer):
    case = of_unknown_outcome(cast)
    shown = state_booked(case, cast)
    propose.withdraw(case.pk, by=cast.clerk, at=MORNING)
    other = state_booked(case, cast, Proof("CLR-78", "journal.png", "image/png", b"\x89PNG"))
    assert shown.frozen_sha256 != other.frozen_sha256
    with pytest.raises(ApprovalNoLongerHolds):
        decide.approve(case.pk, by=cast.controller, at=MORNING, frozen_sha256=shown.frozen_sha256)


def test_target_that_answers_first_makes_the_statement_needless(cast: Cast, target: ScriptedServer):
    configure(cast.connection, target_kind="")
    case = of_unknown_outcome(cast)
    proposal = state_absent(case, cast)
    time_passes()
    [claim] = engine.claim(limit=8)
    found = engine.after_sending(claim, Answer(AnswerKind.CONFIRMED, "CLR-5"))
    assert settle(found, at=MORNING)
    case.refresh_from_db()
    proposal.refresh_from_db()
    assert (case.state, case.reference, proposal.state) == (State.RESOLVED, "CLR-5", "superseded")
    with pytest.raises(ApprovalNoLongerHolds, match="The target answered before it was decided"):
        decide.approve(case.pk, by=cast.controller, at=MORNING, frozen_sha256=proposal.frozen_sha256)


def test_worker_that_asks_at_this_moment_is_fenced_by_the_statement(cast: Cast, target: ScriptedServer):
    configure(cast.connection, target_kind="")
    case = of_unknown_outcome(cast)
    state_booked(case, cast)
    time_passes()
    [claim] = engine.claim(limit=8)
    approve_open(case, by=cast.controller)
    assert not settle(engine.after_sending(claim, Answer(AnswerKind.CONFIRMED, "CLR-5")), at=MORNING)
    assert (submission(case).state, submission(case).reference) == ("confirmed", "CLR-77")


def test_nothing_is_agreed_while_it_is_being_sent_again(cast: Cast, target: ScriptedServer):
    configure(cast.connection, target_kind="")
    case = of_unknown_outcome(cast)
    proposal = state_absent(case, cast)
    Delivery.objects.filter(subject=case.subject).update(state="sending", due_at=Now() + timedelta(minutes=1))
    with pytest.raises(ChangedMeanwhile, match="being sent again at this moment"):
        decide.approve(case.pk, by=cast.controller, at=MORNING, frozen_sha256=proposal.frozen_sha256)
    assert (statement(case).pk, submission(case).state) == (proposal.pk, "sending")


def test_two_controllers_at_the_same_time_end_it_once(cast: Cast, target: ScriptedServer):
    case = of_unknown_outcome(cast)
    proposal = state_booked(case, cast)

    def agree() -> object:
        return decide.approve(case.pk, by=cast.controller, at=MORNING, frozen_sha256=proposal.frozen_sha256)

    outcomes = at_the_same_time([agree, agree, agree])
    assert sum(not isinstance(outcome, Exception) for outcome in outcomes) == 1
    assert {type(outcome) for outcome in outcomes if isinstance(outcome, Exception)} == {decide.DecidedAlready}
    assert actions_of(case).count("case.booking_confirmed") == 1
    assert DeliveryStatement.objects.count() == 1


def test_asking_again_makes_it_due_at_once_and_is_written_down(cast: Cast, target: ScriptedServer):
    configure(cast.connection, target_kind="")
    case = of_unknown_outcome(cast)
    assert submission(case).due_at > submission(case).last_sent_at  # type: ignore[operator]
    asked = len(target.requests)
    unknown.ask_again(case.pk, by=cast.clerk, at=MORNING)
    assert [event.actor for event in timeline(case.subject) if event.action == "case.asked_again"] == ["clara"]
    replays.carry_out_due()
    assert [request.split()[0] for request in target.requests[asked:]][:1] == [b"GET"]


def test_target_that_cannot_be_asked_is_not_asked_again(cast: Cast, target: ScriptedServer):
    case = of_unknown_outcome(cast)
    with pytest.raises(Invalid, match="cannot be asked"):
        unknown.ask_again(case.pk, by=cast.clerk, at=MORNING)
    assert "case.asked_again" not in actions_of(case)


def test_nothing_is_stated_about_what_was_never_sent(cast: Cast):
    case = take_in(cast)
    for action, act in ((Action.CONFIRM_BOOKED, state_booked), (Action.DECLARE_ABSENT, state_absent)):
        with pytest.raises(TransitionNotAllowed) as refused:
            act(case, cast)
        assert refused.value.action is action


def test_database_refuses_to_give_up_what_was_sent_without_a_statement(cast: Cast, target: ScriptedServer):
    case = of_unknown_outcome(cast)
    with pytest.raises(DatabaseError, match="may have been booked"), transaction.atomic():
        Delivery.objects.filter(subject=case.subject).update(state="cancelled")


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"agreed_by": "clerk"}, "statement_of_two_people"),
        ({"reference": ""}, "statement_booked_has_reference"),
        ({"says": "perhaps"}, "statement_known"),
    ],
)
def test_database_refuses_a_poor_statement(cast: Cast, target: ScriptedServer, changes: dict[str, str], name: str):
    case = of_unknown_outcome(cast)
    given = {
        "says": "booked",
        "reference": "R",
        "evidence_sha256": "0" * 64,
        "stated_by": "clerk",
        "agreed_by": "controller",
    }
    with pytest.raises(DatabaseError, match=name), transaction.atomic():
        DeliveryStatement.objects.create(delivery=submission(case), stated_at=MORNING, **{**given, **changes})


def test_what_its_source_may_have_sent_already_is_not_sent_where_nobody_can_be_asked(
    cast: Cast, target: ScriptedServer
):
    case = take_in(cast)

    receive(cast.connection, handed_in("again", refusal=b"", refusal_status=504))
    intake.read_messages(limit=1, at=MORNING)
    assert set(Occurrence.objects.filter(case=case).values_list("definitive", flat=True)) == {True, False}
    mend(case, by=cast.clerk)
    propose_again(case, by=cast.clerk)
    approve_open(case, by=cast.controller)
    replays.carry_out_due()
    case.refresh_from_db()
    assert (case.state, submission(case).sends, target.requests) == (State.OUTCOME_UNKNOWN, 0, [])
    state_absent(case, cast)
    approve_open(case, by=cast.controller)
    propose_again(case, by=cast.clerk)
    approve_open(case, by=cast.controller)
    replays.carry_out_due()
    assert [request.split()[0] for request in target.requests] == [b"POST"]
