"""How long what a closed exception holds is kept, and what keeps it longer: policies of retention and legal holds."""

# ruff: noqa: S608 - made of constants of this module and of `duties`

from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q

from audit.guard import Guard, append_only, audit_required, frozen_columns, never_deleted, truncate_refused
from exceptions_app.models.case import ExceptionCase
from exceptions_app.models.duties import DECLARED, refuse_who_is_no_second
from exceptions_app.models.organisation import LegalEntity
from exceptions_app.models.second_opinion import SecondOpinion, verdict_constraints
from exceptions_app.wording import say

POLICY_PREFIX = "RP-"
HOLD_PREFIX = "LH-"
SHORTEST_DAYS = 30
LONGEST_DAYS = 36_500
_SUBJECT = f"'retention:{POLICY_PREFIX}' || NEW."

PURGE_LOCK = 41_001
"""Held by who places a hold, and shared by who erases: none is placed in the middle of an erasure unseen."""


class RecordClass(models.TextChoices):
    """What a policy speaks of, of closed exceptions."""

    DOCUMENTS = "documents", "Documents and comments"
    FILES = "files", "Attached files and proofs"


# One who proposes and one who decides stand behind every state but the first.
_BY_TWO = Guard(
    name="by_two",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert | pgtrigger.Update,
    declare=[("said", "TEXT")],
    func="""
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'proposed' THEN
            RAISE EXCEPTION 'four eyes: a retention policy begins as a proposal' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.state = OLD.state THEN
        RETURN NEW;
    END IF;
    SELECT d.verdict INTO said FROM public.exceptions_app_retentiondecision d WHERE d.policy_id = NEW.id;
    IF OLD.state = 'proposed' AND (
        NEW.state = CASE WHEN NEW.is_end THEN 'ended' ELSE 'in_force' END AND said IS NOT DISTINCT FROM 'approved'
        OR NEW.state = 'rejected' AND said IS NOT DISTINCT FROM 'rejected'
        OR NEW.state = 'withdrawn' AND said IS NULL
    ) THEN
        RETURN NEW;
    END IF;
    IF OLD.state = 'in_force' AND NEW.state = 'ended' AND EXISTS (
        SELECT 1 FROM public.exceptions_app_retentionpolicy r
        JOIN public.exceptions_app_retentiondecision d ON d.policy_id = r.id AND d.verdict = 'approved'
        WHERE r.replaces_id = NEW.id
    ) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'four eyes: retention policy % is % and nobody agreed that it becomes %',
        OLD.id, OLD.state, NEW.state USING ERRCODE = 'check_violation';
    """,
)


class RetentionPolicy(models.Model):
    """For how many days after its end an exception keeps what is of one class, in one legal entity or in all.

    One of a legal entity takes the place of the one for all there, also when it keeps longer. It is never changed:
    another one replaces it.
    """

    class State(models.TextChoices):
        PROPOSED = "proposed", "Proposed"
        IN_FORCE = "in_force", "In force"
        ENDED = "ended", "Ended"
        REJECTED = "rejected", "Rejected"
        WITHDRAWN = "withdrawn", "Withdrawn"

    state = models.CharField(max_length=10, default=State.PROPOSED, choices=State)
    replaces = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="replaced_by")
    is_end = models.BooleanField(default=False, help_text="It keeps nothing and ends what it replaces.")
    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, null=True, related_name="+")
    record_class = models.CharField(max_length=20, choices=RecordClass)
    days = models.PositiveIntegerField()
    proposer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    because = models.CharField(max_length=500)
    proposed_at = models.DateTimeField()
    frozen_sha256 = models.CharField(max_length=64)
    closed_at = models.DateTimeField(null=True, help_text="When it was withdrawn, rejected or ended.")

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=["proposed", "in_force", "ended", "rejected", "withdrawn"]),
                name="retention_known_state",
            ),
            models.CheckConstraint(condition=Q(record_class__in=["documents", "files"]), name="retention_known_class"),
            models.CheckConstraint(condition=Q(days__range=(SHORTEST_DAYS, LONGEST_DAYS)), name="retention_days"),
            models.CheckConstraint(condition=Q(is_end=False) | Q(replaces__isnull=False), name="retention_ends_one"),
            models.UniqueConstraint(
                fields=["entity", "record_class"], condition=Q(state="in_force"), nulls_distinct=False,
                name="retention_one_in_force",
            ),
            models.UniqueConstraint(
                fields=["entity", "record_class"], condition=Q(state="proposed"), nulls_distinct=False,
                name="retention_one_proposed",
            ),
        ]  # fmt: skip
        triggers: ClassVar = [
            _BY_TWO,
            frozen_columns(
                "replaces", "is_end", "entity", "record_class", "days", "proposer", "because", "proposed_at",
                "frozen_sha256",
            ),
            audit_required(f"{_SUBJECT}id"),
            never_deleted(),
            truncate_refused(),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.ref}: {self.words}"

    @property
    def ref(self) -> str:
        return f"{POLICY_PREFIX}{self.pk}"

    @property
    def subject(self) -> str:
        return f"retention:{self.ref}"

    @property
    def replaced_ref(self) -> str:
        """The policy in whose place it is or would be; empty for none."""
        return f"{POLICY_PREFIX}{self.replaces_id}" if self.replaces_id else ""

    @property
    def words(self) -> str:
        """What it says, in one line."""
        if self.is_end:
            return say("ends {ref}", ref=self.replaced_ref)
        where = self.entity.code if self.entity else say("all legal entities")
        what = say(self.get_record_class_display().lower())
        return say("{what} in {where}: {days} days after the end", what=what, where=where, days=self.days)


class RetentionDecision(SecondOpinion):
    """What the second person said of a proposed policy, bound to its hash. Never changed."""

    policy = models.OneToOneField(RetentionPolicy, on_delete=models.PROTECT, related_name="decision")

    class Meta(SecondOpinion.Meta):
        constraints: ClassVar = verdict_constraints("retention_decision")
        triggers: ClassVar = [
            append_only(),
            truncate_refused(),
            audit_required(f"{_SUBJECT}policy_id"),
            Guard(
                name="four_eyes",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                declare=DECLARED,
                func=f"""
                SELECT r.* INTO proposed FROM public.exceptions_app_retentionpolicy r
                    WHERE r.id = NEW.policy_id FOR UPDATE;
                IF proposed.state <> 'proposed' OR proposed.frozen_sha256 <> NEW.frozen_sha256 THEN
                    RAISE EXCEPTION 'retention policy % is no longer open, or is not what was shown', NEW.policy_id
                        USING ERRCODE = 'check_violation';
                END IF;
                {refuse_who_is_no_second(decider="NEW.decider_id", called="retention policy", number="NEW.policy_id")}
                RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} {POLICY_PREFIX}{self.policy_id}"


PLACED = """
    SELECT h.id, h.placed_by_id AS proposer_id, h.placed_at AS proposed_at FROM public.exceptions_app_legalhold h
"""
# Placed while nobody erases, and lifted by somebody else than who placed it.
_LIFTED_BY_ANOTHER = Guard(
    name="lifted_by_another",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert | pgtrigger.Update,
    declare=DECLARED,
    func=f"""
    IF TG_OP = 'INSERT' THEN
        IF NEW.lifted_at IS NOT NULL THEN
            RAISE EXCEPTION 'a legal hold begins as one' USING ERRCODE = 'check_violation';
        END IF;
        PERFORM pg_advisory_xact_lock({PURGE_LOCK});
        RETURN NEW;
    END IF;
    IF OLD.lifted_at IS NOT NULL THEN
        RAISE EXCEPTION 'legal hold % is lifted and stays so', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    SELECT found.* INTO proposed FROM ({PLACED}) found WHERE found.id = NEW.id;
    {refuse_who_is_no_second(decider="NEW.lifted_by_id", called="legal hold", number="NEW.id")}
    RETURN NEW;
    """,
)


class LegalHold(models.Model):
    """Nothing of what it names is erased, whatever a policy says: an exception, a legal entity or a counterparty.

    A counterparty is known by its name or by any number of it that an exception can be found by.
    """

    case = models.ForeignKey(ExceptionCase, on_delete=models.PROTECT, null=True, related_name="legal_holds")
    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, null=True, related_name="+")
    counterparty = models.CharField(max_length=200, blank=True)
    folded = models.CharField(max_length=300, blank=True, help_text="The same, upper case without separators.")
    because = models.CharField(max_length=500)
    placed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    placed_at = models.DateTimeField()
    lifted_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    lifted_at = models.DateTimeField(null=True)
    lifted_because = models.CharField(max_length=500, blank=True)

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(case__isnull=False, entity__isnull=True, counterparty="", folded="")
                | Q(case__isnull=True, entity__isnull=False, counterparty="", folded="")
                | Q(case__isnull=True, entity__isnull=True) & ~Q(counterparty="") & ~Q(folded=""),
                name="legal_hold_on_one_thing",
            ),
            models.CheckConstraint(condition=~Q(because=""), name="legal_hold_has_reason"),
            models.CheckConstraint(
                condition=Q(lifted_by__isnull=True, lifted_at__isnull=True, lifted_because="")
                | Q(lifted_by__isnull=False, lifted_at__isnull=False) & ~Q(lifted_because=""),
                name="legal_hold_lifted_with_reason",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["id"], condition=Q(lifted_at__isnull=True), name="legal_hold_standing")
        ]
        triggers: ClassVar = [
            _LIFTED_BY_ANOTHER,
            frozen_columns("case", "entity", "counterparty", "folded", "because", "placed_by", "placed_at"),
            audit_required(f"'hold:{HOLD_PREFIX}' || NEW.id"),
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return f"{self.ref}: {self.words}"

    @property
    def ref(self) -> str:
        return f"{HOLD_PREFIX}{self.pk}"

    @property
    def subject(self) -> str:
        return f"hold:{self.ref}"

    @property
    def words(self) -> str:
        """What it holds, in a few words."""
        if self.case_id is not None:
            return say("the exception {ref}", ref=f"EX-{self.case_id}")
        if self.entity:
            return say("the legal entity {code}", code=self.entity.code)
        return say("the counterparty {counterparty}", counterparty=self.counterparty)

    @property
    def words_of_event(self) -> str:
        """The same for an event, which is kept for ever: who the counterparty is stands in the hold alone."""
        return f"the legal hold {self.ref} on {'a counterparty' if self.counterparty else self.words}"
