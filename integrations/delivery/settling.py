"""The end of a claim: what it came to, and how that is written."""

from dataclasses import dataclass, replace
from datetime import timedelta

from django.db.models import F
from django.db.models.functions import Coalesce, Now

from integrations.delivery import gates, retries
from integrations.delivery.claims import MAX_CLAIMS, Claim, live_of_epoch
from integrations.effects import note_end
from integrations.models import Delivery
from integrations.refusals import Refusal

PARKED = timedelta(hours=1)
BACKOFF_FIRST = timedelta(seconds=2)
BACKOFF_MOST = timedelta(minutes=15)
SHORTEST_WAIT = timedelta(seconds=1)  # also for a target that says “at once”, again and again
LONGEST_ASKED_FOR = timedelta(hours=24)  # a target that says when to come back is believed up to here

State = Delivery.State
_SAID_BY_THE_TARGET = (*Delivery.BOOKED, State.REFUSED, State.CONFLICT)


@dataclass(frozen=True, slots=True)
class Settlement:
    """Where a claim led: the state to write, and what a person needs to know about it."""

    delivery: Delivery
    epoch: int
    state: Delivery.State
    reference: str = ""
    detail: str = ""
    refusal: Refusal | None = None
    wait: timedelta | None = None  # until the next try, for states that are not final
    not_sent: bool = False  # the send that was begun provably never reached the target
    parked: bool = False  # not a word of the target's: a person needs to know that our own side breaks off
    pause_connection: str = ""  # the reason, when nothing more should be sent there before a person looked
    sent_in: str = ""  # the reference of the file in which it travelled
    failed_technically: bool = False  # no answer, or none that a target gives that works
    asked_to_wait: timedelta | None = None  # the target said when to come back; that holds for all that goes there
    given_up: bool = False  # its terms of retry are spent: now, for the first time


def park(claim: Claim) -> Settlement:
    """A delivery that three workers in a row did not survive: told to a person, and left alone for a while."""
    sent = claim.delivery.sends > 0
    said = "It may have been sent." if sent else "Nothing was sent."
    detail = f"The worker broke off on this {MAX_CLAIMS} times. {said} Show it to support; it is tried again later."
    state = State.UNKNOWN if sent else State.QUEUED
    return Settlement(claim.delivery, claim.epoch, state, detail=detail, wait=PARKED, parked=True)


def left_to_a_person(claim: Claim, because: str) -> Settlement:
    """Sent, not there after the settle time, and not to be sent again by us: two people say so by a new proposal."""
    detail = (
        f"{because} It was sent before, but the target was asked and does not have it. "
        "Make sure that it was not booked, then propose it anew."
    )
    return Settlement(claim.delivery, claim.epoch, State.CANCELLED, detail=detail)


def cannot_be_asked(claim: Claim) -> Settlement:
    """Sent, and only a person can find out what became of it: it waits for their statement."""
    detail = "This target cannot be asked. Find out there whether it was booked, and state it with proof."
    return Settlement(claim.delivery, claim.epoch, State.UNKNOWN, detail=detail, wait=LONGEST_ASKED_FOR)


def still_in_hand(claim: Claim) -> Settlement:
    """Another worker may send it yet, however long its lease is over: it is being sent until that one has ended."""
    detail = "Another worker has it in hand and has not ended yet. Nothing is decided before that."
    state = State.SENDING if claim.delivery.sends else State.QUEUED
    return Settlement(claim.delivery, claim.epoch, state, detail=detail, wait=wait_of(claim.delivery, None))


def not_to_be_asked_yet(claim: Claim, wait: timedelta) -> Settlement:
    """What was sent last before a restore may still come to show: asked before that, “not there” says nothing."""
    detail = "The database was restored from a backup. The target is asked once what was sent before has shown there."
    return Settlement(claim.delivery, claim.epoch, State.QUEUED, detail=detail, wait=wait)


def put_back(claim: Claim) -> Settlement:
    """Not reached in this turn, and due again at once."""
    state = State.UNKNOWN if claim.delivery.sends else State.QUEUED
    return Settlement(claim.delivery, claim.epoch, state, detail=claim.delivery.detail, wait=SHORTEST_WAIT)


def reason_to_pause(delivery: Delivery, detail: str) -> str:
    """Why nothing more goes there; empty for a source: that it cannot be told keeps no document from the target."""
    books = delivery.operation in Delivery.BOOKING
    return f"{detail} Mend the connection, then resume it." if books else ""


def wait_of(delivery: Delivery, retry_after: float | None) -> timedelta:
    """Until the next try: what the target asked for, up to a day, else twice as long each time, up to 15 minutes."""
    if retry_after is not None:
        return min(max(timedelta(seconds=retry_after), SHORTEST_WAIT), LONGEST_ASKED_FOR)
    return min(BACKOFF_FIRST * (1 << min(delivery.failures, 12)), BACKOFF_MOST)


def asked_for(retry_after: float | None) -> timedelta | None:
    """How long the target asked to wait, within what it is believed."""
    return None if retry_after is None else min(timedelta(seconds=max(retry_after, 0)), LONGEST_ASKED_FOR)


def settle(settlement: Settlement) -> Delivery | None:
    """Write the end, in the caller's transaction, if the epoch is still ours; None when we were fenced."""
    settlement = _under_terms(_second_effect_is_a_conflict(settlement))
    live, failed = settlement.state in Delivery.LIVE, settlement.failed_technically
    changes: dict[str, object] = {
        "state": settlement.state,
        "reference": settlement.reference,
        "detail": settlement.detail,
        "lease_until": None,
        "claims": 0,
        "sends": F("sends") - 1 if settlement.not_sent else F("sends"),
        "failures": F("failures") + 1 if live else 0,
        "failing_since": Coalesce("failing_since", Now()) if failed else F("failing_since") if live else None,
        "due_at": Now() + (settlement.wait or timedelta()) if live else Now(),
        "finished_at": None if live else Now(),
    }
    if not live_of_epoch(settlement.delivery.pk, settlement.epoch).update(**changes):
        return None
    if settlement.given_up:
        _give_up(settlement)
    settlement.delivery.refresh_from_db()
    note_end(settlement.delivery)
    _tell_the_gate(settlement)
    return settlement.delivery


def _under_terms(settlement: Settlement) -> Settlement:
    """A technical failure waits as its terms say; once they are spent a person has it.

    A target that says when to come back is believed, but not for ever.
    """
    delivery = settlement.delivery
    if not settlement.failed_technically or settlement.state not in Delivery.LIVE:
        return settlement
    may_be_there = settlement.state is State.UNKNOWN
    verdict = retries.judge(delivery, epoch=settlement.epoch, may_be_there=may_be_there)
    if not verdict.spent:
        return settlement if settlement.asked_to_wait is not None else replace(settlement, wait=verdict.wait)
    number = delivery.failures + 1
    tried = "once" if number == 1 else f"{number} times in a row"
    said = f"It was tried {tried} without an answer. Find out there what became of it."
    if delivery.operation in Delivery.BOOKING and not may_be_there:
        said = f"Its tries are spent: it was tried {tried}, and never reached the target."
    detail = f"{settlement.detail} {said}".strip()
    return replace(settlement, detail=detail, wait=verdict.wait, given_up=delivery.given_up_at is None)


def _give_up(settlement: Settlement) -> None:
    """What never reached the target goes back to work. What may have stays unknown, asked once a day, for a person."""
    row = Delivery.objects.filter(pk=settlement.delivery.pk)
    row.update(given_up_at=Now())
    if settlement.delivery.operation in Delivery.BOOKING and settlement.state is State.QUEUED:
        # In a second step: only once the row says that nothing was sent, the database lets it be cancelled.
        row.update(state=State.CANCELLED, due_at=Now(), finished_at=Now())


def _tell_the_gate(settlement: Settlement) -> None:
    """What it says about the target: it works, it does not, or it wants to be left alone for a while."""
    delivery = settlement.delivery
    if delivery.operation == Delivery.Operation.WRITE_BACK:
        return
    if settlement.state in _SAID_BY_THE_TARGET:
        gates.went_through(delivery.connection)
    elif settlement.asked_to_wait is not None:
        gates.asked_to_wait(delivery.connection, settlement.asked_to_wait)
    elif settlement.failed_technically:
        gates.failed(delivery.connection, settlement.sent_in or str(delivery.pk), because=settlement.detail)


def _second_effect_is_a_conflict(settlement: Settlement) -> Settlement:
    """A target that books a document under a name that it had confirmed before: one confirmed claim is the rule.

    Of an object that is changed again and again, each change is one; only the same change twice is a second effect.
    """
    if settlement.state is not State.CONFIRMED:
        return settlement
    delivery = settlement.delivery
    earlier = (
        Delivery.objects.filter(
            connection=delivery.connection_id,
            operation=delivery.operation,
            object_type=delivery.object_type,
            business_key=delivery.business_key,
            state=State.CONFIRMED,
            **({"key": delivery.key} if delivery.is_change else {}),
        )
        .exclude(pk=delivery.pk)
        .first()
    )
    if earlier is None:
        return settlement
    if (earlier.key, earlier.reference) == (delivery.key, settlement.reference):
        # The same bytes under the same key, and the same document: the target recognised the repeat.
        return replace(settlement, state=State.ALREADY_THERE)
    detail = (
        f"The target booked this document a second time, as {settlement.reference}; "
        f"it had confirmed it as {earlier.reference} ({earlier.subject}). One of the two must be reversed there."
    )
    return replace(settlement, state=State.CONFLICT, detail=detail)
