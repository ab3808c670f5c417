"""Queues and legal entities: what roles are granted on, and where an arriving transaction goes."""

from typing import Any, ClassVar
from zoneinfo import available_timezones

from babel import Locale
from babel.numbers import list_currencies
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from guardian.managers import UserObjectPermissionManager
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase
from simple_history.models import HistoricalRecords

from audit.guard import audit_required, frozen_columns, never_deleted, truncate_refused
from exceptions_app.models.toxic import MEMBERS, THIS_IS_APPROVE, no_administrator_approves
from exceptions_app.states import CLOCK_RULES, Clock
from integrations.connectors.registry import CONNECTORS
from integrations.models import GIVEN_OR_TAKEN, Connection
from integrations.refusals import Category

# One list for both: a verb counts only when it is granted on the queue and on the legal entity.
VERB_PERMISSIONS = (
    ("see", "See exceptions"),
    ("comment", "Comment on exceptions"),
    ("correct", "Claim, hold and correct exceptions"),
    ("propose", "Propose replay, release or closure"),
    ("approve", "Approve or reject proposals of others"),
    ("export", "Read and export the audit trail"),
    ("reveal", "Have masked values shown"),
    ("emergency", "Take emergency access"),
)


# What the Unicode list of territories has beside countries.
_GROUPINGS = frozenset({"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"})


def known_time_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError("There is no such time zone. Write one such as Europe/Amsterdam.")


def known_country(code: str) -> None:
    if len(code) != 2 or code in _GROUPINGS or code not in Locale("en").territories:
        raise ValidationError("This is no country code of ISO 3166-1. Write two capital letters, such as NL.")


def known_currency(code: str) -> None:
    if code not in list_currencies():
        raise ValidationError("This is no currency code of ISO 4217. Write three capital letters, such as EUR.")


class Queue(models.Model):
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    purpose = models.CharField(max_length=300, blank=True)
    history = HistoricalRecords()

    class Meta:
        default_permissions = ()
        permissions = VERB_PERMISSIONS
        triggers: ClassVar = [
            audit_required("'queue:' || NEW.slug"),
            frozen_columns("slug"),
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return self.name


class LegalEntity(models.Model):
    code = models.SlugField(max_length=20, unique=True)
    name = models.CharField(max_length=200)
    country = models.CharField(max_length=2, validators=[known_country], help_text="ISO 3166-1 alpha-2.")
    currency = models.CharField(max_length=3, validators=[known_currency], help_text="ISO 4217.")
    time_zone = models.CharField(
        max_length=50, default="UTC", validators=[known_time_zone], help_text="IANA name, such as Europe/Amsterdam."
    )
    history = HistoricalRecords()

    class Meta:
        default_permissions = ()
        permissions = VERB_PERMISSIONS
        verbose_name_plural = "legal entities"
        triggers: ClassVar = [
            audit_required("'entity:' || NEW.code"),
            frozen_columns("code"),
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return self.name


_OF_QUEUE = "'queue:' || (SELECT slug FROM public.exceptions_app_queue WHERE id = NEW.content_object_id)"
_OF_ENTITY = "'entity:' || (SELECT code FROM public.exceptions_app_legalentity WHERE id = NEW.content_object_id)"


class StandingGrants(UserObjectPermissionManager):
    """Grants that count at this moment, by the database's clock: those of an emergency end by themselves."""

    def get_queryset(self) -> models.QuerySet[Any]:
        found: models.QuerySet[Any] = super().get_queryset()
        return found.filter(Q(ends_at=None) | Q(ends_at__gt=Now()))


class QueueUserGrant(UserObjectPermissionBase):
    content_object = models.ForeignKey(Queue, on_delete=models.CASCADE)
    ends_at = models.DateTimeField(null=True, help_text="Of an emergency, when it stops to count.")

    objects: ClassVar = StandingGrants()
    with_ended: ClassVar = models.Manager()

    class Meta(UserObjectPermissionBase.Meta):
        triggers: ClassVar = [
            audit_required(_OF_QUEUE, operation=GIVEN_OR_TAKEN),
            frozen_columns("permission", "content_object", "user", "ends_at"),
            no_administrator_approves("SELECT NEW.user_id", about=THIS_IS_APPROVE),
        ]


class QueueGroupGrant(GroupObjectPermissionBase):
    content_object = models.ForeignKey(Queue, on_delete=models.CASCADE)

    class Meta(GroupObjectPermissionBase.Meta):
        triggers: ClassVar = [
            audit_required(_OF_QUEUE, operation=GIVEN_OR_TAKEN),
            frozen_columns("permission", "content_object", "group"),
            no_administrator_approves(MEMBERS, about=THIS_IS_APPROVE),
        ]


class LegalEntityUserGrant(UserObjectPermissionBase):
    content_object = models.ForeignKey(LegalEntity, on_delete=models.CASCADE)
    ends_at = models.DateTimeField(null=True, help_text="Of an emergency, when it stops to count.")

    objects: ClassVar = StandingGrants()
    with_ended: ClassVar = models.Manager()

    class Meta(UserObjectPermissionBase.Meta):
        triggers: ClassVar = [
            audit_required(_OF_ENTITY, operation=GIVEN_OR_TAKEN),
            frozen_columns("permission", "content_object", "user", "ends_at"),
            no_administrator_approves("SELECT NEW.user_id", about=THIS_IS_APPROVE),
        ]


class LegalEntityGroupGrant(GroupObjectPermissionBase):
    content_object = models.ForeignKey(LegalEntity, on_delete=models.CASCADE)

    class Meta(GroupObjectPermissionBase.Meta):
        triggers: ClassVar = [
            audit_required(_OF_ENTITY, operation=GIVEN_OR_TAKEN),
            frozen_columns("permission", "content_object", "group"),
            no_administrator_approves(MEMBERS, about=THIS_IS_APPROVE),
        ]


class Route(models.Model):
    """First match wins: which queue, legal entity and priority an arriving transaction gets.

    An empty condition matches everything. `party_id` is compared with everything that identifies a party of the
    document: tax identifiers, company codes, accounts.
    """

    position = models.PositiveIntegerField(help_text="Lower is tried first.")
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, null=True, blank=True)
    object_type = models.CharField(
        max_length=40,
        blank=True,
        help_text="Kind of transaction as its connector names it, such as journal or payment.",
    )
    party_id = models.CharField(max_length=100, blank=True)
    category = models.CharField(max_length=30, blank=True, choices=[(c.value, c.value) for c in Category])
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT)
    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    priority = models.PositiveSmallIntegerField(default=3, help_text="1 is most urgent, 4 least.")
    statutory_clock = models.CharField(
        max_length=10, blank=True, default="", choices=[(clock.value, rule) for clock, rule in CLOCK_RULES.items()],
        help_text="Until when the law wants what comes this way to be there again.",
    )  # fmt: skip
    history = HistoricalRecords()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["position"], name="route_position_once"),
            models.CheckConstraint(condition=Q(priority__range=(1, 4)), name="route_known_priority"),
            models.CheckConstraint(
                condition=Q(statutory_clock__in=["", *(clock.value for clock in Clock)]), name="route_known_clock"
            ),
        ]
        triggers: ClassVar = [audit_required("'route:' || NEW.position"), never_deleted(), truncate_refused()]

    def __str__(self) -> str:
        return f"{self.position}: {self.queue} / {self.entity}"

    def clean(self) -> None:
        """A kind that nobody knows would match nothing, silently. Raises ValidationError."""
        super().clean()
        known = {name for connector in CONNECTORS.values() for name in connector.object_types}
        if self.object_type and self.object_type not in known:
            problem = f"There is no kind of transaction “{self.object_type}”. Known are {', '.join(sorted(known))}."
            raise ValidationError({"object_type": problem})
