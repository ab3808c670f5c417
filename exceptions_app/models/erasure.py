"""The erasure of what is held about one counterparty, on request: asked for by one, agreed to by another."""

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
from exceptions_app.models.case import ExceptionCase
from exceptions_app.models.duties import DECLARED, refuse_who_is_no_second
from exceptions_app.models.second_opinion import SecondOpinion, verdict_constraints

ERASURE_PREFIX = "ER-"
_SUBJECT = f"'erasure:{ERASURE_PREFIX}' || NEW."
# The exception `c` is of the counterparty of the request `q`, by its name or by a number of it.
OF_PERSON = """(
    q.counterparty <> '' AND (lower(q.counterparty) = lower(c.counterparty) OR EXISTS (
        SELECT 1 FROM public.exceptions_app_identifier i WHERE i.case_id = c.id AND i.folded = q.folded
    ))
)"""

# As a policy of retention. Whose data it is stands here until it is over, and no longer: the request would keep it.
_BY_TWO = Guard(
    name="by_two",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert | pgtrigger.Update,
    declare=[("said", "TEXT")],
    func=f"""
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'proposed' THEN
            RAISE EXCEPTION 'four eyes: an erasure begins as a proposal' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.counterparty, NEW.folded) IS DISTINCT FROM (OLD.counterparty, OLD.folded) AND (
        NEW.counterparty <> '' OR NEW.folded <> '' OR NEW.state NOT IN ('done', 'rejected', 'withdrawn')
    ) THEN
        RAISE EXCEPTION 'erasure % is of somebody else than was shown', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = OLD.state THEN
        RETURN NEW;
    END IF;
    SELECT d.verdict INTO said FROM public.exceptions_app_erasuredecision d WHERE d.request_id = NEW.id;
    IF OLD.state = 'proposed' AND (
        NEW.state IN ('approved', 'rejected') AND said IS NOT DISTINCT FROM NEW.state
        OR NEW.state = 'withdrawn' AND said IS NULL
    ) THEN
        RETURN NEW;
    END IF;
    IF OLD.state = 'approved' AND NEW.state = 'done' AND NOT EXISTS (
        SELECT 1 FROM public.exceptions_app_exceptioncase c, public.exceptions_app_erasurerequest q
        WHERE q.id = OLD.id AND {OF_PERSON}
    ) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'four eyes: erasure % is % and cannot become %', OLD.id, OLD.state, NEW.state
        USING ERRCODE = 'check_violation';
    """,
)


class ErasureRequest(models.Model):
    """That all which is held about one counterparty is to go: of its closed exceptions, before their time is over."""

    class State(models.TextChoices):
        PROPOSED = "proposed", "Proposed"
        APPROVED = "approved", "Approved"
        DONE = "done", "Done"
        REJECTED = "rejected", "Rejected"
        WITHDRAWN = "withdrawn", "Withdrawn"

    state = models.CharField(max_length=10, default=State.PROPOSED, choices=State)
    counterparty = models.CharField(max_length=200, blank=True, help_text="Name or number; empty once it is over.")
    folded = models.CharField(max_length=300, blank=True)
    fingerprint = models.CharField(max_length=64, help_text="Keyed, so that it can be told later who it was about.")
    because = models.CharField(max_length=500)
    proposer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    frozen_sha256 = models.CharField(max_length=64)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=["proposed", "approved", "done", "rejected", "withdrawn"]),
                name="erasure_known_state",
            ),
            models.CheckConstraint(condition=~Q(because=""), name="erasure_has_reason"),
        ]
        triggers: ClassVar = [
            _BY_TWO,
            frozen_columns("fingerprint", "because", "proposer", "proposed_at", "frozen_sha256"),
            audit_required(f"{_SUBJECT}id"),
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return f"{self.ref}: {self.counterparty or 'somebody whose name is erased'}"

    @property
    def ref(self) -> str:
        return f"{ERASURE_PREFIX}{self.pk}"

    @property
    def subject(self) -> str:
        return f"erasure:{self.ref}"


class ErasureDecision(SecondOpinion):
    """What the second person said of a proposed erasure, bound to its hash. Never changed."""

    request = models.OneToOneField(ErasureRequest, on_delete=models.PROTECT, related_name="decision")

    class Meta(SecondOpinion.Meta):
        constraints: ClassVar = verdict_constraints("erasure_decision")
        triggers: ClassVar = [
            append_only(),
            truncate_refused(),
            audit_required(f"{_SUBJECT}request_id"),
            Guard(
                name="four_eyes",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                declare=DECLARED,
                func=f"""
                SELECT r.* INTO proposed FROM public.exceptions_app_erasurerequest r
                    WHERE r.id = NEW.request_id FOR UPDATE;
                IF proposed.state <> 'proposed' OR proposed.frozen_sha256 <> NEW.frozen_sha256 THEN
                    RAISE EXCEPTION 'erasure % is no longer open, or is not what was shown', NEW.request_id
                        USING ERRCODE = 'check_violation';
                END IF;
                {refuse_who_is_no_second(decider="NEW.decider_id", called="erasure", number="NEW.request_id")}
                RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} {ERASURE_PREFIX}{self.request_id}"


_NAMES: Final[dict[str, object]] = {"counterparty": "", "problem": "", "waiting_for": ""}


class HistoryOfException(ExceptionCase.history.model):  # type: ignore[name-defined, misc]
    """What rows of exceptions were, as this room guards it: names go when they are erased, and nothing else changes."""

    class Meta:
        proxy = True
        default_permissions = ()
        triggers: ClassVar = [append_only_until_erased(_NAMES)]
