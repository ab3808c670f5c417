"""Who looked at single items of a batch before deciding on the whole list."""

from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.db import models

from audit.guard import Guard, append_only, truncate_refused
from exceptions_app.models.replay_batch import BatchItem

# A look and the decision wait for each other, so that the decision's event names every look that came before it.
_BEFORE_THE_DECISION = Guard(
    name="before_the_decision",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    declare=[("stands", "TEXT")],
    func="""
    SELECT b.state INTO stands FROM public.exceptions_app_replaybatch b
    JOIN public.exceptions_app_batchitem i ON i.batch_id = b.id WHERE i.id = NEW.item_id FOR SHARE OF b;
    IF stands IS DISTINCT FROM 'awaiting_approval' THEN
        RAISE EXCEPTION 'the batch of item % is %', NEW.item_id, stands USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)


class BatchLook(models.Model):
    """A person opened this item from the page on which they decide. Written once; the decision's event names it."""

    item = models.ForeignKey(BatchItem, on_delete=models.PROTECT, related_name="looks")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    looked_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [models.UniqueConstraint(fields=["item", "person"], name="batch_look_once")]
        triggers: ClassVar = [append_only(), truncate_refused(), _BEFORE_THE_DECISION]

    def __str__(self) -> str:
        return f"{self.person_id} looked at item {self.item_id}"
