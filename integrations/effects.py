"""The ledger of effects: what a target was seen to have, written in the transaction that settles the delivery."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from integrations.connectors.base import AnswerKind, Presence
from integrations.models import Delivery, DeliveryAnswer, DeliveryAttempt, Effect

# What an answer must say to be evidence that something stands at the target, and whether it is what we sent.
_SEEN: Mapping[str, bool] = {AnswerKind.CONFIRMED: True, Presence.SAME: True, Presence.DIFFERENT: False}
_ENDS = (*Delivery.BOOKED, Delivery.State.CONFLICT)


def note_end(delivery: Delivery) -> Effect | None:
    """Keep what a delivery that has ended proves about its target; None where it proves nothing.

    In the caller's transaction. What ends as booked without an answer that says so was proved by people.
    """
    if delivery.operation not in Delivery.BOOKING or delivery.state not in _ENDS:
        return None
    answer = _last_answer(delivery)
    if answer is not None and answer.outcome in _SEEN:
        sent = answer.attempt.phase == DeliveryAttempt.Phase.SEND
        return _write(
            delivery,
            seen_by=Effect.SeenBy.CONFIRMED if sent else Effect.SeenBy.PROBE,
            is_ours=_SEEN[answer.outcome],
            answer=answer,
            reference=delivery.reference,
            at=answer.finished_at,
        )
    if delivery.state not in Delivery.BOOKED or delivery.finished_at is None:
        return None
    return _write(
        delivery,
        seen_by=Effect.SeenBy.EVIDENCE,
        is_ours=True,
        answer=None,
        reference=delivery.reference,
        at=delivery.finished_at,
    )


def _last_answer(delivery: Delivery) -> DeliveryAnswer | None:
    """Of the claim that ended it, and of no earlier one."""
    answers = DeliveryAnswer.objects.filter(attempt__delivery=delivery, attempt__epoch=delivery.epoch)
    return answers.select_related("attempt").defer("body", "headers").order_by("-attempt_id").first()


def note_listed(delivery: Delivery, *, reference: str, is_ours: bool, told: Mapping[str, Any], at: datetime) -> Effect:
    """Keep a document of the target's own list that stands under the name of a delivery. `at`: when it was listed."""
    return _write(
        delivery,
        seen_by=Effect.SeenBy.COMPARISON,
        is_ours=is_ours,
        answer=None,
        reference=reference,
        at=at,
        told=told,
    )


def _write(
    delivery: Delivery,
    *,
    seen_by: Effect.SeenBy,
    is_ours: bool,
    answer: DeliveryAnswer | None,
    reference: str,
    at: datetime,
    told: Mapping[str, Any] | None = None,
) -> Effect:
    return Effect.objects.create(
        connection_id=delivery.connection_id,
        object_type=delivery.object_type,
        business_key=delivery.business_key,
        content_sha256=delivery.content_sha256,
        delivery=delivery,
        seen_by=seen_by,
        is_ours=is_ours,
        answer=answer,
        reference=reference,
        observed_at=at,
        told=dict(told or {}),
    )


def effects_under(delivery: Delivery) -> QuerySet[Effect]:
    """All that was seen at the target under the name of the document, whichever delivery it was seen for."""
    return Effect.objects.filter(
        connection=delivery.connection_id, object_type=delivery.object_type, business_key=delivery.business_key
    )


def booked_again(delivery: Delivery) -> list[str]:
    """What the target calls the documents under this name, the first booked first, when this one was one too many.

    Empty for every other delivery, also for a conflict of contents.
    """
    if delivery.state != Delivery.State.CONFLICT:
        return []
    ours = effects_under(delivery).filter(is_ours=True).order_by("id")
    if not ours.filter(delivery=delivery).exists():
        return []
    return list(dict.fromkeys(ours.exclude(reference="").values_list("reference", flat=True)))
