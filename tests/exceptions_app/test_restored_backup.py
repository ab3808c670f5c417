"""What was sent after the backup was made that is restored takes effect once, at every kind of target."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction
from django.db.models.functions import Now
from django.utils.timezone import now

from audit.queries import timeline
from exceptions_app import intake, replays
from exceptions_app.actions import unknown
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.restoration import note_restoration
from exceptions_app.actions.unknown import Proof
from exceptions_app.models import ExceptionCase, Transaction
from exceptions_app.policies import NotPermitted
from exceptions_app.states import State
from integrations import inbox
from integrations.delivery import stop_in_force
from integrations.delivery.in_hand import taken_in_hand
from integrations.models import ALL_SENDING, Delivery, Restoration, SendingStop
from tests.arrivals import approve_open, configure, propose, receive
from tests.cast import MORNING, Cast
from tests.exceptions_app.delivering import submission, time_passes
from tests.exceptions_app.handover.handing_over import document, hand_in, now_of, read_all
from tests.exceptions_app.restoring import DAY, BackUp, back_up, noted
from tests.integrations.connectors.stands import STANDS
from tests.simulator_process import RunningSimulator

__all__ = ["back_up"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("connected")]

SIGNED = ("--by", "ada", "--because", "The disk was lost.")


@dataclass(frozen=True)
class Kind:
    """A target of one kind: which stand, and what the connection says of it."""

    stand: str
    target_kind: str = ""
    recognises: bool = True


KINDS = {
    "deduplicates": Kind("erp"),
    "upserts": Kind("erp_master"),
    "askable": Kind("erp", "askable", recognises=False),
    "neither": Kind("erp", "neither", recognises=False),
}
EACH_KIND = pytest.mark.parametrize("kind", KINDS)
UNSURE = pytest.mark.parametrize("kind", ["askable", "neither"])


class Refuse(Protocol):
    def __call__(self, kind: str, *, at: datetime = MORNING) -> ExceptionCase: ...


@pytest.fixture
def refuse(cast: Cast, simulator: RunningSimulator) -> Refuse:
    """An exception that a target of that kind refused, whose cause was mended there."""

    def refused(kind: str, *, at: datetime = MORNING) -> ExceptionCase:
        chosen = KINDS[kind]
        stand = STANDS[chosen.stand]
        configure(
            cast.connection,
            connector=stand.name,
            target_url=f"{simulator.url}/{stand.below}",
            target_kind=chosen.target_kind,
        )
        if not chosen.recognises:
            simulator.change_erp(honour_keys=False, deduplicate_references=False)
        content = stand.document(1)
        simulator.fault("refuse", path=stand.path, times=1)
        answer = stand.submit(simulator, content, key=99)
        message = inbox.HandedIn(
            "message-1", content, payload_media_type=stand.media_type, refusal=answer.body,
            refusal_media_type=answer.headers["content-type"], refusal_status=answer.http_status,
        )  # fmt: skip
        receive(cast.connection, message, at=at)
        intake.read_messages(limit=1, at=at)
        return ExceptionCase.objects.get()

    return refused


def approved(case: ExceptionCase, cast: Cast) -> ExceptionCase:
    propose(case, by=cast.clerk)
    return approve_open(case, by=cast.controller)


def worked(case: ExceptionCase, rounds: int = 3) -> tuple[str, str]:
    for _ in range(rounds):
        replays.carry_out_due()
        time_passes()
    case.refresh_from_db()
    return case.state, case.outcome


def run_command(*more: str) -> None:
    call_command("restored", *more, *SIGNED)


@EACH_KIND
def test_what_waited_in_the_backup_and_was_sent_since_takes_effect_once(
    cast: Cast, simulator: RunningSimulator, refuse: Refuse, back_up: BackUp, kind: str
):
    case = approved(refuse(kind), cast)
    restore = back_up()
    assert worked(case) == ("resolved", "replayed")

    restore()
    with noted(cast):
        assert worked(case)[0] == "replaying"
    ended = worked(case)
    assert len(simulator.effects) == 1
    assert ended == (("outcome_unknown", "") if kind == "neither" else ("resolved", "already_there"))
    assert submission(case).sends == 0


@UNSURE
def test_without_the_command_it_is_booked_twice(
    cast: Cast, simulator: RunningSimulator, refuse: Refuse, back_up: BackUp, kind: str
):
    case = approved(refuse(kind), cast)
    restore = back_up()
    worked(case)
    restore()
    worked(case)
    assert len(simulator.effects) == 2


@EACH_KIND
def test_what_was_approved_only_after_the_backup_and_is_approved_again_takes_effect_once(
    cast: Cast, simulator: RunningSimulator, refuse: Refuse, back_up: BackUp, kind: str
):
    case = refuse(kind)
    restore = back_up()
    assert worked(approved(case, cast)) == ("resolved", "replayed")

    restore()
    with noted(cast):
        approved(case, cast)
    assert worked(case)[0] == ("outcome_unknown" if kind == "neither" else "resolved")
    assert len(simulator.effects) == 1


@EACH_KIND
def test_what_was_not_sent_since_is_sent_once_the_target_or_two_people_said_that_it_is_not_there(
    cast: Cast, simulator: RunningSimulator, refuse: Refuse, back_up: BackUp, kind: str
):
    case = approved(refuse(kind), cast)
    back_up()()
    with noted(cast):
        pass
    ended = worked(case)
    if kind == "neither":
        assert (ended, simulator.effects) == (("outcome_unknown", ""), [])
        unknown.state_absent(case.pk, proof=Proof(), by=cast.clerk, at=MORNING, because="Not on the list of today.")
        approve_open(case, by=cast.controller)
        ended = worked(approved(case, cast))
    assert (ended, len(simulator.effects)) == (("resolved", "replayed"), 1)


@pytest.mark.parametrize(("kind", "state"), [("askable", "replaying"), ("neither", "outcome_unknown")])
def test_what_people_stated_before_the_backup_says_nothing_of_the_time_after_it(
    cast: Cast, simulator: RunningSimulator, refuse: Refuse, back_up: BackUp, kind: str, state: str
):
    case = refuse("neither")
    simulator.fault("timeout_before", path="/erp/postings", times=1, seconds=0)
    assert worked(approved(case, cast))[0] == "outcome_unknown"
    unknown.state_absent(case.pk, proof=Proof(), by=cast.clerk, at=MORNING, because="Not on the list of today.")
    approve_open(case, by=cast.controller)
    configure(cast.connection, target_kind=kind)
    restore = back_up()
    assert worked(approved(case, cast)) == ("resolved", "replayed")

    restore()
    with noted(cast, ago=-timedelta(seconds=1)):
        approved(case, cast)
    assert worked(case)[0] == state  # nobody is asked before what was sent last has had time to show
    assert len(simulator.effects) == 1


def test_not_there_counts_only_once_what_was_sent_last_has_had_time_to_show(
    cast: Cast, simulator: RunningSimulator, refuse: Refuse, back_up: BackUp
):
    case = approved(refuse("askable"), cast)
    asked_before = len(simulator.attempts)
    back_up()()
    with noted(cast, ago=timedelta()):
        pass
    assert (worked(case)[0], submission(case).state, submission(case).sends) == ("replaying", "queued", 0)
    assert submission(case).detail.startswith("The database was restored from a backup.")
    assert (submission(case).attempts.count(), len(simulator.attempts)) == (0, asked_before)


def test_what_was_of_unknown_outcome_may_have_been_sent_again_until_the_restore(
    cast: Cast, simulator: RunningSimulator, refuse: Refuse, back_up: BackUp
):
    case = refuse("askable")
    simulator.fault("timeout_before", path="/erp/postings", times=1, seconds=0)
    approved(case, cast)
    replays.carry_out_due()
    assert submission(case).state == "unknown"
    Delivery.objects.update(last_sent_at=Now() - timedelta(days=1))
    back_up()()
    with noted(cast, ago=timedelta()) as done:
        [doubted] = done.doubted
    assert (doubted.number, doubted.was_sent, doubted.can_be_asked) == (1, 1, True)
    assert submission(case).last_sent_at == done.restoration.restored_at


@pytest.mark.parametrize(("repeat", "effects"), [(DAY, 1), (timedelta(), 2)])
def test_what_comes_in_again_is_asked_about_for_as_long_as_sources_repeat(
    cast: Cast, simulator: RunningSimulator, refuse: Refuse, back_up: BackUp, repeat: timedelta, effects: int
):
    restore = back_up()
    case = refuse("askable")
    worked(approved(case, cast))
    restore()
    with noted(cast, repeat=repeat):
        pass
    worked(approved(refuse("askable", at=now()), cast))
    assert len(simulator.effects) == effects


def test_transaction_that_was_handed_over_becomes_an_exception_where_nobody_can_be_asked(
    cast: Cast, simulator: RunningSimulator, back_up: BackUp
):
    configure(cast.connection, connector="erp", target_url=simulator.erp_url)
    simulator.change_erp(honour_keys=False, deduplicate_references=False)
    [transaction_] = hand_in(cast.connection, document())
    read_all()
    restore = back_up()
    replays.carry_out_due()
    assert len(simulator.effects) == 1

    restore()
    with noted(cast):
        configure(cast.connection, target_kind="neither")
    replays.carry_out_due()
    case = ExceptionCase.objects.get()
    assert (now_of(transaction_).case, case.state, len(simulator.effects)) == (case, State.NEW, 1)
    assert "cannot be asked" in now_of(transaction_).problem
    assert worked(approved(case, cast)) == ("outcome_unknown", "")
    assert len(simulator.effects) == 1


def test_transaction_that_was_handed_over_and_delivered_since_is_recognised_by_the_target(
    cast: Cast, simulator: RunningSimulator, back_up: BackUp
):
    configure(cast.connection, connector="erp", target_url=simulator.erp_url, target_kind="askable")
    simulator.change_erp(honour_keys=False, deduplicate_references=False)
    hand_in(cast.connection, document())
    restore = back_up()
    read_all()
    replays.carry_out_due()
    restore()
    with noted(cast):
        read_all()
    replays.carry_out_due()
    assert [(one.state, len(simulator.effects)) for one in Transaction.objects.all()] == [("delivered", 1)]


def test_command_says_what_it_did_and_what_to_do_next(cast: Cast, refuse: Refuse, capsys: pytest.CaptureFixture[str]):
    case = approved(refuse("askable"), cast)
    run_command()
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "All sending is stopped.",
        "tax-authority: 1 under way; the target is asked before anything is sent.",
    ]
    assert (lines[2].startswith("So is whatever else"), lines[3].startswith("Next: ")) == (True, True)
    assert (submission(case).probe_first, stop_in_force().stopped_by) == (True, "ada")
    [event] = [event for event in timeline(ALL_SENDING) if event.action == "sending.restored"]
    assert (event.actor, event.because) == ("ada", "The disk was lost.")
    assert event.data["under_way"] == {"tax-authority": {"number": 1, "was_sent": 0, "can_be_asked": True}}


def test_command_says_where_people_have_to_find_out(cast: Cast, refuse: Refuse, capsys: pytest.CaptureFixture[str]):
    approved(refuse("neither"), cast)
    run_command()
    assert "the target cannot be asked, so they are of unknown outcome" in capsys.readouterr().out


def test_command_says_that_nothing_was_under_way(cast: Cast, capsys: pytest.CaptureFixture[str]):
    run_command("--sources-repeat-for", "0")
    assert "Nothing was under way in the backup." in capsys.readouterr().out


def test_done_again_it_does_the_same_again(cast: Cast, refuse: Refuse):
    case = approved(refuse("deduplicates"), cast)
    run_command()
    first = submission(case)
    run_command()
    second = submission(case)
    assert (second.probe_first, second.state, second.epoch) == (first.probe_first, first.state, first.epoch)
    assert (SendingStop.objects.count(), Restoration.objects.count()) == (1, 2)


def test_nothing_is_changed_while_workers_are_at_work(cast: Cast, refuse: Refuse):
    case = approved(refuse("askable"), cast)
    Delivery.objects.update(state="sending", lease_until=Now() + timedelta(seconds=30))
    with pytest.raises(CommandError, match="Workers have 1 deliveries in their hands, until"):
        run_command()
    Delivery.objects.update(state="queued", lease_until=None)
    with taken_in_hand(submission(case)), pytest.raises(CommandError, match="end those processes first"):
        run_command()
    assert (stop_in_force(), Restoration.objects.count(), submission(case).probe_first) == (None, 0, False)
    Delivery.objects.update(state="sending", lease_until=Now() - timedelta(seconds=1))
    run_command()
    assert submission(case).probe_first


@pytest.mark.parametrize("hours", [-1, 366 * 24 + 1])
def test_time_in_which_sources_repeat_has_bounds(cast: Cast, hours: int):
    with pytest.raises(Invalid, match="from 0 to 366 days"):
        note_restoration(by=cast.administrator, at=now(), because="Lost.", sources_repeat_for=timedelta(hours=hours))
    assert stop_in_force() is None


def test_nobody_else_may_say_that_it_was_restored(cast: Cast):
    with pytest.raises(NotPermitted):
        note_restoration(by=cast.clerk, at=now(), because="Lost.", sources_repeat_for=DAY)
    with pytest.raises(CommandError, match="administrator"):
        call_command("restored", "--by", "clara", "--because", "Lost.")


def test_database_refuses_a_restoration_without_audit_event_and_any_change_of_one(cast: Cast):
    given = {"restored_at": now(), "repeats_until": now() + DAY, "because": "Lost.", "noted_by": "ada"}
    with pytest.raises(DatabaseError, match="no audit event"), transaction.atomic():
        Restoration.objects.create(**given)
    run_command()
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        Restoration.objects.update(because="Not lost.")
