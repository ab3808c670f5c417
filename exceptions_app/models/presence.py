"""Who has the page of an exception open. Kept for minutes, and nothing depends on it."""

from typing import ClassVar

from django.conf import settings
from django.db import models

from exceptions_app.models.case import REF_PREFIX, ExceptionCase


class Presence(models.Model):
    """The last sign of life of one person's page. Written over and over, so it is in no history and no audit trail."""

    case = models.ForeignKey(ExceptionCase, on_delete=models.CASCADE, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    seen_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [models.UniqueConstraint(fields=["case", "person"], name="presence_once_per_person")]

    def __str__(self) -> str:
        return f"{self.person_id} at {REF_PREFIX}{self.case_id}"
