"""Looking at single items of a batch before deciding on it. The event of the decision names what was looked at."""

from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from exceptions_app.actions import batch_log
from exceptions_app.batch_states import BatchState
from exceptions_app.models import BatchItem, BatchLook


@transaction.atomic
def look_at(batch_id: int, position: int, *, by: AbstractUser, at: datetime) -> BatchItem:
    """Write down that the person opened this item, once, while the batch waits for a decision.

    Nothing of the batch changes. Raises BatchItem.DoesNotExist for a place that it does not have.
    """
    batch = batch_log.lock_batch(batch_id)
    item = BatchItem.objects.select_related("case").get(batch=batch, position=position)
    if batch.state == BatchState.AWAITING_APPROVAL:
        BatchLook.objects.get_or_create(item=item, person_id=by.pk, defaults={"looked_at": at})
    return item
