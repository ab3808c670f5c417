"""How much of what an account was refused in one minute has an event of its own, and how much is only counted yet."""

from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.db import models

from audit.guard import Guard, audit_required, frozen_columns, truncate_refused

_NEVER_FEWER = Guard(
    name="never_fewer",
    level=pgtrigger.Row,
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    func="""
        IF NEW.told < OLD.told OR NEW.beyond < OLD.beyond THEN
            RAISE EXCEPTION 'UPDATE on % refused: what was counted stays counted', TG_TABLE_NAME
                USING ERRCODE = '23000';
        END IF;
        RETURN NEW;
    """,
)


class RefusedMinute(models.Model):
    """One account in one minute. It goes when the minute is over, with an event about what had none of its own."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    minute = models.DateTimeField()
    told = models.PositiveIntegerField(default=0, help_text="Refused attempts with an event of their own.")
    beyond = models.PositiveIntegerField(default=0, help_text="Refused attempts beyond those.")
    left_out = models.JSONField(default=dict, help_text="How many of those beyond, by what was asked for.")

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["person", "minute"], name="refused_once_per_person_and_minute")
        ]
        indexes: ClassVar = [models.Index(fields=["minute"], name="refused_minute_over")]
        triggers: ClassVar = [
            frozen_columns("person_id", "minute"),
            _NEVER_FEWER,
            audit_required(
                "'person:' || (SELECT username FROM public.workbench_user WHERE id = NEW.person_id)",
                operation=pgtrigger.Delete,
                condition=pgtrigger.Condition("OLD.beyond > 0"),
            ),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return f"{self.person_id} in {self.minute:%d.%m.%Y %H:%M}"
