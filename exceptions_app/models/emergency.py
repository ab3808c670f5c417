"""Emergency access: a role in one place for at most an hour, with a reason, reviewed by somebody else after."""

from datetime import timedelta
from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q

from audit.guard import Guard, audit_required, frozen_columns, never_deleted, truncate_refused
from exceptions_app.models.organisation import LegalEntity, Queue
from exceptions_app.models.references import Numbered, NumberedQuerySet

EMERGENCY_PREFIX = "EM-"
LONGEST = timedelta(minutes=60)

_FORWARD_ONLY = Guard(
    name="forward_only",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    func="""
    IF OLD.ended_at IS NOT NULL AND (NEW.ended_at IS DISTINCT FROM OLD.ended_at
            OR NEW.ended_by_id IS DISTINCT FROM OLD.ended_by_id) OR OLD.reviewed_at IS NOT NULL THEN
        RAISE EXCEPTION 'emergency % is over, and reviewed once', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)


class EmergencyQuerySet(NumberedQuerySet["Emergency"]):
    prefix = EMERGENCY_PREFIX


class Emergency(Numbered):
    """Somebody took a role in a queue for a legal entity. It stays open until a second person has reviewed it.

    What it gives are grants with the same end, which the database does not count after it. `told` is how many others
    were told at once.
    """

    ref_prefix = EMERGENCY_PREFIX
    subject_prefix = f"emergency:{EMERGENCY_PREFIX}"

    class Role(models.TextChoices):
        CLERK = "clerk", "Clerk: corrects and proposes"
        CONTROLLER = "controller", "Controller: approves"

    class Verdict(models.TextChoices):
        JUSTIFIED = "justified", "It was needed, and what was done is in order"
        QUESTIONED = "questioned", "Something about it is not in order"

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="+")
    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=20, choices=Role)
    because = models.CharField(max_length=500)
    began_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    told = models.PositiveIntegerField()
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    reviewed_at = models.DateTimeField(null=True)
    reviewed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    verdict = models.CharField(max_length=20, choices=Verdict, blank=True, default="")
    review = models.CharField(max_length=500, blank=True, default="")

    objects = EmergencyQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        verbose_name_plural = "emergencies"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("began_at"), ends_at__lte=F("began_at") + LONGEST),
                name="emergency_at_most_an_hour",
            ),
            models.CheckConstraint(condition=Q(told__gt=0), name="emergency_told_to_somebody"),
            models.CheckConstraint(condition=Q(role__in=["clerk", "controller"]), name="emergency_known_role"),
            models.CheckConstraint(condition=~Q(because=""), name="emergency_has_a_reason"),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_by__isnull=True)
                | Q(ended_at__isnull=False, ended_by__isnull=False),
                name="emergency_ended_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(reviewed_at__isnull=True, reviewed_by__isnull=True, verdict="", review="")
                | Q(
                    ~Q(review=""),
                    ~Q(reviewed_by=F("person")),
                    ended_at__isnull=False,
                    reviewed_at__isnull=False,
                    reviewed_by__isnull=False,
                    verdict__in=["justified", "questioned"],
                ),
                name="emergency_reviewed_by_another_after_it",
            ),
            models.UniqueConstraint(
                fields=["person"], condition=Q(reviewed_at__isnull=True), name="emergency_one_until_reviewed"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["ends_at"], condition=Q(ended_at__isnull=True), name="emergency_running"),
        ]
        triggers: ClassVar = [
            audit_required("'person:' || (SELECT username FROM public.workbench_user WHERE id = NEW.person_id)"),
            frozen_columns("person", "queue", "entity", "role", "because", "began_at", "ends_at", "told"),
            _FORWARD_ONLY,
            never_deleted(),
            truncate_refused(),
        ]
