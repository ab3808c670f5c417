"""The same of what is decided on with others: batches, value mappings and what they gave."""

import re

import pytest
from django.db import IntegrityError, transaction
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from exceptions_app.actions.batch_decide import approve_batch
from exceptions_app.actions.batch_propose import propose_batch
from exceptions_app.actions.decide import approve
from exceptions_app.actions.mapping_decide import approve_mapping
from exceptions_app.actions.propose import propose_replay
from exceptions_app.actions.translate import translate_again
from exceptions_app.demo_field_maps import seed_field_maps
from exceptions_app.duties import deciders_if_proposed, kept_from_batch
from exceptions_app.hands import hands_of
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import (
    BatchDecision,
    Decision,
    ExceptionCase,
    MappingDecision,
    MappingEntry,
    Proposal,
    Transaction,
)
from exceptions_app.policies import NotPermitted
from integrations.demo.field_maps import NEW_FAMILY, deal
from integrations.models import Connection
from tests import factories
from tests.cast import MORNING, Cast, give_role
from tests.exceptions_app.handover.conftest import erp
from tests.exceptions_app.handover.handing_over import document, run
from tests.exceptions_app.hands import (
    CONTRIBUTED,
    LATER,
    Scene,
    late_by_grant_to_them,
    late_by_role,
    lent,
    play,
    told,
    twin,
    with_a_reset_password,
)
from tests.exceptions_app.value_mappings import mapping
from tests.exceptions_app.value_mappings.test_handed_over import give_account
from workbench.models import User

__all__ = ["erp"]
pytestmark = pytest.mark.django_db


def test_batch_is_refused_to_whom_any_item_is(cast: Cast):
    scene = play(cast)
    late, beside = late_by_role(scene), lent(cast.clerk, scene.controller("dora"))
    touched = with_account_changed(scene)
    other = factories.make_case(cast)
    factories.make_proposal(other, cast.clerk)
    for one in (scene.case, other):
        one.refresh_from_db()
    with transaction.atomic():
        batch = propose_batch([scene.case.pk, other.pk], by=cast.clerk, at=LATER, because="Together.")
    for who, why in (
        (late, "You were given the right to approve here after"),
        (beside, "One of you and Clara Clerk, who had a hand in this, decides in the place of the other"),
        (touched, "Cem Clerk, who had a hand in this, changed your account"),
        (scene.people["vera"], "You prepared a part of it"),
        (scene.people["mia"], "You prepared a part of it"),
    ):
        with pytest.raises(NotPermitted, match=why):
            approve_batch(batch.pk, by=who, at=LATER, frozen_sha256=batch.frozen_sha256)
    for who in (*scene.people.values(), late, beside, touched):
        with pytest.raises(IntegrityError, match="four eyes"), transaction.atomic():
            BatchDecision.objects.create(
                batch=batch, verdict="approved", decider=who, frozen_sha256=batch.frozen_sha256, decided_at=LATER
            )
    assert approve_batch(batch.pk, by=cast.controller, at=LATER, frozen_sha256=batch.frozen_sha256).state == "running"


def with_account_changed(scene: Scene) -> User:
    found = scene.controller("tom")
    told("person.changed", "person:tom", by=scene.cast.second_clerk, at=LATER, fields=["password"])
    return found


def test_mapping_is_refused_to_who_is_no_second_person(cast: Cast):
    proposal = mapping.propose(cast)
    scene = Scene(cast, factories.make_case(cast), Proposal())
    for arrange, why in (
        (late_by_role, "You were given the right to approve here after"),
        (late_by_grant_to_them, "You were given the right to approve here after"),
        (with_a_reset_password, "Clara Clerk, who had a hand in this, changed your account"),
        (twin, "Your account has the e-mail address of Clara Clerk"),
    ):
        with transaction.atomic():
            who = arrange(scene)
            with pytest.raises(NotPermitted, match=why):
                approve_mapping(proposal.pk, by=who, at=LATER, frozen_sha256=proposal.frozen_sha256)
            with pytest.raises(IntegrityError, match="is no second person for mapping proposal"), transaction.atomic():
                MappingDecision.objects.create(
                    proposal=proposal, verdict="approved", decider=who, frozen_sha256=proposal.frozen_sha256,
                    decided_at=LATER,
                )  # fmt: skip
            transaction.set_rollback(True)
    mapping.approve(proposal, cast)
    for_all = mapping.propose(cast, mapping.row("LEASING"), entity=None)
    late = late_by_grant_to_them(scene)
    with pytest.raises(NotPermitted, match="You were given the right to approve here after"):
        approve_mapping(for_all.pk, by=late, at=LATER, frozen_sha256=for_all.frozen_sha256)
    with pytest.raises(IntegrityError, match="is no second person for mapping proposal"), transaction.atomic():
        MappingDecision.objects.create(
            proposal=for_all, verdict="approved", decider=late, frozen_sha256=for_all.frozen_sha256, decided_at=LATER
        )
    mapping.approve(for_all, cast)


_OTHER_INDEXES = """
    SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = 'audit_event'::regclass AND NOT i.indisunique AND c.relname <> 'audit_event_timeline'
"""


def test_question_before_a_batch_reads_what_is_about_the_person_and_the_places_alone(cast: Cast):
    case = factories.make_case(cast)
    factories.make_proposal(case, cast.clerk)
    case.refresh_from_db()
    with transaction.atomic():
        batch = propose_batch([case.pk], by=cast.clerk, at=LATER, because="Together.")
    with CaptureQueriesContext(database) as asked:
        assert kept_from_batch(cast.controller, batch.pk) == ""
    with transaction.atomic(), database.cursor() as cursor:
        # Of a table that is nearly empty every index costs the same. Without the others it shows whether one could do.
        cursor.execute(_OTHER_INDEXES)
        for (name,) in cursor.fetchall():
            cursor.execute(f'DROP INDEX "{name}"')
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {asked[0]['sql']}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
        transaction.set_rollback(True)
    assert len(asked) == 1
    assert set(re.findall(r"audit_event_\w+|Seq Scan on audit_event", plan)) == {"audit_event_timeline"}, plan


def test_author_of_a_mapping_does_not_decide_on_what_it_gave(cast: Cast, erp: Connection):
    """What was mapped on arrival, and what was translated again once the mapping held. Its approver may."""
    give_role(cast.clerk, "controller")
    seed_field_maps(erp, by=machine(SETUP), at=MORNING)
    [held] = run(erp, document("deal-1", deal(invoice_no="MNL-2026-1", family=NEW_FAMILY)))
    given = give_account(cast, erp).mapping
    run(erp, document("deal-2", deal(invoice_no="MNL-2026-2", family=NEW_FAMILY)))
    [other] = run(erp, document("deal-3", deal(invoice_no="MNL-2026-2", family=NEW_FAMILY, currency="USD")))
    assert MappingEntry.objects.get(mapping=given).row.proposal.proposer == cast.clerk
    translate_again(held.case.pk, by=cast.second_clerk, at=MORNING)
    scene = Scene(cast, ExceptionCase.objects.get(pk=other.case.pk), Proposal())
    second_account, beside = twin(scene), lent(cast.clerk, scene.controller("dora"))
    version = scene.case.versions.latest("number")
    left = deciders_if_proposed(scene.case, version, by=cast.second_clerk, at=LATER)
    assert {one.username for one in left if one.why_not} == {"clara", second_account.username, beside.username}
    for found in (held, Transaction.objects.get(pk=other.pk)):
        case = ExceptionCase.objects.get(pk=found.case.pk)
        proposal = propose_replay(case.pk, by=cast.second_clerk, at=LATER, because="It is mapped.")
        assert {(hand.person, hand.part) for hand in hands_of(proposal)} >= {
            (cast.second_clerk.pk, "proposed"), (cast.clerk.pk, "valued")
        }  # fmt: skip
        with pytest.raises(NotPermitted, match="You wrote the mapping that gave a value in this"):
            approve(case.pk, by=cast.clerk, at=LATER, frozen_sha256=proposal.frozen_sha256)
        with pytest.raises(IntegrityError, match=CONTRIBUTED), transaction.atomic():
            Decision.objects.create(
                proposal=proposal, verdict="approved", decider=cast.clerk, frozen_sha256=proposal.frozen_sha256,
                decided_at=LATER,
            )  # fmt: skip
        approve(case.pk, by=cast.controller, at=LATER, frozen_sha256=proposal.frozen_sha256)
