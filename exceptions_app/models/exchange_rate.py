"""What a euro was worth in other currencies, day by day, as a central bank published it."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from audit.guard import append_only, audit_required, truncate_refused

RATES_SUBJECT = "exchange_rates:imported"
"""Their name in the audit trail: they come by whole files."""
LONGEST_NAME = 200


class ExchangeRate(models.Model):
    """One reference rate: so many units of the currency for one euro, published on that day."""

    day = models.DateField()
    currency = models.CharField(max_length=3, help_text="ISO 4217.")
    rate = models.DecimalField(max_digits=20, decimal_places=8)
    source = models.CharField(
        max_length=LONGEST_NAME,
        blank=True,
        help_text="Name of its file; empty for what came before names were kept.",
    )

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["currency", "day"], name="exchange_rate_once_a_day"),
            models.CheckConstraint(condition=Q(rate__gt=0), name="exchange_rate_positive"),
        ]
        indexes: ClassVar = [models.Index(fields=["-day", "currency"], name="exchange_rate_newest")]
        triggers: ClassVar = [append_only(), truncate_refused(), audit_required(f"'{RATES_SUBJECT}'")]

    def __str__(self) -> str:
        return f"{self.rate} {self.currency} on {self.day}"
