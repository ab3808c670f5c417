"""What was seen at the targets: each booking under the name of a document of ours, as evidence and never changed."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from audit.guard import append_only, audit_required, truncate_refused
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


_OF_ITS_CONNECTION = "'connection:' || (SELECT slug FROM public.integrations_connection WHERE id = NEW.connection_id)"


class Comparison(models.Model):
    """One comparison of what is proven here with the target's own list, in both directions; written when it ends."""

    class State(models.TextChoices):
        COMPLETE = "complete", "Complete"
        FAILED = "failed", "The list could not be read"

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="comparisons")
    state = models.CharField(max_length=20, choices=State)
    since = models.DateTimeField(help_text="Booked at or after it.")
    until = models.DateTimeField(help_text="Booked before it.")
    listed = models.PositiveIntegerField(default=0, help_text="Entries of the target's list.")
    matched = models.PositiveIntegerField(default=0, help_text="Documents of ours that stand there once, as sent.")
    not_ours = models.PositiveIntegerField(default=0, help_text="Entries under names for which nothing was sent.")
    left_out = models.PositiveIntegerField(default=0, help_text="Documents still under way; the next run has them.")
    compare_from = models.DateTimeField(help_text="Where the next run begins, so that none is left out for good.")
    detail = models.TextField(blank=True)
    began_at = models.DateTimeField()
    finished_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=["complete", "failed"]), name="comparison_known_state"),
        ]
        indexes: ClassVar = [models.Index(fields=["connection", "-id"], name="comparison_newest")]
        triggers: ClassVar = [append_only(), truncate_refused(), audit_required(_OF_ITS_CONNECTION)]

    def __str__(self) -> str:
        return f"comparison {self.pk} ({self.state})"


class ComparisonFinding(models.Model):
    """Something on which we and the target's list do not agree; the same is found once, however often it is seen."""

    class Kind(models.TextChoices):
        TWICE_THERE = "twice_there", "Stands there more than once"
        MISSING_THERE = "missing_there", "Proven here, and not there"
        OTHER_CONTENT = "other_content", "Stands there with other content"
        NOT_CONFIRMED_HERE = "not_confirmed_here", "Stands there, and not booked as far as we know"

    comparison = models.ForeignKey(Comparison, on_delete=models.PROTECT, related_name="findings")
    kind = models.CharField(max_length=20, choices=Kind)
    delivery = models.ForeignKey(
        Delivery, on_delete=models.PROTECT, related_name="findings", help_text="Ours, under the same name."
    )
    references = models.JSONField(help_text="The target's documents, in the order of their names.")
    told = models.JSONField(help_text="The entries of the target's list.")
    fingerprint = models.CharField(max_length=64, unique=True)
    subject = models.CharField(max_length=100, blank=True, help_text="The exception about it: case:EX-1042.")

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(kind__in=["twice_there", "missing_there", "other_content", "not_confirmed_here"]),
                name="finding_known_kind",
            ),
        ]
        triggers: ClassVar = [append_only(), truncate_refused()]

    def __str__(self) -> str:
        return f"{self.kind} {', '.join(self.references)}"
