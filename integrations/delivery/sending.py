"""Sending one document as it was approved, and what the answer means."""

import secrets

from integrations.connectors.base import Answer, AnswerKind, Observation, Presence, TargetClient
from integrations.crash_points import Point, passing
from integrations.delivery.asking import ask
from integrations.delivery.attempts import Phase, begin, client_of, content_of, in_time, note_answer
from integrations.delivery.claims import Claim, note_sent
from integrations.delivery.in_hand import taken_in_hand
from integrations.delivery.safeguards import Safeguard, stands
from integrations.delivery.settling import Settlement, State, asked_for, reason_to_pause, still_in_hand, wait_of
from integrations.models import Delivery, DeliveryContent
from integrations.refusals import bounded

UNDECIDED = frozenset({AnswerKind.UNKNOWN, AnswerKind.PENDING})  # after these it may be booked yet
MOST_CONTRADICTIONS = 5  # tries in a row with a target that has a document already and does not have it


def send(claim: Claim, client: TargetClient) -> Settlement:
    """Raises Fenced."""
    with taken_in_hand(claim.delivery) as alone:
        return _send(claim, client) if alone else still_in_hand(claim)


def _send(claim: Claim, client: TargetClient) -> Settlement:
    content = content_of(claim.delivery)
    with in_time(claim.delivery):
        if stands(Safeguard.INTENT_FIRST):
            attempt = begin(claim, Phase.SEND, State.SENDING)
            passing(Point.SEND_INTENDED)
            answer = _submit(claim.delivery, content, client)
        else:
            answer = _submit(claim.delivery, content, client)
            attempt = begin(claim, Phase.SEND, State.SENDING)
    passing(Point.SEND_ANSWERED)
    note_answer(attempt, answer.kind, answer)
    if answer.kind in UNDECIDED:
        note_sent([claim])
    passing(Point.SEND_NOTED)
    if answer.kind is AnswerKind.ALREADY_EXISTS:
        return compare_existing(claim, client, answer)
    return after_sending(claim, answer)


def _submit(delivery: Delivery, content: DeliveryContent, client: TargetClient) -> Answer:
    return client.submit(
        key=delivery.key if stands(Safeguard.STABLE_KEY) else secrets.token_hex(32),
        object_type=delivery.object_type,
        business_key=delivery.business_key,
        content=bytes(content.body),
        media_type=content.media_type,
        despite_warnings=delivery.despite_warnings,
    )


def compare_existing(claim: Claim, client: TargetClient, answer: Answer) -> Settlement:
    """“Already exists” is looked up: the same content is done, other content is a conflict for a person."""
    if not client_of(claim.delivery)[1].can_be_asked:
        detail = f"{answer.detail} It cannot be asked with which content.".strip()
        return Settlement(claim.delivery, claim.epoch, State.CONFLICT, answer.reference, detail)
    return compared(claim, ask(claim, client, phase=Phase.COMPARE), answer)


def compared(claim: Claim, observation: Observation, answer: Answer) -> Settlement:
    """What it means that the target said “already exists” and, asked for it, showed this."""
    delivery = claim.delivery
    if observation.presence is Presence.SAME:
        state = State.CONFIRMED if delivery.sends > 1 else State.ALREADY_THERE
        return Settlement(delivery, claim.epoch, state, observation.reference, answer.detail)
    if observation.presence is Presence.DIFFERENT:
        return Settlement(delivery, claim.epoch, State.CONFLICT, observation.reference, answer.detail)
    if observation.presence is Presence.ABSENT and delivery.failures >= MOST_CONTRADICTIONS:
        detail = "The target refuses it as one that it has already, but does not have it when it is asked. Ask there."
        return Settlement(delivery, claim.epoch, State.CONFLICT, answer.reference, detail)
    wrong = observation.presence is Presence.MISCONFIGURED
    return Settlement(
        delivery,
        claim.epoch,
        State.UNKNOWN,
        detail=observation.detail or answer.detail,
        wait=wait_of(delivery, observation.retry_after),
        pause_connection=reason_to_pause(delivery, observation.detail) if wrong else "",
        failed_technically=observation.presence is Presence.UNANSWERED,
        asked_to_wait=asked_for(observation.retry_after),
    )


def after_sending(claim: Claim, answer: Answer) -> Settlement:
    """What the answer to a submission means for the delivery."""
    delivery = claim.delivery
    if answer.kind is AnswerKind.CONFIRMED:
        return Settlement(delivery, claim.epoch, State.CONFIRMED, answer.reference, answer.detail)
    if answer.kind is AnswerKind.REFUSED:
        refusal = bounded(answer.refusal) if answer.refusal else None
        return Settlement(delivery, claim.epoch, State.REFUSED, detail=answer.detail, refusal=refusal)
    wait = wait_of(delivery, answer.retry_after)
    failed = answer.kind in (AnswerKind.UNKNOWN, AnswerKind.NOT_SENT)
    if answer.kind in UNDECIDED:
        return Settlement(
            delivery, claim.epoch, State.UNKNOWN, detail=answer.detail, wait=wait, failed_technically=failed
        )
    return Settlement(
        delivery,
        claim.epoch,
        # An earlier send of this delivery may still have been booked: then it stays unknown and is asked about.
        State.UNKNOWN if delivery.sends > 1 else State.QUEUED,
        detail=answer.detail,
        wait=wait,
        not_sent=answer.not_sent,
        pause_connection=reason_to_pause(delivery, answer.detail) if answer.kind is AnswerKind.MISCONFIGURED else "",
        failed_technically=failed,
        asked_to_wait=asked_for(answer.retry_after),
    )
