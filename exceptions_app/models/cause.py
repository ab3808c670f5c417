"""What many exceptions have in common, what people know of it, and who upstream has to mend it.

What was said outlives the exceptions: nothing of it is ever changed.
"""

from typing import ClassVar, Self

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from audit.guard import Guard, append_only, audit_required, truncate_refused
from exceptions_app.models.references import NumberedQuerySet

CAUSE_PREFIX = "CA-"
_SUBJECT = f"'cause:{CAUSE_PREFIX}' || NEW.cause_id"


# Deferred, so that a cause and those that are joined in it move in any order; one at a time, so that two who join
# causes at the same moment make no ring.
_HEADS_ARE_NOBODYS_MEMBERS = Guard(
    name="one_level",
    level=pgtrigger.Row,
    when=pgtrigger.After,
    operation=pgtrigger.Insert | pgtrigger.Update,
    timing=pgtrigger.Deferred,
    func="""
    IF TG_OP = 'INSERT' AND NEW.head_id IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('exceptions_app_cause.head'));
    IF EXISTS (
        SELECT 1 FROM public.exceptions_app_cause member
        JOIN public.exceptions_app_cause head ON head.id = member.head_id
        WHERE head.head_id IS NOT NULL AND (member.id = NEW.id OR head.id = NEW.id)
    ) THEN
        RAISE EXCEPTION 'cause % is joined with one that is joined itself', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
    """,
)


class CauseQuerySet(NumberedQuerySet["Cause"]):
    prefix = CAUSE_PREFIX

    def one_with(self, cause: "Cause") -> Self:
        """All that are one with it: the one that they are joined with, and the others."""
        return self.filter(Q(pk=cause.head_number) | Q(head=cause.head_number))

    def one_with_number(self, number: int) -> Self:
        """The same of a cause of which only the number is known."""
        asked = Cause.objects.filter(pk=number).values(head_or_itself=Coalesce("head_id", "pk"))
        return self.annotate(head_or_itself=Coalesce("head_id", "pk")).filter(head_or_itself__in=asked)


class Cause(models.Model):
    """What many exceptions have in common: the code, the field and the class of counterparty.

    Its title has no name, amount or value of any document, since whoever sees one of the exceptions sees it. Whose it
    is and what is known of it stand in `CauseOwner` and `CauseNote`.
    """

    fingerprint = models.CharField(max_length=64, unique=True)
    connector = models.CharField(max_length=40)
    code = models.CharField(max_length=100)
    field = models.CharField(max_length=100, blank=True)
    counterparty_class = models.CharField(
        max_length=60, blank=True, default="", help_text="Its country, by ISO 3166-1 alpha-2."
    )
    title = models.CharField(max_length=300)
    first_seen_at = models.DateTimeField()
    head = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="members",
        help_text="The cause that it is one with, by what was said in `CauseJoin`. No head has a head.",
    )  # fmt: skip
    split_from = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="+",
        help_text="The cause out of which its exceptions were taken.",
    )  # fmt: skip

    objects = CauseQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(head__isnull=True) | ~Q(head=F("pk")), name="cause_not_its_own_head")
        ]
        triggers: ClassVar = [
            audit_required(f"'cause:{CAUSE_PREFIX}' || NEW.id", operation=pgtrigger.Update),
            _HEADS_ARE_NOBODYS_MEMBERS,
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def ref(self) -> str:
        return f"{CAUSE_PREFIX}{self.pk}"

    @property
    def head_number(self) -> int:
        """Of the cause that it is one with; its own where it stands by itself."""
        return self.head_id or self.pk

    @property
    def subject(self) -> str:
        """Its name in the audit trail."""
        return f"cause:{self.ref}"


class CauseNote(models.Model):
    """What somebody found out about a cause. Whoever sees one of its exceptions reads it."""

    cause = models.ForeignKey(Cause, on_delete=models.PROTECT, related_name="notes")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.TextField()
    written_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [models.CheckConstraint(condition=~Q(text=""), name="cause_note_says_something")]
        triggers: ClassVar = [append_only(), truncate_refused(), audit_required(_SUBJECT)]

    def __str__(self) -> str:
        return self.text[:60]


class CauseOwner(models.Model):
    """Who has to mend the cause from then on: a person here, a team upstream, or nobody any more. The newest holds."""

    cause = models.ForeignKey(Cause, on_delete=models.PROTECT, related_name="owners")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    team = models.CharField(max_length=100, blank=True)
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    because = models.CharField(max_length=500, blank=True)
    set_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(person__isnull=True) | Q(team=""), name="cause_owner_is_one")
        ]
        triggers: ClassVar = [append_only(), truncate_refused(), audit_required(_SUBJECT)]

    def __str__(self) -> str:
        """The name; empty for nobody."""
        return str(self.person) if self.person is not None else self.team


class CauseJoin(models.Model):
    """That a cause is one with another from then on; with no other, by itself again. The newest holds."""

    cause = models.ForeignKey(Cause, on_delete=models.PROTECT, related_name="joins")
    into = models.ForeignKey(Cause, on_delete=models.PROTECT, null=True, related_name="+")
    said_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    because = models.CharField(max_length=500)
    said_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(because=""), name="cause_join_has_a_reason"),
            models.CheckConstraint(condition=Q(into__isnull=True) | ~Q(into=F("cause")), name="cause_join_of_two"),
        ]
        triggers: ClassVar = [append_only(), truncate_refused(), audit_required(_SUBJECT)]

    def __str__(self) -> str:
        return f"{self.cause_id} into {self.into_id}"
