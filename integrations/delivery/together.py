"""Several approved documents in one file, for a target that takes them so.

The file is stored, with the intent of every delivery in it, before its first byte leaves. Its answer is taken apart,
and each delivery ends by itself. The same file is never sent twice: after a lost answer each delivery is asked about,
and those that are not there travel in a new file under a new name.
"""

import hashlib
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from integrations.connectors.base import (
    Answer,
    AnswerKind,
    Bundle,
    BundleAnswer,
    Bundling,
    BundlingClient,
    CannotBundle,
)
from integrations.connectors.registry import UnknownConnector, get_connector
from integrations.crash_points import Point, passing
from integrations.delivery.attempts import Phase, content_of, endpoint_of, in_time, lease_of
from integrations.delivery.claims import BROKE_OFF_TOO_OFTEN, Claim, Fenced, database_now, note_sent, renew
from integrations.delivery.in_hand import taken_in_hand
from integrations.delivery.sending import UNDECIDED, after_sending, compare_existing, send
from integrations.delivery.settling import Settlement, State, put_back, still_in_hand
from integrations.models import (
    Connection,
    Delivery,
    DeliveryAnswer,
    DeliveryAttempt,
    DeliveryEnvelope,
    DeliveryEnvelopeAnswer,
)
from integrations.promises import most_in_one_file
from integrations.restorations import name_of_this_life

log = logging.getLogger(__name__)

SENDING = 40.0  # seconds in which one load begins to send; what is left is due again
_SETTLING = timedelta(milliseconds=100)  # that each delivery of a file may take to be settled


def travelling_together(claims: Sequence[Claim]) -> list[tuple[Claim, ...]]:
    """The claims as loads: those of one connection that collects, and each other alone."""
    loads: list[tuple[Claim, ...]] = []
    collected: dict[int, list[Claim]] = {}
    for claim in claims:
        delivery = claim.delivery
        submits = delivery.operation == Delivery.Operation.SUBMIT
        if submits and most_in_one_file(delivery.connection) > 1 and delivery.claims < BROKE_OFF_TOO_OFTEN:
            collected.setdefault(delivery.connection_id, []).append(claim)
        else:
            loads.append((claim,))
    return [*loads, *map(tuple, collected.values())]


def keep(claims: Sequence[Claim]) -> None:
    """Keep a load while one of it is asked about: none of it is taken by another worker meanwhile."""
    renew(claims, lease=_lease(len(claims), claims[0]))


def needs_a_new_name(claim: Claim) -> bool:
    """Whether the target may know the name under which this content goes alone: it was refused under it before, or it
    went in a file of which nobody knows what became.
    """
    delivery = claim.delivery
    if delivery.operation != Delivery.Operation.SUBMIT or _bundling(delivery.connection) is None:
        return False
    refused = Delivery.objects.filter(
        content_sha256=delivery.content_sha256,
        connection=delivery.connection_id,
        operation=delivery.operation,
        state=State.REFUSED,
    ).exclude(pk=delivery.pk)
    was_in_a_file = DeliveryAttempt.objects.filter(delivery=delivery, envelope__isnull=False)
    return refused.exists() or was_in_a_file.exists()


def _bundling(connection: Connection) -> Bundling | None:
    try:
        connector = get_connector(connection.connector)
    except UnknownConnector:
        return None
    return connector if isinstance(connector, Bundling) and connector.capabilities.bundles > 1 else None


def send_together(claims: Sequence[Claim]) -> Iterator[Settlement]:
    """Send what may be sent now, in as few files as possible; one settlement for each that is still ours.

    To be settled as they come. Never raises for what the network or the target does.
    """
    connection = claims[0].delivery.connection
    connector = _bundling(connection)
    if connector is None:
        raise TypeError(f"The connector of {connection} sends one document at a time.")
    client = connector.client(endpoint_of(connection))
    groups = connector.arrange([_body(claim) for claim in claims])
    waiting = [[claims[position] for position in group] for group in groups]
    ends_at = time.monotonic() + SENDING
    while waiting:
        if time.monotonic() >= ends_at:
            yield from (put_back(claim) for group in waiting for claim in group)
            return
        keep([claim for group in waiting for claim in group])
        yield from _send_group(waiting.pop(0), connector, client, ends_at=ends_at)


def _body(claim: Claim) -> bytes:
    return bytes(content_of(claim.delivery).body)


def _lease(number: int, claim: Claim) -> timedelta:
    return lease_of(claim.delivery) + _SETTLING * number


def _send_group(
    group: Sequence[Claim], connector: Bundling, client: BundlingClient, *, ends_at: float
) -> Iterator[Settlement]:
    """What no other worker has in hand."""
    with ExitStack() as hands:
        free = []
        for claim in group:
            if hands.enter_context(taken_in_hand(claim.delivery)):
                free.append(claim)
            else:
                yield still_in_hand(claim)
        if free:
            yield from _send_free(free, connector, client, ends_at=ends_at)


def _send_free(
    group: Sequence[Claim], connector: Bundling, client: BundlingClient, *, ends_at: float
) -> Iterator[Settlement]:
    """In one file; as they are where no file can be made of them, or one goes for the first time and alone."""
    if len(group) > 1 or needs_a_new_name(group[0]):
        try:
            file, answer = _sent_as_file(group, connector, client)
        except Fenced:
            return
        except CannotBundle as error:
            log.warning("Sent each by itself: %s", error)
        else:
            yield from _ends_of(file, answer, client, ends_at=ends_at)
            return
    for claim in group:
        try:
            yield put_back(claim) if time.monotonic() >= ends_at else send(claim, client)
        except Fenced:
            log.info("Delivery %s was claimed by another worker.", claim.delivery.pk)


@dataclass(frozen=True, slots=True)
class _File:
    """A file whose intents are committed. `claims` and `attempts` are in its order."""

    envelope: DeliveryEnvelope
    bundle: Bundle
    claims: Sequence[Claim]
    attempts: Sequence[DeliveryAttempt]


@transaction.atomic
def _begin(group: Sequence[Claim], connector: Bundling) -> _File:
    """Make the file of those that are still ours and commit it with their intents. Raises Fenced and CannotBundle."""
    keys = [claim.delivery.pk for claim in group]
    live = Delivery.objects.filter(pk__in=keys, state__in=Delivery.LIVE)
    epochs = dict(live.select_for_update(no_key=True).order_by("pk").values_list("pk", "epoch"))
    ours = [claim for claim in group if epochs.get(claim.delivery.pk) == claim.epoch]
    if not ours:
        raise Fenced
    # Each claim has an epoch of its own, so that no two files have one name, whatever they hold. A restored database
    # gives numbers and epochs a second time.
    name = "|".join([*(f"{claim.delivery.pk}:{claim.epoch}" for claim in ours), *filter(None, [name_of_this_life()])])
    bundle = connector.bundle([_body(claim) for claim in ours], name=name)
    until = Now() + _lease(len(ours), ours[0])
    Delivery.objects.filter(pk__in=[claim.delivery.pk for claim in ours]).update(
        state=State.SENDING, due_at=until, lease_until=until, sends=F("sends") + 1, last_sent_at=Now()
    )
    for claim in ours:
        claim.delivery.refresh_from_db(fields=["state", "sends", "last_sent_at"])
    return _store(bundle, ours)


def _store(bundle: Bundle, claims: Sequence[Claim]) -> _File:
    now = database_now()
    envelope = DeliveryEnvelope.objects.create(
        connection=claims[0].delivery.connection,
        reference=bundle.reference,
        body=bundle.body,
        media_type=bundle.media_type,
        content_sha256=hashlib.sha256(bundle.body).hexdigest(),
        number=bundle.count,
        sums={currency: f"{amount:f}" for currency, amount in sorted(bundle.sums.items())},
        made_at=now,
    )
    attempts = DeliveryAttempt.objects.bulk_create(
        DeliveryAttempt(
            delivery=claim.delivery,
            phase=Phase.SEND,
            epoch=claim.epoch,
            started_at=now,
            content_sha256=claim.delivery.content_sha256,
            envelope=envelope,
            position=position,
        )
        for position, claim in enumerate(claims, start=1)
    )
    passing(Point.FILE_WRITTEN)
    return _File(envelope, bundle, claims, attempts)


def _sent_as_file(group: Sequence[Claim], connector: Bundling, client: BundlingClient) -> tuple[_File, BundleAnswer]:
    """Raises Fenced and CannotBundle, both before anything is sent."""
    with in_time(group[0].delivery):
        file = _begin(group, connector)
        contents = [_body(claim) for claim in file.claims]
        passing(Point.FILE_INTENDED)
        answer = client.submit_bundle(key=file.envelope.content_sha256, bundle=file.bundle, contents=contents)
    passing(Point.FILE_ANSWERED)
    _note(file, answer)
    passing(Point.FILE_NOTED)
    return file, answer


def _ends_of(file: _File, answer: BundleAnswer, client: BundlingClient, *, ends_at: float) -> Iterator[Settlement]:
    for claim, own in zip(file.claims, answer.each, strict=True):
        try:
            settlement = _after(claim, own, client, ends_at=ends_at)
        except Fenced:
            log.info("Delivery %s was claimed by another worker.", claim.delivery.pk)
        else:
            yield replace(settlement, sent_in=file.envelope.reference)


def _after(claim: Claim, own: Answer, client: BundlingClient, *, ends_at: float) -> Settlement:
    """A document that is there already is looked up by itself; where time is short, by its next claim."""
    if own.kind is not AnswerKind.ALREADY_EXISTS:
        return after_sending(claim, own)
    return put_back(claim) if time.monotonic() >= ends_at else compare_existing(claim, client, own)


@transaction.atomic
def _note(file: _File, answer: BundleAnswer) -> None:
    """The evidence once, and with each attempt its own part."""
    now = database_now()
    kinds = {own.kind for own in answer.each}
    DeliveryEnvelopeAnswer.objects.create(
        envelope=file.envelope,
        outcome=kinds.pop() if len(kinds) == 1 else "mixed",
        http_status=answer.whole.http_status,
        headers=dict(answer.whole.headers),
        body=answer.whole.body,
        detail=answer.whole.detail,
        finished_at=now,
    )
    DeliveryAnswer.objects.bulk_create(
        DeliveryAnswer(
            attempt=attempt,
            outcome=own.kind,
            http_status=own.http_status,
            headers={},
            body=own.body,
            reference=own.reference,
            detail=own.detail,
            finished_at=now,
        )
        for attempt, own in zip(file.attempts, answer.each, strict=True)
    )
    if undecided := [claim for claim, own in zip(file.claims, answer.each, strict=True) if own.kind in UNDECIDED]:
        note_sent(undecided)
