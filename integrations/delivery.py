"""Delivery: claim, ask, send, and say what came of it. PostgreSQL holds the truth; every step survives a kill.

The protocol of a worker. (1) Claim rows with SKIP LOCKED; each claim raises the row's epoch, the fencing token,
and sets a lease by the database's clock. (2) Commit the intent to ask or to send before the first byte leaves.
(3) No transaction is open while the target is spoken to. (4) Write the end only if the epoch is still ours.
A claim whose lease ran out while sending may have been booked: it is asked about before anything is sent again.
A delivery that breaks its worker off three times in a row is set before a person instead of a fourth.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import connection as database
from django.db import transaction
from django.db.models import Count, F, QuerySet
from django.db.models.functions import Now

from integrations.connectors.base import (
    Answer,
    AnswerKind,
    Capabilities,
    Endpoint,
    Observation,
    Presence,
    TargetClient,
    TargetKind,
)
from integrations.connectors.registry import get_connector
from integrations.models import Delivery, DeliveryAnswer, DeliveryAttempt, DeliveryContent
from integrations.promises import effective_capabilities
from integrations.refusals import Refusal, bounded
from integrations.webhooks import CAPABILITIES as WEBHOOK_CAPABILITIES
from integrations.webhooks import WebhookClient

LEASE = timedelta(seconds=30)  # from the claim to the first intent; then as `_lease` says
MAX_CLAIMS = 3
PARKED = timedelta(hours=1)
BACKOFF_FIRST = timedelta(seconds=2)
BACKOFF_MOST = timedelta(minutes=15)
SHORTEST_WAIT = timedelta(seconds=1)  # also for a target that says “at once”, again and again
LONGEST_ASKED_FOR = timedelta(hours=24)  # a target that says when to come back is believed up to here
MOST_CONTRADICTIONS = 5  # tries in a row with a target that has a document already and does not have it
RESENDING_KINDS = frozenset({TargetKind.DEDUPLICATES, TargetKind.UPSERTS})

State = Delivery.State
Phase = DeliveryAttempt.Phase
_DOCUMENTS_FIRST = (Delivery.Operation.SUBMIT, Delivery.Operation.WRITE_BACK)


class Fenced(Exception):
    """Another worker claimed the delivery after us; what we know no longer counts."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery in our hands until its lease ends. `broke_off` when the last three claims came to no end."""

    delivery: Delivery
    epoch: int
    broke_off: bool = False


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


def claim(*, limit: int) -> list[Claim]:
    """Take due deliveries of one operation, documents before words to a source, the oldest first.

    Skips what others hold, connections that are paused, and what is busy: an operation of a connection with as many
    under way as one claim takes. So a slow target keeps one worker waiting, not all, and a slow source no document.
    """
    with transaction.atomic():
        due = next(filter(None, (_due(operation, limit) for operation in _DOCUMENTS_FIRST)), [])
        claims = [Claim(delivery, delivery.epoch + 1, delivery.claims >= MAX_CLAIMS) for delivery in due]
        # The due time doubles as the lease: until it passes nobody else takes the row.
        Delivery.objects.filter(pk__in=[delivery.pk for delivery in due]).update(
            epoch=F("epoch") + 1,
            claims=F("claims") + 1,
            lease_until=Now() + LEASE,
            due_at=Now() + LEASE,
            state=State.PROBING,
        )
    return claims


def _due(operation: Delivery.Operation, limit: int) -> list[Delivery]:
    """Locked until the transaction ends. Of one operation, so that the index gives the oldest without sorting."""
    under_way = Delivery.objects.filter(operation=operation, state__in=(State.PROBING, State.SENDING), due_at__gt=Now())
    counted = under_way.order_by().values("connection").annotate(at_once=Count("pk"))
    return list(
        Delivery.objects.select_for_update(of=("self",), skip_locked=True, no_key=True)
        .select_related("connection")
        .filter(operation=operation, state__in=Delivery.LIVE, due_at__lte=Now(), connection__paused_at__isnull=True)
        .exclude(connection__in=counted.filter(at_once__gte=limit).values("connection"))
        .order_by("due_at", "id")[:limit]
    )


def park(claim: Claim) -> Settlement:
    """A delivery that three workers in a row did not survive: told to a person, and left alone for a while."""
    sent = claim.delivery.sends > 0
    said = "It may have been sent." if sent else "Nothing was sent."
    detail = f"The worker broke off on this {MAX_CLAIMS} times. {said} Show it to support; it is tried again later."
    state = State.UNKNOWN if sent else State.QUEUED
    return Settlement(claim.delivery, claim.epoch, state, detail=detail, wait=PARKED, parked=True)


def carry_out(claim: Claim) -> Settlement:
    """Ask and send as needed. Raises Fenced; never raises for what the network or the target does."""
    client, capabilities = _client(claim.delivery)
    if _must_ask_first(claim):
        observation = _ask(claim, client)
        settlement = after_asking(claim, observation, capabilities, now=_database_now())
        if settlement is not None:
            return settlement
    return _send(claim, client)


def hold_back(claim: Claim, *, because: str) -> Settlement:
    """What may not be sent is cancelled; what was sent before, only once the target was asked and does not have it."""
    delivery = claim.delivery
    if delivery.sends == 0:
        return Settlement(delivery, claim.epoch, State.CANCELLED, detail=because)
    client, capabilities = _client(delivery)
    settlement = after_asking(claim, _ask(claim, client), capabilities, now=_database_now())
    return settlement or _left_to_a_person(claim, because)


def _must_ask_first(claim: Claim) -> bool:
    delivery = claim.delivery
    if delivery.operation == Delivery.Operation.WRITE_BACK:
        return False  # receivers of webhooks recognise a repeat by its identifier
    return delivery.probe_first or delivery.sends > 0


def _client(delivery: Delivery) -> tuple[TargetClient, Capabilities]:
    connection = delivery.connection
    if delivery.operation == Delivery.Operation.WRITE_BACK:
        endpoint = Endpoint(connection.write_back_url, connection.write_back_secret, connection.timeout_seconds)
        return WebhookClient(endpoint), WEBHOOK_CAPABILITIES
    endpoint = Endpoint(connection.target_url, connection.target_token, connection.timeout_seconds)
    return get_connector(connection.connector).client(endpoint), effective_capabilities(connection)


def _ask(claim: Claim, client: TargetClient, *, phase: DeliveryAttempt.Phase = Phase.PROBE) -> Observation:
    delivery = claim.delivery
    attempt = _begin(claim, phase, State.PROBING)
    observation = client.probe(
        object_type=delivery.object_type, business_key=delivery.business_key, content=bytes(_content(delivery).body)
    )
    _note_answer(attempt, observation.presence, observation)
    return observation


def after_asking(
    claim: Claim, observation: Observation, capabilities: Capabilities, *, now: datetime
) -> Settlement | None:
    """What the answer of the look-up means; None when the document may be sent now."""
    delivery, sent_before = claim.delivery, claim.delivery.sends > 0
    if observation.presence is Presence.SAME:
        state = State.CONFIRMED if sent_before else State.ALREADY_THERE
        return Settlement(delivery, claim.epoch, state, observation.reference, observation.detail)
    if observation.presence is Presence.DIFFERENT:
        return Settlement(delivery, claim.epoch, State.CONFLICT, observation.reference, observation.detail)
    if observation.presence in (Presence.UNANSWERED, Presence.MISCONFIGURED):
        state = State.UNKNOWN if sent_before else State.QUEUED
        pause = _pause(delivery, observation.detail) if observation.presence is Presence.MISCONFIGURED else ""
        wait = _wait(delivery, observation.retry_after)
        return Settlement(delivery, claim.epoch, state, detail=observation.detail, wait=wait, pause_connection=pause)
    if not sent_before:
        return None
    return _absent_after_sending(claim, capabilities, now=now)


def _absent_after_sending(claim: Claim, capabilities: Capabilities, *, now: datetime) -> Settlement | None:
    """Not there, though we sent it: a late effect may still come, so settle first; then only where it is safe."""
    delivery = claim.delivery
    sent_at = delivery.last_sent_at or now
    settled_at = sent_at + capabilities.settle_time
    if now < settled_at:
        detail = "The target does not have it yet; it may still be working on it."
        return Settlement(delivery, claim.epoch, State.UNKNOWN, detail=detail, wait=settled_at - now)
    if capabilities.target_kind in RESENDING_KINDS:
        return None
    if capabilities.target_kind is TargetKind.ASKABLE and delivery.connection.resend_when_absent:
        return None
    return _left_to_a_person(claim, "The target does not recognise a repeat.")


def _left_to_a_person(claim: Claim, because: str) -> Settlement:
    """Sent, not there after the settle time, and not to be sent again by us: two people say so by a new proposal."""
    detail = (
        f"{because} It was sent before, but the target was asked and does not have it. "
        "Make sure that it was not booked, then propose it anew."
    )
    return Settlement(claim.delivery, claim.epoch, State.CANCELLED, detail=detail)


def _send(claim: Claim, client: TargetClient) -> Settlement:
    delivery = claim.delivery
    content = _content(delivery)
    attempt = _begin(claim, Phase.SEND, State.SENDING)
    answer = client.submit(
        key=delivery.key,
        object_type=delivery.object_type,
        business_key=delivery.business_key,
        content=bytes(content.body),
        media_type=content.media_type,
    )
    _note_answer(attempt, answer.kind, answer)
    if answer.kind is AnswerKind.ALREADY_EXISTS:
        return _compare_existing(claim, client, answer)
    return after_sending(claim, answer)


def _compare_existing(claim: Claim, client: TargetClient, answer: Answer) -> Settlement:
    """“Already exists” is looked up: the same content is done, other content is a conflict for a person."""
    delivery = claim.delivery
    observation = _ask(claim, client, phase=Phase.COMPARE)
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
        wait=_wait(delivery, observation.retry_after),
        pause_connection=_pause(delivery, observation.detail) if wrong else "",
    )


def after_sending(claim: Claim, answer: Answer) -> Settlement:
    """What the answer to a submission means for the delivery."""
    delivery = claim.delivery
    if answer.kind is AnswerKind.CONFIRMED:
        return Settlement(delivery, claim.epoch, State.CONFIRMED, answer.reference, answer.detail)
    if answer.kind is AnswerKind.REFUSED:
        refusal = bounded(answer.refusal) if answer.refusal else None
        return Settlement(delivery, claim.epoch, State.REFUSED, detail=answer.detail, refusal=refusal)
    wait = _wait(delivery, answer.retry_after)
    if answer.kind is AnswerKind.UNKNOWN:
        return Settlement(delivery, claim.epoch, State.UNKNOWN, detail=answer.detail, wait=wait)
    return Settlement(
        delivery,
        claim.epoch,
        # An earlier send of this delivery may still have been booked: then it stays unknown and is asked about.
        State.UNKNOWN if delivery.sends > 1 else State.QUEUED,
        detail=answer.detail,
        wait=wait,
        not_sent=answer.not_sent,
        pause_connection=_pause(delivery, answer.detail) if answer.kind is AnswerKind.MISCONFIGURED else "",
    )


def _pause(delivery: Delivery, detail: str) -> str:
    """Why nothing more goes there; empty for a source: that it cannot be told keeps no document from the target."""
    submits = delivery.operation == Delivery.Operation.SUBMIT
    return f"{detail} Mend the connection, then resume it." if submits else ""


def _wait(delivery: Delivery, retry_after: float | None) -> timedelta:
    """Until the next try: what the target asked for, up to a day, else twice as long each time, up to 15 minutes."""
    if retry_after is not None:
        return min(max(timedelta(seconds=retry_after), SHORTEST_WAIT), LONGEST_ASKED_FOR)
    return min(BACKOFF_FIRST * (1 << min(delivery.failures, 12)), BACKOFF_MOST)


def _lease(delivery: Delivery) -> timedelta:
    """Twice as long as one exchange may take, which is twice the time-out: whoever is alive has settled by then."""
    return timedelta(seconds=4 * max(delivery.connection.timeout_seconds, 2))


def _content(delivery: Delivery) -> DeliveryContent:
    return delivery.content


@transaction.atomic
def _begin(claim: Claim, phase: DeliveryAttempt.Phase, state: Delivery.State) -> DeliveryAttempt:
    """Commit the intent; from here on the outcome is unknown until an answer is noted."""
    until = Now() + _lease(claim.delivery)
    changes: dict[str, object] = {"state": state, "due_at": until, "lease_until": until}
    if phase is Phase.SEND:
        changes |= {"sends": F("sends") + 1, "last_sent_at": Now()}
    if not _still_ours(claim).update(**changes):
        raise Fenced
    claim.delivery.refresh_from_db(fields=["state", "sends", "last_sent_at"])
    return DeliveryAttempt.objects.create(
        delivery=claim.delivery,
        phase=phase,
        epoch=claim.epoch,
        started_at=_database_now(),
        content_sha256=claim.delivery.content_sha256,
    )


def _note_answer(attempt: DeliveryAttempt, outcome: str, answer: Answer | Observation) -> None:
    DeliveryAnswer.objects.create(
        attempt=attempt,
        outcome=outcome,
        http_status=answer.http_status,
        headers=dict(answer.headers),
        body=answer.body,
        reference=answer.reference,
        detail=answer.detail,
        finished_at=_database_now(),
    )


def _still_ours(claim: Claim) -> QuerySet[Delivery]:
    return Delivery.objects.filter(pk=claim.delivery.pk, epoch=claim.epoch, state__in=Delivery.LIVE)


def settle(settlement: Settlement) -> Delivery | None:
    """Write the end, in the caller's transaction, if the epoch is still ours; None when we were fenced."""
    settlement = _second_effect_is_a_conflict(settlement)
    live = settlement.state in Delivery.LIVE
    changes: dict[str, object] = {
        "state": settlement.state,
        "reference": settlement.reference,
        "detail": settlement.detail,
        "lease_until": None,
        "claims": 0,
        "sends": F("sends") - 1 if settlement.not_sent else F("sends"),
        "failures": F("failures") + 1 if live else 0,
        "due_at": Now() + (settlement.wait or timedelta()) if live else Now(),
        "finished_at": None if live else Now(),
    }
    rows = Delivery.objects.filter(pk=settlement.delivery.pk, epoch=settlement.epoch, state__in=Delivery.LIVE)
    if not rows.update(**changes):
        return None
    settlement.delivery.refresh_from_db()
    return settlement.delivery


def _second_effect_is_a_conflict(settlement: Settlement) -> Settlement:
    """A target that books a document under a name that it had confirmed before: one confirmed claim is the rule."""
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
        )
        .exclude(pk=delivery.pk)
        .first()
    )
    if earlier is None:
        return settlement
    detail = (
        f"The target booked this document a second time, as {settlement.reference}; "
        f"it had confirmed it as {earlier.reference} ({earlier.subject}). One of the two must be reversed there."
    )
    return replace(settlement, state=State.CONFLICT, detail=detail)


def _database_now() -> datetime:
    """The database's clock: workers disagree about the time, the database does not."""
    with database.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
