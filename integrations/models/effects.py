"""What was seen at the targets: each booking under the name of a document of ours, as evidence and never changed."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from audit.guard import append_only, truncate_refused
from integrations.models.connection import Connection
from integrations.models.outbox import Delivery, DeliveryAnswer


class Effect(models.Model):
    """One observation of a document at a target. Nothing here is unique: a second effect is what is looked for.

    Two that are the same document have one reference. Two references under one name, both with the content that we
    sent, are two bookings of one business event.
    """

    class SeenBy(models.TextChoices):
        CONFIRMED = "confirmed", "Confirmed by the target's answer"
        PROBE = "probe", "Found when the target was asked"
        COMPARISON = "comparison", "Found in the target's own list"
        EVIDENCE = "evidence", "Proved by people"

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="effects")
    object_type = models.CharField(max_length=40)
    business_key = models.CharField(max_length=300)
    reference = models.CharField(max_length=200, blank=True, help_text="The target's own document.")
    is_ours = models.BooleanField(help_text="Whether it has the content that we sent; another one is a conflict.")
    content_sha256 = models.CharField(max_length=64, help_text="Of the content that it was held against.")
    seen_by = models.CharField(max_length=20, choices=SeenBy)
    delivery = models.ForeignKey(
        Delivery, on_delete=models.PROTECT, related_name="effects", help_text="By which we know of it."
    )
    answer = models.ForeignKey(
        DeliveryAnswer, on_delete=models.PROTECT, null=True, related_name="effects", help_text="Which says so."
    )
    told = models.JSONField(default=dict, help_text="The entry of the target's list which says so.")
    observed_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(seen_by__in=["confirmed", "probe"], answer__isnull=False)
                | Q(seen_by__in=["comparison", "evidence"], answer__isnull=True),
                name="effect_has_its_evidence",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["connection", "business_key"], name="effect_by_document"),
            models.Index(fields=["observed_at", "id"], name="effect_by_time"),
        ]
        triggers: ClassVar = [append_only(), truncate_refused()]

    def __str__(self) -> str:
        return f"{self.reference or self.business_key} ({self.seen_by})"
