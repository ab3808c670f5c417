"""What is the same of all rules that two people keep: proposed by one, decided on by another, changed in the same way.

The actions themselves stand with each kind of rule, so that there is one named function for each of them.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.contrib.auth.models import AbstractUser

from audit import log
from exceptions_app.actions.connections import SCOPE
from exceptions_app.actions.decide import ApprovalNoLongerHolds, DecidedAlready
from exceptions_app.actions.decided_meanwhile import refused_in_words
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.sending import may_stop_sending
from exceptions_app.duties import kept_from_keeping
from exceptions_app.models import KeptRule
from exceptions_app.models.kept_rule import RuleState
from exceptions_app.models.second_opinion import SecondOpinion
from exceptions_app.policies import NotPermitted
from exceptions_app.wording import say

Rule = TypeVar("Rule", bound=KeptRule)
Verdict = SecondOpinion.Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[Rule]):
    """One kind of such rules. `asks` is all that a rule asks: the trail tells it, and a decision is bound to it."""

    rules: type[Rule]
    decisions: type[Any]  # the kind of SecondOpinion that has the rule as `rule`
    beside: tuple[str, ...]  # relations that are read with a rule, for its words
    asks: Callable[[Rule], Mapping[str, object]]
    a_rule: str
    not_permitted: str

    def in_force(self, rule_id: int) -> Rule:
        """The rule, locked, that is to be changed or ended."""
        rule = self._locked(rule_id)
        if rule.state != RuleState.IN_FORCE:
            raise Invalid("replaces", say("{ref} is not in force.", ref=rule.ref))
        waiting = self._all().filter(replaces=rule, state=RuleState.PROPOSED).first()
        if waiting is not None:
            raise Invalid(
                "replaces", say("{ref} is proposed for it already. It is decided or withdrawn first.", ref=waiting.ref)
            )
        return rule

    def require_keeper(self, by: AbstractUser) -> None:
        if not may_keep_rules(by):
            raise NotPermitted(self.not_permitted)

    def propose(self, rule: Rule, *, by: AbstractUser, at: datetime, because: str) -> Rule:
        """Write what asks all that it shall ask."""
        if not because.strip():
            raise Invalid("because", say("Say why; the person who decides will read it, and the auditor."))
        rule.proposer_id, rule.because, rule.proposed_at = by.pk, because.strip()[:500], at
        rule.frozen_sha256 = self.hash_of(rule)
        rule.save()
        words = f"{by} proposed {self.a_rule} {rule}."
        self._record("proposed", rule, words, by=by, at=at, because=rule.because)
        return rule

    def approve(self, rule: Rule, *, by: AbstractUser, at: datetime, because: str) -> Rule:
        """In force from now on; what it replaces is not. `rule` is one that `as_shown` gave."""
        old = None if rule.replaces_id is None else self._locked(rule.replaces_id)
        if old is not None and old.state != RuleState.IN_FORCE:
            raise ApprovalNoLongerHolds(say("{ref} is not in force any more. Have this withdrawn.", ref=old.ref))
        self._decide(rule, Verdict.APPROVED, by=by, at=at, because=because)
        if old is not None:
            _move(old, RuleState.ENDED, at=at)
            words = f"{old.ref} ended, as {rule.proposer} proposed and {by} approved with {rule.ref}."
            self._record("approved", old, words, by=by, at=at, because=because)
        _move(rule, RuleState.ENDED if rule.is_end else RuleState.IN_FORCE, at=at)
        words = f"{by} approved {self.a_rule} that {rule.proposer} proposed, {rule}."
        self._record("approved", rule, words, by=by, at=at, because=because)
        return rule

    def reject(self, rule_id: int, *, by: AbstractUser, at: datetime, frozen_sha256: str, because: str) -> Rule:
        """Say no, with the reason; what is in force stays so."""
        if not because.strip():
            raise Invalid(
                "because", say("Say why you reject it; the person who proposed it needs to know what to change.")
            )
        rule = self.as_shown(rule_id, frozen_sha256, by=by)
        self._decide(rule, Verdict.REJECTED, by=by, at=at, because=because)
        _move(rule, RuleState.REJECTED, at=at)
        words = f"{by} rejected {self.a_rule} that {rule.proposer} proposed, {rule}."
        self._record("rejected", rule, words, by=by, at=at, because=because)
        return rule

    def withdraw(self, rule_id: int, *, by: AbstractUser, at: datetime, because: str) -> Rule:
        """Take one's own proposal back before it is decided."""
        rule = self._locked(rule_id)
        if rule.proposer_id != by.pk:
            raise NotPermitted(say("Only the person who proposed it may withdraw it."))
        if rule.state != RuleState.PROPOSED:
            raise ApprovalNoLongerHolds(
                say("{ref} is {state} already.", ref=rule.ref, state=say(rule.get_state_display().lower()))
            )
        _move(rule, RuleState.WITHDRAWN, at=at)
        words = f"{by} withdrew {self.a_rule} that they proposed, {rule}."
        self._record("withdrawn", rule, words, by=by, at=at, because=because)
        return rule

    def as_shown(self, rule_id: int, frozen_sha256: str, *, by: AbstractUser) -> Rule:
        """The proposed rule, locked, when the person may decide on it and saw exactly this."""
        rule = self._locked(rule_id)
        decision = self.decisions._default_manager.filter(rule=rule).select_related("decider").first()
        if decision is not None and decision.decider_id == by.pk:
            raise DecidedAlready(
                say("You {verdict} {ref} already.", verdict=say(decision.get_verdict_display().lower()), ref=rule.ref)
            )
        self.require_to_decide(rule, by)
        if rule.state != RuleState.PROPOSED:
            raise ApprovalNoLongerHolds(
                say("Somebody was faster: {ref} is {state}.", ref=rule.ref, state=say(rule.get_state_display().lower()))
            )
        if frozen_sha256 != rule.frozen_sha256 or self.hash_of(rule) != rule.frozen_sha256:
            raise ApprovalNoLongerHolds(say("{ref} is not what you were shown. Look at it again.", ref=rule.ref))
        return rule

    def require_to_decide(self, rule: Rule, by: AbstractUser) -> None:
        """Raise NotPermitted with the reason unless the person may decide on a rule that somebody else proposed."""
        self.require_keeper(by)
        if rule.proposer_id == by.pk:
            raise NotPermitted(say("You proposed this; someone else must decide."))
        if kept := kept_from_keeping(by, rule):
            raise NotPermitted(kept)

    def hash_of(self, rule: Rule) -> str:
        """What a decision is bound to."""
        parts = {"replaces": rule.replaces_id, "is_end": rule.is_end, **self.asks(rule)}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _all(self) -> Any:
        return self.rules._default_manager.select_related(*self.beside, "proposer")

    def _locked(self, rule_id: int) -> Rule:
        rule: Rule = self._all().select_for_update(of=("self",), no_key=True).get(pk=rule_id)
        return rule

    @refused_in_words()
    def _decide(self, rule: Rule, verdict: Verdict, *, by: AbstractUser, at: datetime, because: str) -> None:
        self.decisions._default_manager.create(
            rule=rule,
            verdict=verdict,
            decider_id=by.pk,
            frozen_sha256=rule.frozen_sha256,
            because=because.strip()[:500],
            decided_at=at,
        )

    def _record(self, done: str, rule: Rule, words: str, *, by: AbstractUser, at: datetime, because: str) -> None:
        data: Mapping[str, object] = {
            "rule": rule.ref,
            "state": rule.state,
            "replaces": rule.replaced_ref,
            "is_end": rule.is_end,
            **self.asks(rule),
            "frozen_sha256": rule.frozen_sha256,
        }
        log.record(
            f"{rule.kind}.{done}", subject=rule.subject, scope=SCOPE, actor=by.get_username(), at=at, summary=words,
            because=because, data=data,
        )  # fmt: skip


def may_keep_rules(user: AbstractUser) -> bool:
    """Whoever may configure any connection, and administrators; the trigger of a decision asks the same."""
    return may_stop_sending(user)


def _move(rule: KeptRule, state: RuleState, *, at: datetime) -> None:
    rule.state = state
    rule.closed_at = None if state == RuleState.IN_FORCE else at
    rule.save(update_fields=["state", "closed_at"])
