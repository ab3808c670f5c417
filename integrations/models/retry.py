"""How often and how long something is tried again, where the product's own terms do not fit."""

from typing import ClassVar

from django.contrib.auth.models import AbstractBaseUser
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from simple_history.models import HistoricalRecords

from audit.guard import audit_required, frozen_columns, never_deleted, truncate_refused
from integrations.models.connection import Connection

DAY = 24 * 60 * 60  # seconds
LONGEST_WAIT = DAY
LONGEST_DEADLINE = 90 * DAY
_SUBJECT = (
    "'retry_policy:' || COALESCE((SELECT slug FROM public.integrations_connection WHERE id = NEW.connection_id), 'all')"
    " || ':' || NEW.about"
)


class RetryPolicy(models.Model):
    """Terms for one category of technical trouble, on one connection or on all that have none of their own.

    What a target refused for a reason of business is never tried again by a machine, so there are no terms for it. What
    came in refused for a technical reason alone is sent again only where its connection has terms for that.
    """

    class About(models.TextChoices):
        SENDING = "sending", "What never reached the target"
        ASKING = "asking", "What may have reached it and is asked about"
        TELLING = "telling", "Words to the source"
        REFUSED = "refused", "What came in refused for a technical reason alone"

    connection = models.ForeignKey(
        Connection,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="retry_policies",
        help_text="Empty: all connections that have none of their own.",
    )
    about = models.CharField(max_length=10, choices=About)
    first_seconds = models.PositiveIntegerField(
        default=2,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_WAIT)],
        help_text="Until the second try; then twice as long each time.",
    )
    most_seconds = models.PositiveIntegerField(
        default=900,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_WAIT)],
        help_text="The longest wait between two tries.",
    )
    jitter_percent = models.PositiveSmallIntegerField(
        default=20,
        validators=[MaxValueValidator(100)],
        help_text="By up to so much each wait is longer, so that what failed together does not come back together.",
    )
    tries = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text="In a row; empty: no limit."
    )
    deadline_seconds = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_DEADLINE)],
        help_text="From the first failure in a row to the last try; empty: no limit.",
    )
    _history_user: AbstractBaseUser
    history = HistoricalRecords()

    class Meta:
        default_permissions = ()
        verbose_name = "retry policy"
        verbose_name_plural = "retry policies"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["connection", "about"],
                nulls_distinct=False,
                name="retry_policy_once",
                violation_error_message="There is one for this connection already; change that.",
            ),
            models.CheckConstraint(
                condition=Q(about__in=["sending", "asking", "telling", "refused"]), name="retry_policy_known_about"
            ),
            models.CheckConstraint(
                condition=~Q(about="refused") | Q(connection__isnull=False, tries__isnull=False),
                name="retry_policy_of_refusals_is_bounded",
                violation_error_message="Choose the connection that opts in, and how many tries it allows.",
            ),
            models.CheckConstraint(
                condition=Q(first_seconds__gte=1, most_seconds__gte=F("first_seconds"), most_seconds__lte=LONGEST_WAIT),
                name="retry_policy_waits_in_range",
                violation_error_message="The longest wait is shorter than the first, or longer than a day.",
            ),
        ]
        triggers: ClassVar = [
            audit_required(_SUBJECT),
            frozen_columns("connection_id", "about"),
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return f"{self.connection or 'all connections'}: {self.get_about_display().lower()}"
