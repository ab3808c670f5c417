"""What was fetched and cannot be taken in: before a person, with its bytes or with the place where they are."""

import hashlib
from datetime import datetime

from django.db import transaction

from audit import log
from integrations import inbox
from integrations.models import FolderProblem, InboxMessage, PullSource
from integrations.pull.outcome import NoRoom, fit_to_show

_LONGEST_NAME = 255


def keep_item(source: PullSource, item: bytes, refused: inbox.MessageRefused, *, at: datetime) -> None:
    """Keep an item as it came, in JSON, as a message that could not be read; once, however often it comes."""
    handed_in = inbox.HandedIn(
        external_id=f"item-{hashlib.sha256(item).hexdigest()[:32]}",
        payload=item,
        payload_media_type="application/json",
        context={"pull_source": source.slug},
    )
    try:
        receipt = inbox.receive(
            source.connection, handed_in, via=InboxMessage.Via.PULL, by=f"pull:{source.slug}", at=at
        )
    except inbox.QuotaReached as full:
        raise NoRoom(full.problem, retry_after=full.retry_after) from full
    except inbox.MessageRefused as too_large:
        report(source, handed_in.external_id, "nowhere; it is still at the source", too_large, at=at)
        return
    if not receipt.is_repeat:
        problem = f"An item of {source} could not be taken in: {refused.problem}"
        inbox.fail(receipt.message, at=at, problem=problem, field=refused.field, remedy=refused.remedy)


@transaction.atomic
def report(source: PullSource, name: str, kept_as: str, refused: inbox.MessageRefused, *, at: datetime) -> None:
    """Put something that stays at the source before a person, once for each place where it lies."""
    shown, place = fit_to_show(name)[:_LONGEST_NAME], fit_to_show(kept_as)[:500]
    known = FolderProblem.objects.filter(pull_source=source, file_name=shown, quarantined_as=place)
    if known.exists():
        return
    FolderProblem.objects.create(
        connection=source.connection,
        pull_source=source,
        file_name=shown,
        quarantined_as=place,
        problem=refused.problem,
        remedy=refused.remedy,
        found_at=at,
    )
    log.record(
        "message.quarantined",
        subject=f"connection:{source.connection.slug}",
        scope=f"connection/{source.connection.slug}",
        actor=f"pull:{source.slug}",
        actor_kind="machine",
        at=at,
        summary=f"{shown} of {source} could not be taken in: {refused.problem}",
        data={"file": shown, "kept_as": place, "source": source.slug},
    )
