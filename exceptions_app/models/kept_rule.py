"""Rules that two people keep: one proposes a version of one, another decides on exactly that.

What a rule says, and of what, stands in the models that are made of this.
"""

# ruff: noqa: S608 - made of constants of the models and of `duties`

from abc import abstractmethod
from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q

from audit.guard import Guard, append_only, audit_required, frozen_columns, never_deleted, truncate_refused
from exceptions_app.models.duties import DECLARED, refuse_who_is_no_second
from exceptions_app.models.second_opinion import verdict_constraints
from exceptions_app.wording import say


class RuleState(models.TextChoices):
    PROPOSED = "proposed", "Proposed"
    IN_FORCE = "in_force", "In force"
    ENDED = "ended", "Ended"
    REJECTED = "rejected", "Rejected"
    WITHDRAWN = "withdrawn", "Withdrawn"


class KeptRule(models.Model):
    """One version of one rule. A change is a row that replaces another one, and so is its end."""

    State = RuleState
    prefix: ClassVar[str]
    kind: ClassVar[str]
    """How the audit trail calls such rules: “approval_rule”."""

    state = models.CharField(max_length=10, choices=State, default=State.PROPOSED)
    replaces = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="changes")
    replaces_id: int | None
    is_end = models.BooleanField(default=False, help_text="It asks nothing; it ends the rule that it replaces.")
    proposer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    because = models.CharField(max_length=500)
    proposed_at = models.DateTimeField()
    frozen_sha256 = models.CharField(max_length=64)
    closed_at = models.DateTimeField(null=True, help_text="When it was withdrawn, rejected or ended.")

    class Meta:
        abstract = True
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.ref}: {self.words}"

    @property
    def ref(self) -> str:
        return f"{self.prefix}{self.pk}"

    @property
    def replaced_ref(self) -> str:
        """The rule in whose place it is or would be; empty for none."""
        return f"{self.prefix}{self.replaces_id}" if self.replaces_id else ""

    @property
    def subject(self) -> str:
        return f"{self.kind}:{self.ref}"

    @property
    def words(self) -> str:
        """What it asks, in one line."""
        return say("ends {ref}", ref=self.replaced_ref) if self.is_end else self.asks

    @property
    @abstractmethod
    def asks(self) -> str:
        """What a rule that is no end asks."""


def rule_constraints(kind: str) -> list[models.BaseConstraint]:
    return [
        models.CheckConstraint(
            condition=Q(state__in=["proposed", "in_force", "ended", "rejected", "withdrawn"]),
            name=f"{kind}_known_state",
        ),
        models.UniqueConstraint(
            fields=["replaces"], condition=Q(state="proposed"), name=f"{kind}_one_change_at_a_time"
        ),
    ]


def live_rules(kind: str) -> models.Index:
    return models.Index(fields=["id"], condition=Q(state__in=["proposed", "in_force"]), name=f"{kind}_live")


def rule_triggers(kind: str, prefix: str, *asks: str, a_rule: str) -> list[pgtrigger.Trigger]:
    """`asks` are the columns that say what a rule asks; `a_rule` is how people call one: “an approval rule”."""
    return [
        _by_two(kind, a_rule),
        frozen_columns(
            "replaces", "is_end", *asks, "proposer", "because", "proposed_at", "frozen_sha256",
        ),
        audit_required(f"'{kind}:{prefix}' || NEW.id"),
        never_deleted(),
        truncate_refused(),
    ]  # fmt: skip


def _tables(kind: str) -> tuple[str, str]:
    table = f"public.exceptions_app_{kind.replace('_', '')}"
    return table, f"{table}decision"


def _by_two(kind: str, a_rule: str) -> pgtrigger.Trigger:
    """One who proposes and one who decides stand behind every state but the first."""
    rules, decisions = _tables(kind)
    return Guard(
        name="by_two",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert | pgtrigger.Update,
        declare=[("said", "TEXT")],
        func=f"""
        IF TG_OP = 'INSERT' THEN
            IF NEW.state <> 'proposed' THEN
                RAISE EXCEPTION 'four eyes: {a_rule} begins as a proposal' USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END IF;
        IF NEW.state = OLD.state THEN
            RETURN NEW;
        END IF;
        SELECT d.verdict INTO said FROM {decisions} d WHERE d.rule_id = NEW.id;
        IF OLD.state = 'proposed' AND (
            NEW.state = CASE WHEN NEW.is_end THEN 'ended' ELSE 'in_force' END AND said IS NOT DISTINCT FROM 'approved'
            OR NEW.state = 'rejected' AND said IS NOT DISTINCT FROM 'rejected'
            OR NEW.state = 'withdrawn' AND said IS NULL
        ) THEN
            RETURN NEW;
        END IF;
        IF OLD.state = 'in_force' AND NEW.state = 'ended' AND EXISTS (
            SELECT 1 FROM {rules} r
            JOIN {decisions} d ON d.rule_id = r.id AND d.verdict = 'approved'
            WHERE r.replaces_id = NEW.id
        ) THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'four eyes: {_kind_in_words(kind)} % is % and nobody agreed that it becomes %',
            OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
        """,
    )


def decision_constraints(kind: str) -> list[models.BaseConstraint]:
    return verdict_constraints(f"{kind}_decision")


def decision_triggers(kind: str, prefix: str) -> list[pgtrigger.Trigger]:
    """Of the table in which the second person says what they say of such a rule, bound to its hash. Never changed."""
    rules, _ = _tables(kind)
    words = _kind_in_words(kind)
    return [
        append_only(),
        truncate_refused(),
        audit_required(f"'{kind}:{prefix}' || NEW.rule_id"),
        Guard(
            name="four_eyes",
            when=pgtrigger.Before,
            operation=pgtrigger.Insert,
            declare=DECLARED,
            func=f"""
            SELECT r.* INTO proposed FROM {rules} r WHERE r.id = NEW.rule_id FOR UPDATE;
            IF proposed.state <> 'proposed' OR proposed.frozen_sha256 <> NEW.frozen_sha256 THEN
                RAISE EXCEPTION '{words} % is no longer open, or is not what was shown', NEW.rule_id
                    USING ERRCODE = 'check_violation';
            END IF;
            {refuse_who_is_no_second(decider="NEW.decider_id", called=words, number="NEW.rule_id")}
            RETURN NEW;
            """,
        ),
    ]


def _kind_in_words(kind: str) -> str:
    return kind.replace("_", " ")
