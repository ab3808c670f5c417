"""Playbooks: what to do about an error code, in versions that are never changed, and how often they were used."""

from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q

from audit.guard import Guard, append_only, audit_required, truncate_refused
from exceptions_app.models.case import REF_PREFIX, ExceptionCase
from exceptions_app.models.duties import HOLDS_THEMSELVES, IS_MACHINE
from exceptions_app.models.references import Numbered, NumberedQuerySet

PLAYBOOK_PREFIX = "PB-"
PLAYBOOK_SUBJECT = f"playbook:{PLAYBOOK_PREFIX}"

_ASKS_FOR_A_SECOND = Guard(
    name="asks_for_a_second",
    level=pgtrigger.Row,
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    func="""
    IF NOT NEW.needs_second
        AND jsonb_path_exists(NEW.steps, '$[*] ? (@.kind == "set_value" || @.kind == "propose")') THEN
        RAISE EXCEPTION 'playbook % changes values and needs a second person', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)
# Of each place that has exceptions with the code: `given` of the texts about who holds the verb.
_PLACES = """
    SELECT DISTINCT c.queue_id, c.entity_id FROM public.exceptions_app_playbookversion v
    JOIN public.exceptions_app_cause k ON k.connector = v.connector AND k.code = v.code
    JOIN public.exceptions_app_exceptioncase c ON c.cause_id = k.id
    WHERE v.id = NEW.version_id
"""
_BY_SOMEBODY_ELSE = Guard(
    name="four_eyes",
    level=pgtrigger.Row,
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    declare=[("person", "RECORD")],
    func=f"""
    IF EXISTS (
        SELECT 1 FROM public.exceptions_app_playbookversion v
        WHERE v.id = NEW.version_id AND v.author_id = NEW.decider_id
    ) THEN
        RAISE EXCEPTION 'four eyes: playbook % is decided on by somebody else than its author', NEW.version_id
            USING ERRCODE = 'check_violation';
    END IF;
    SELECT u.id, u.username, u.is_active INTO person FROM public.workbench_user u WHERE u.id = NEW.decider_id;
    IF {IS_MACHINE} OR NOT person.is_active
        OR NOT EXISTS (SELECT 1 FROM ({_PLACES}) given WHERE {HOLDS_THEMSELVES})
    THEN
        RAISE EXCEPTION 'four eyes: user % may approve nowhere where playbook % counts', NEW.decider_id, NEW.version_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,  # noqa: S608 - constants of this room
)


class PlaybookQuerySet(NumberedQuerySet["PlaybookVersion"]):
    prefix = PLAYBOOK_PREFIX

    def in_force(self) -> "PlaybookQuerySet":
        """Of each code those that were ever in force, the one that holds first."""
        agreed = Q(needs_second=False) | Q(decision__verdict=PlaybookDecision.Verdict.APPROVED)
        return self.filter(agreed).order_by("-number")


class PlaybookVersion(Numbered):
    """What to do about a code of a kind of connection. The newest in force holds; without steps there is none."""

    ref_prefix = PLAYBOOK_PREFIX
    subject_prefix = PLAYBOOK_SUBJECT

    connector = models.CharField(max_length=40)
    code = models.CharField(max_length=100)
    number = models.PositiveIntegerField()
    steps = models.JSONField(default=list)
    needs_second = models.BooleanField(help_text="Whether it is offered only when somebody else agreed.")
    because = models.CharField(max_length=500)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    written_at = models.DateTimeField()

    objects = PlaybookQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["connector", "code", "number"], name="playbook_number_once"),
            models.CheckConstraint(condition=~Q(because=""), name="playbook_has_a_reason"),
        ]
        triggers: ClassVar = [
            append_only(),
            truncate_refused(),
            audit_required(f"'{PLAYBOOK_SUBJECT}' || NEW.id"),
            _ASKS_FOR_A_SECOND,
        ]


class PlaybookDecision(models.Model):
    """What a second person said of a version. Never changed."""

    class Verdict(models.TextChoices):
        APPROVED = "approved"
        REJECTED = "rejected"

    version = models.OneToOneField(
        PlaybookVersion, on_delete=models.PROTECT, primary_key=True, related_name="decision"
    )  # fmt: skip
    verdict = models.CharField(max_length=10, choices=Verdict)
    decider = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    because = models.CharField(max_length=500, blank=True)
    decided_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(verdict__in=["approved", "rejected"]), name="playbook_known_verdict"),
            models.CheckConstraint(
                condition=Q(verdict="approved") | ~Q(because=""), name="playbook_rejected_with_a_reason"
            ),
        ]
        triggers: ClassVar = [
            append_only(),
            truncate_refused(),
            audit_required(f"'{PLAYBOOK_SUBJECT}' || NEW.version_id"),
            _BY_SOMEBODY_ELSE,
        ]

    def __str__(self) -> str:
        return f"{self.verdict} {PLAYBOOK_PREFIX}{self.version_id}"


class PlaybookUse(models.Model):
    """That somebody used it on an exception, and which of its steps. Never changed."""

    version = models.ForeignKey(PlaybookVersion, on_delete=models.PROTECT, related_name="uses")
    case = models.ForeignKey(ExceptionCase, on_delete=models.PROTECT, related_name="playbook_uses")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    positions = models.JSONField(default=list, help_text="Of the steps that were done, from 1.")
    used_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        triggers: ClassVar = [append_only(), truncate_refused(), audit_required(f"'case:{REF_PREFIX}' || NEW.case_id")]

    def __str__(self) -> str:
        return f"{PLAYBOOK_PREFIX}{self.version_id} on {self.case_id}"
