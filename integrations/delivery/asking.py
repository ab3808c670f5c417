"""Asking the target whether it has a document, and what its answer means for the next step."""

from collections.abc import Callable
from datetime import datetime, timedelta

from integrations.connectors.base import (
    AnswerKind,
    Capabilities,
    Observation,
    Presence,
    TargetClient,
    TargetKind,
)
from integrations.crash_points import Point, passing
from integrations.delivery.attempts import Phase, begin, content_of, note_answer
from integrations.delivery.claims import Claim
from integrations.delivery.safeguards import Safeguard, stands
from integrations.delivery.settling import Settlement, State, asked_for, left_to_a_person, reason_to_pause, wait_of
from integrations.models import Delivery, DeliveryAnswer, DeliveryAttempt

RESENDING_KINDS = frozenset({TargetKind.DEDUPLICATES, TargetKind.UPSERTS})
LONGEST_PENDING = timedelta(hours=24)  # that a target may take to decide on what it has


def must_ask_first(claim: Claim) -> bool:
    delivery = claim.delivery
    if delivery.operation == Delivery.Operation.WRITE_BACK:
        return False  # receivers of webhooks recognise a repeat by its identifier
    if not stands(Safeguard.ASK_FIRST):
        return False
    return delivery.probe_first or delivery.sends > 0


def ask(claim: Claim, client: TargetClient, *, phase: DeliveryAttempt.Phase = Phase.PROBE) -> Observation:
    """Raises Fenced."""
    delivery = claim.delivery
    attempt = begin(claim, phase, State.PROBING)
    passing(Point(f"{phase}.intended"))
    observation = client.probe(
        object_type=delivery.object_type, business_key=delivery.business_key, content=bytes(content_of(delivery).body)
    )
    passing(Point(f"{phase}.answered"))
    note_answer(attempt, observation.presence, observation)
    passing(Point(f"{phase}.noted"))
    return observation


def is_pending_there(delivery: Delivery) -> bool:
    """Whether the target said of the last send that it has it and has not decided."""
    sends = DeliveryAnswer.objects.filter(attempt__delivery=delivery, attempt__phase=Phase.SEND)
    return sends.order_by("-pk").values_list("outcome", flat=True).first() == AnswerKind.PENDING


def after_asking(
    claim: Claim,
    observation: Observation,
    capabilities: Capabilities,
    *,
    now: datetime,
    is_pending: Callable[[Delivery], bool] = is_pending_there,
) -> Settlement | None:
    """What the answer of the look-up means; None when the document may be sent now. `now` is when it was asked.

    A pure function of what it is given, but for `is_pending`: what the target said of the last send.
    """
    delivery, sent_before = claim.delivery, claim.delivery.sends > 0
    if observation.presence is Presence.SAME:
        state = State.CONFIRMED if sent_before else State.ALREADY_THERE
        return Settlement(delivery, claim.epoch, state, observation.reference, observation.detail)
    if observation.presence is Presence.DIFFERENT:
        return Settlement(delivery, claim.epoch, State.CONFLICT, observation.reference, observation.detail)
    if observation.presence in (Presence.UNANSWERED, Presence.MISCONFIGURED):
        state = State.UNKNOWN if sent_before else State.QUEUED
        wrong = observation.presence is Presence.MISCONFIGURED
        pause = reason_to_pause(delivery, observation.detail) if wrong else ""
        wait = wait_of(delivery, observation.retry_after)
        return Settlement(
            delivery,
            claim.epoch,
            state,
            detail=observation.detail,
            wait=wait,
            pause_connection=pause,
            failed_technically=not wrong,
            asked_to_wait=asked_for(observation.retry_after),
        )
    if not sent_before:
        return None
    return _absent_after_sending(claim, capabilities, now=now, is_pending=is_pending)


def _absent_after_sending(
    claim: Claim, capabilities: Capabilities, *, now: datetime, is_pending: Callable[[Delivery], bool]
) -> Settlement | None:
    """Not there, though we sent it: a late effect may still come, so settle first; then only where it is safe."""
    delivery = claim.delivery
    sent_at = delivery.last_sent_at or now
    settled_at = sent_at + (capabilities.settle_time if stands(Safeguard.SETTLE_TIME) else timedelta())
    if now < settled_at:
        detail = "The target does not have it yet; it may still be working on it."
        return Settlement(delivery, claim.epoch, State.UNKNOWN, detail=detail, wait=settled_at - now)
    if is_pending(delivery):
        return _still_pending(claim, waited=now - sent_at)
    if capabilities.target_kind in RESENDING_KINDS:
        return None
    if capabilities.target_kind is TargetKind.ASKABLE and delivery.connection.resend_when_absent:
        return None
    return left_to_a_person(claim, "The target does not recognise a repeat.")


def _still_pending(claim: Claim, *, waited: timedelta) -> Settlement:
    """What the target took and did not decide on is never sent again by a machine: both may be booked in the end."""
    if waited >= LONGEST_PENDING:
        return left_to_a_person(claim, "The target took it and did not decide within a day.")
    detail = "The target took it and has not decided on it yet; it is asked again."
    wait = wait_of(claim.delivery, None)
    return Settlement(claim.delivery, claim.epoch, State.UNKNOWN, detail=detail, wait=wait)
