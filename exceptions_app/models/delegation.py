"""Deciding in place of somebody who is away: from a day to a day, and never passed on."""

from typing import ClassVar, Self

import pgtrigger
from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from audit.guard import Guard, audit_required, frozen_columns, never_deleted, truncate_refused
from exceptions_app.models.toxic import no_delegate_holds_another


class DelegationQuerySet(models.QuerySet["Delegation"]):
    def running(self) -> Self:
        """Those that count at this moment, by the database's clock. Whoever gives access never decides for anybody."""
        return self.filter(
            ended_at=None, begins_at__lte=Now(), ends_at__gt=Now(), giver__is_active=True, taker__is_staff=False
        )

    def to(self, taker: AbstractUser) -> Self:
        return self.running().filter(taker=taker.pk)


_ENDED_ONCE = Guard(
    name="ended_once",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    func="""
    IF OLD.ended_at IS NOT NULL THEN
        RAISE EXCEPTION 'delegation % is ended already', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)


class Delegation(models.Model):
    """`taker` decides in place of `giver`, wherever the giver holds approve by themselves, on these days.

    Both days are included; the moments are theirs in the giver's time zone when it was given.
    """

    giver = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    taker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    first_day = models.DateField()
    last_day = models.DateField()
    begins_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    because = models.CharField(max_length=500)
    given_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    objects = DelegationQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(giver=F("taker")), name="delegation_to_somebody_else"),
            models.CheckConstraint(
                condition=Q(first_day__lte=F("last_day"), begins_at__lt=F("ends_at")), name="delegation_days_in_order"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_by__isnull=True)
                | Q(ended_at__isnull=False, ended_by__isnull=False),
                name="delegation_ended_by_somebody",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["taker", "ends_at"], name="delegation_by_taker"),
            models.Index(fields=["giver", "ends_at"], name="delegation_by_giver"),
        ]
        triggers: ClassVar = [
            audit_required("'person:' || (SELECT username FROM public.workbench_user WHERE id = NEW.giver_id)"),
            frozen_columns("giver", "taker", "first_day", "last_day", "begins_at", "ends_at", "because", "given_at"),
            _ENDED_ONCE,
            no_delegate_holds_another(),
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return f"{self.taker} for {self.giver}"
