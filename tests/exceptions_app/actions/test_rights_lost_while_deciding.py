"""Whoever loses a right in the very moment of deciding is refused in words, and nothing is written.

What takes the right comes after the policy looked and before the row is written, once: the database is the last that
can see it.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any

import pytest
from django.db import connection as database
from django.db import models

from exceptions_app.actions import access_review
from exceptions_app.actions.approval_rules import Asked, approve_rule, propose_rule
from exceptions_app.actions.batch_decide import approve_batch, reject_batch
from exceptions_app.actions.erasures import approve_erasure, propose_erasure
from exceptions_app.actions.legal_holds import lift_hold, place_hold
from exceptions_app.actions.mapping_decide import approve_mapping
from exceptions_app.actions.playbooks import decide_playbook, save_playbook
from exceptions_app.actions.retention import Asked as Kept
from exceptions_app.actions.retention import approve_policy, propose_policy
from exceptions_app.models import (
    AccessReviewItem,
    ApprovalRuleDecision,
    BatchDecision,
    BatchItem,
    Contributor,
    ErasureDecision,
    LegalHold,
    MappingDecision,
    PlaybookDecision,
    ReplayBatch,
    RetentionDecision,
)
from exceptions_app.models.retention import RecordClass
from exceptions_app.playbook_steps import Step, StepKind
from exceptions_app.policies import NotPermitted
from tests import factories
from tests.cast import MORNING, Cast, person
from tests.exceptions_app.actions.test_decisions_at_once import WAYS, Ran, Way, make_active, race
from tests.exceptions_app.replay_batches.target import Target, propose_all, refused_cases, target
from tests.exceptions_app.value_mappings.mapping import propose as propose_value
from tests.guards import GUARD, PASS
from workbench.models import User

__all__ = ["target"]
pytestmark = [pytest.mark.django_db(transaction=True)]
Decided = tuple[User, Callable[[], object], models.QuerySet[Any]]
"""Who decides, what they do, and the rows that are there once they have."""


def on_a_mapping(cast: Cast) -> Decided:
    proposal = propose_value(cast)
    signed: dict[str, Any] = {"by": cast.controller, "at": MORNING, "frozen_sha256": proposal.frozen_sha256}
    return cast.controller, partial(approve_mapping, proposal.pk, **signed), MappingDecision.objects.all()


def on_a_rule(cast: Cast) -> Decided:
    adam = person("adam", "Adam Administrator", is_staff=True)
    asked = Asked(above=Decimal(100), currency="EUR", approvers=2)
    rule = propose_rule(asked, by=cast.administrator, at=MORNING, because="The group's policy.")
    signed: dict[str, Any] = {"by": adam, "at": MORNING, "frozen_sha256": rule.frozen_sha256}
    return adam, partial(approve_rule, rule.pk, **signed), ApprovalRuleDecision.objects.all()


def on_retention(cast: Cast) -> Decided:
    adam = person("adam", "Adam Administrator", is_staff=True)
    kept = Kept(record_class=RecordClass.FILES, days=4000)
    policy = propose_policy(kept, by=cast.administrator, at=MORNING, because="The law.")
    signed: dict[str, Any] = {"by": adam, "at": MORNING, "frozen_sha256": policy.frozen_sha256}
    return adam, partial(approve_policy, policy.pk, **signed), RetentionDecision.objects.all()


def on_an_erasure(cast: Cast) -> Decided:
    adam = person("adam", "Adam Administrator", is_staff=True)
    request = propose_erasure("Somebody Else", by=cast.administrator, at=MORNING, because="By letter.")
    signed: dict[str, Any] = {"by": adam, "at": MORNING, "frozen_sha256": request.frozen_sha256}
    return adam, partial(approve_erasure, request.pk, **signed), ErasureDecision.objects.all()


def on_a_hold(cast: Cast) -> Decided:
    adam = person("adam", "Adam Administrator", is_staff=True)
    hold = place_hold(entity=cast.netherlands, by=cast.administrator, at=MORNING, because="A lawsuit.")
    lifted = LegalHold.objects.filter(lifted_at__isnull=False)
    return adam, partial(lift_hold, hold.pk, by=adam, at=MORNING, because="It is over."), lifted


def on_a_playbook(cast: Cast) -> Decided:
    steps = [Step(kind=StepKind.PROPOSE, value="As agreed with sales.")]
    cause_id = factories.make_case(cast).cause_id
    version = save_playbook(cause_id, steps, seen=0, because="As agreed.", by=cast.clerk, at=MORNING)
    decide = partial(decide_playbook, version.pk, approve=True, because="", by=cast.controller, at=MORNING)
    return cast.controller, decide, PlaybookDecision.objects.all()


def before_writing(patch: pytest.MonkeyPatch, decisions: type[models.Model], call: Callable[[], object]) -> None:
    """After the policy let them, and before the row is written: once."""
    write = decisions.save

    def save(decision: models.Model, **given: Any) -> None:
        patch.setattr(decisions, "save", write)
        call()
        write(decision, **given)

    patch.setattr(decisions, "save", save)


@pytest.mark.parametrize("of", [on_a_mapping, on_a_rule, on_retention, on_an_erasure, on_a_hold, on_a_playbook])
def test_account_that_is_made_inactive_after_the_policy_looked_is_refused_in_words(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, of: Callable[[Cast], Decided]
):
    decider, decide, decisions = of(cast)
    switch = partial(make_active, decider, by=person("eve", "Eve Administrator", is_staff=True))
    taken: list[Ran] = []
    random = Random(1)  # noqa: S311

    def take() -> None:
        taken.extend(race(partial(switch, False), random=random))

    before_writing(monkeypatch, decisions.model, take)
    with pytest.raises(NotPermitted, match="Your right to decide on this changed"):
        decide()
    assert ([one.done for one in taken], decisions.count()) == ([True], 0)
    switch(True)
    decide()
    assert decisions.all().count() == 1


def test_administrator_who_is_made_inactive_while_they_review_access_is_refused_in_words(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
):
    review = access_review.open_review(
        "Autumn", scope="all", due_at=MORNING + timedelta(days=14), by=cast.administrator, at=MORNING
    )
    line = review.items.filter(person=cast.clerk).earliest("position").position
    switch = partial(make_active, cast.administrator, by=person("eve", "Eve Administrator", is_staff=True))
    decide = partial(access_review.confirm, review.pk, [line], by=cast.administrator, at=MORNING)

    def take(*_: object) -> None:
        monkeypatch.undo()
        assert [one.done for one in race(partial(switch, False), random=Random(1))] == [True]  # noqa: S311

    monkeypatch.setattr(access_review, "_require_proof", take)  # the last that is asked before it is written
    with pytest.raises(NotPermitted, match="Your right to decide on this changed"):
        decide()
    assert not AccessReviewItem.objects.exclude(outcome="").exists()
    switch(True)
    decide()
    assert AccessReviewItem.objects.get(review=review, position=line).outcome == "kept"


@pytest.mark.parametrize("decide", [approve_batch, reject_batch])
@pytest.mark.parametrize("way", WAYS)
def test_right_to_a_batch_that_is_taken_after_the_policy_looked_is_refused_in_words(
    cast: Cast, target: Target, monkeypatch: pytest.MonkeyPatch, way: Way, decide: Callable[..., object]
):
    batch = propose_all(cast, refused_cases(cast, 2))
    decider, take, _ = way(cast)
    signed = {"by": decider, "at": MORNING, "frozen_sha256": batch.frozen_sha256, "because": "Seen."}
    before_writing(monkeypatch, BatchDecision, lambda: race(take, random=Random(1)))  # noqa: S311
    with pytest.raises(NotPermitted, match="Your right to decide on this changed"):
        decide(batch.pk, **signed)
    assert (BatchDecision.objects.count(), ReplayBatch.objects.get().state) == (0, "awaiting_approval")


def test_hand_that_somebody_has_in_a_batch_after_the_policy_looked_is_refused_in_words(
    cast: Cast, target: Target, monkeypatch: pytest.MonkeyPatch
):
    batch = propose_all(cast, refused_cases(cast, 2))
    item = BatchItem.objects.filter(batch=batch).order_by("position").last()
    assert item is not None
    decide = partial(approve_batch, batch.pk, by=cast.controller, at=MORNING, frozen_sha256=batch.frozen_sha256)

    def take_part() -> None:
        with database.cursor() as cursor:
            cursor.execute(PASS)
            Contributor.objects.create(proposal_id=item.proposal_id, person=cast.controller, part="corrected")
            cursor.execute(GUARD)

    before_writing(monkeypatch, BatchDecision, take_part)
    with pytest.raises(NotPermitted, match="Your right to decide on this changed"):
        decide()
    assert (BatchDecision.objects.count(), Contributor.objects.filter(person=cast.controller).count()) == (0, 0)
    decide()
    assert BatchDecision.objects.count() == 1
