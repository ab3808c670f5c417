"""Proposal and decision: one pair for everything that needs a second person."""

# ruff: noqa: S608 - made of constants of this module and of `duties`

from typing import ClassVar, Final

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q

from audit.guard import (
    Guard,
    append_only,
    append_only_until_erased,
    audit_required,
    frozen_columns,
    never_deleted,
    truncate_refused,
)
from exceptions_app.machines import PREFIX
from exceptions_app.models.case import REF_PREFIX, ExceptionCase
from exceptions_app.models.duties import (
    DECLARED,
    REFUSE_IF_ONE_IS_ENOUGH,
    REFUSE_TOO_FEW,
    REFUSE_WHOEVER_MAY_NOT,
)
from exceptions_app.models.payload import PayloadVersion
from exceptions_app.models.second_opinion import SecondOpinion, verdict_constraints
from exceptions_app.states import PROPOSAL_WORDS, Outcome, ProposalKind
from integrations.models import Connection

# An approval that was spent, refused or dropped is never revived: what is to be sent again is proposed anew.
_NO_WAY_BACK = Guard(
    name="no_way_back",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    func="""
    IF NEW.state <> OLD.state AND OLD.state <> 'open'
        AND NOT (OLD.state = 'approved' AND NEW.state IN ('spent', 'undone'))
    THEN
        RAISE EXCEPTION 'proposal % is % and cannot become %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,
)


class Proposal(models.Model):
    """What one person asks another to agree to, frozen: these bytes, to this target, under this policy.

    `frozen_sha256` covers the bytes, the target and the policy version. It is what a decision is bound to.
    """

    class State(models.TextChoices):
        OPEN = "open", "Awaiting approval"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"
        WITHDRAWN = "withdrawn", "Withdrawn"
        SUPERSEDED = "superseded", "Dropped because the content changed"
        SPENT = "spent", "Approved and carried out without success"
        UNDONE = "undone", "Approved, and undone by reopening"

    case = models.ForeignKey(ExceptionCase, on_delete=models.PROTECT, related_name="proposals")
    kind = models.CharField(max_length=20, choices=[(k.value, PROPOSAL_WORDS[k]) for k in ProposalKind])
    state = models.CharField(max_length=20, choices=State, default=State.OPEN)
    outcome = models.CharField(
        max_length=20, blank=True, choices=[(o.value, o.value) for o in Outcome], help_text="For a closure: which."
    )
    version = models.ForeignKey(PayloadVersion, on_delete=models.PROTECT, related_name="proposals")
    target = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    policy_version = models.CharField(max_length=60)
    content_sha256 = models.CharField(max_length=64)
    frozen_sha256 = models.CharField(max_length=64)
    retype_sha256 = models.CharField(
        max_length=64,
        blank=True,
        db_default="",
        help_text="Of the payee's bank details that whoever approves types again.",
    )
    proposer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    because = models.CharField(max_length=500)
    proposed_at = models.DateTimeField()
    approvers = models.PositiveSmallIntegerField(db_default=1, default=1, help_text="How many must agree to it.")
    roles = models.JSONField(db_default=[], default=list, help_text="Names of roles that each of them must have.")
    demanded_by = models.JSONField(db_default=[], default=list, help_text="The rules that ask so: rule and words.")
    closed_at = models.DateTimeField(null=True)
    closed_because = models.CharField(max_length=500, blank=True)

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["case"], condition=Q(state="open"), name="proposal_one_open_per_case"),
            models.CheckConstraint(
                condition=Q(state__in=["open", "approved", "rejected", "withdrawn", "superseded", "spent", "undone"]),
                name="proposal_known_state",
            ),
            models.CheckConstraint(
                condition=Q(
                    kind__in=["replay", "release", "decline", "dismiss", "reverse", "confirm_booked", "declare_absent"]
                ),
                name="proposal_known_kind",
            ),
            models.CheckConstraint(condition=Q(approvers__in=[1, 2]), name="proposal_one_or_two_approvers"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["proposed_at", "id"], condition=Q(state="open"), name="proposal_open")
        ]
        triggers: ClassVar = [
            audit_required(f"'case:{REF_PREFIX}' || NEW.case_id"),
            frozen_columns(
                "case_id",
                "kind",
                "outcome",
                "version_id",
                "target_id",
                "policy_version",
                "content_sha256",
                "frozen_sha256",
                "retype_sha256",
                "proposer_id",
                "proposed_at",
                "approvers",
                "roles",
                "demanded_by",
            ),
            _NO_WAY_BACK,
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {REF_PREFIX}{self.case_id}"


_CONTENT: Final = {"content": b""}


class Evidence(models.Model):
    """What proves a statement about a sending of unknown outcome, as the second person sees it. Never changed."""

    proposal = models.OneToOneField(Proposal, on_delete=models.PROTECT, primary_key=True, related_name="evidence")
    reference = models.CharField(max_length=200, blank=True, help_text="The target's own reference, as it was found.")
    file_name = models.CharField(max_length=200, blank=True)
    media_type = models.CharField(max_length=100, blank=True)
    content = models.BinaryField(default=b"")
    sha256 = models.CharField(max_length=64, help_text="Of the reference, the reason and the file together.")

    class Meta:
        default_permissions = ()
        triggers: ClassVar = [append_only_until_erased(_CONTENT), truncate_refused()]

    def __str__(self) -> str:
        return f"evidence of {self.proposal_id}"


class Contributor(models.Model):
    """Someone who had a hand in what is proposed, and hence may not decide on it."""

    proposal = models.ForeignKey(Proposal, on_delete=models.PROTECT, related_name="contributors")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    part = models.CharField(max_length=40, help_text="What they did: proposed, corrected, mapped, valued.")

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["proposal", "person", "part"], name="contributor_once")
        ]
        triggers: ClassVar = [append_only(), truncate_refused()]

    def __str__(self) -> str:
        return f"{self.person_id} {self.part}"


_SUBJECT_OF_DECISION = (
    f"'case:{REF_PREFIX}' || (SELECT p.case_id FROM public.exceptions_app_proposal p WHERE p.id = NEW.proposal_id)"
)

# The last wall: it holds for pages, API, shell and SQL alike, and reads the same texts as the policy.
_OPEN_AND_SHOWN = f"""
    SELECT p.* INTO proposed FROM public.exceptions_app_proposal p WHERE p.id = NEW.proposal_id FOR UPDATE;
    IF proposed.state <> 'open' THEN
        RAISE EXCEPTION 'proposal % is no longer open', NEW.proposal_id USING ERRCODE = 'check_violation';
    END IF;
    IF proposed.frozen_sha256 <> NEW.frozen_sha256 THEN
        RAISE EXCEPTION 'the decision is for other content than proposal %', NEW.proposal_id
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.verdict = 'approved' AND proposed.retype_sha256 <> NEW.retyped_sha256 THEN
        RAISE EXCEPTION 'the bank details that proposal % changes were not typed again', NEW.proposal_id
            USING ERRCODE = 'check_violation';
    END IF;
    {REFUSE_WHOEVER_MAY_NOT}
"""


class _OpinionOnProposal(SecondOpinion):
    retyped_sha256 = models.CharField(
        max_length=64, blank=True, db_default="", help_text="Of the payee's bank details as the decider typed them."
    )

    class Meta(SecondOpinion.Meta):
        abstract = True


class FirstApproval(_OpinionOnProposal):
    """The first of two approvals: it carries out nothing. It falls with its proposal. Never changed."""

    proposal = models.OneToOneField(Proposal, on_delete=models.PROTECT, related_name="first_approval")

    class Meta(_OpinionOnProposal.Meta):
        abstract = False
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(verdict="approved"), name="first_approval_is_an_approval")
        ]
        triggers: ClassVar = [
            append_only(),
            truncate_refused(),
            audit_required(_SUBJECT_OF_DECISION),
            Guard(
                name="four_eyes",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                declare=DECLARED,
                func=f"""
                IF EXISTS (
                    SELECT 1 FROM public.workbench_user u
                    WHERE u.id = NEW.decider_id AND starts_with(u.username, '{PREFIX}')
                ) THEN
                    RAISE EXCEPTION 'four eyes: a machine is no first of two' USING ERRCODE = 'check_violation';
                END IF;
                {_OPEN_AND_SHOWN} {REFUSE_IF_ONE_IS_ENOUGH} RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"first approval of {self.proposal_id}"


class Decision(_OpinionOnProposal):
    """What the second person said, bound to the hash of what they were shown. Never changed."""

    proposal = models.OneToOneField(Proposal, on_delete=models.PROTECT, related_name="decision")

    class Meta(_OpinionOnProposal.Meta):
        abstract = False
        constraints: ClassVar = verdict_constraints("decision")
        triggers: ClassVar = [
            append_only(),
            truncate_refused(),
            audit_required(_SUBJECT_OF_DECISION),
            Guard(
                name="four_eyes",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                declare=DECLARED,
                func=f"{_OPEN_AND_SHOWN} {REFUSE_TOO_FEW} RETURN NEW;",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} {self.proposal_id}"
