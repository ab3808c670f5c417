"""What is handed over is held for a value that nobody mapped, and goes on by itself once it is."""

import pytest

from audit.queries import timeline
from exceptions_app.actions.mapping_decide import approve_mapping
from exceptions_app.actions.mapping_propose import Scope, propose_mapping
from exceptions_app.demo_field_maps import seed_field_maps
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import MappingProposal, UnmappedValue
from integrations.demo.field_maps import NEW_FAMILY, deal
from integrations.models import Connection
from tests.cast import MORNING, Cast
from tests.exceptions_app.handover.conftest import erp
from tests.exceptions_app.handover.handing_over import document, run
from tests.exceptions_app.value_mappings.mapping import WHY, row

__all__ = ["erp"]
pytestmark = pytest.mark.django_db


def give_account(cast: Cast, erp: Connection, *, begins: str = "", ends: str = "") -> MappingProposal:
    proposal = propose_mapping(
        Scope(kind="product_family", connection=erp, entity=None, queue=cast.einvoicing),
        [row(begins=begins, ends=ends)],
        by=cast.clerk,
        at=MORNING,
        because=WHY,
    )
    return approve_mapping(proposal.pk, by=cast.controller, at=MORNING, frozen_sha256=proposal.frozen_sha256)


def test_unmapped_family_is_held_with_the_reason_and_what_is_missing_is_kept(cast: Cast, erp: Connection):
    seed_field_maps(erp, by=machine(SETUP), at=MORNING)
    [held] = run(erp, document("deal-1", deal(family=NEW_FAMILY)))
    assert (held.state, held.case.category, held.case.sub) == ("held", "master_data", "field_map")
    assert held.problem.startswith("The product family “ROBOTICS” is not mapped to a revenue account.")
    assert held.case.cause.title == "The product family is not mapped."
    [missing] = UnmappedValue.objects.filter(case=held.case)
    assert (missing.kind, missing.value, missing.path) == ("product_family", "ROBOTICS", "/lines/1/account")
    assert missing.on is not None


def test_next_arrival_uses_the_approved_mapping_and_says_so(cast: Cast, erp: Connection):
    seed_field_maps(erp, by=machine(SETUP), at=MORNING)
    mapping = give_account(cast, erp).mapping
    [sent] = run(erp, document("deal-2", deal(invoice_no="MNL-2026-4712", family=NEW_FAMILY)))
    assert sent.state == "delivered"
    told = [event.data["mapped_values"] for event in timeline(sent.subject) if "mapped_values" in event.data]
    assert told == [
        [{"mapping": mapping.ref, "version": 1, "kind": "product_family", "source": "ROBOTICS", "target": "800400"}]
    ]


def test_mapping_of_other_days_does_not_answer(cast: Cast, erp: Connection):
    seed_field_maps(erp, by=machine(SETUP), at=MORNING)
    give_account(cast, erp, ends="2020-12-31")
    [held] = run(erp, document("deal-3", deal(family=NEW_FAMILY)))
    assert held.state == "held"
