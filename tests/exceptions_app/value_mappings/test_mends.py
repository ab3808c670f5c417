"""A mapping with the exceptions that it mends: listed, frozen as one batch, decided on once."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import DjangoAssertNumQueries

from exceptions_app.actions import batch_log
from exceptions_app.actions.batch_decide import approve_batch, cancel_batch
from exceptions_app.actions.batch_propose import ListChanged
from exceptions_app.actions.correct import correct, latest_version
from exceptions_app.actions.decide import approve as approve_case
from exceptions_app.actions.mapping_decide import approve_mapping, reject_mapping
from exceptions_app.actions.mapping_propose import propose_mapping, propose_mends, withdraw_mapping
from exceptions_app.actions.propose import propose_replay
from exceptions_app.actions.work import assign, claim
from exceptions_app.models import BatchDecision, ExceptionCase, MappingProposal, ReplayBatch, UnmappedValue
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.batch_standing import waiting_for_batch_decision_of
from exceptions_app.queries.mapping_effect import Mend, Rows, backtest_of, mends_of
from exceptions_app.queries.reach import reach_of
from exceptions_app.states import Verb
from integrations.connectors.registry import get_connector
from integrations.models import Connection
from tests.cast import MORNING, Cast, give_role, grant, person
from tests.exceptions_app.delivering import work_until_done
from tests.exceptions_app.handover.conftest import erp
from tests.exceptions_app.value_mappings.mapping import WHY, approve, mapped, row, scope
from tests.exceptions_app.value_mappings.refused import refused
from tests.exceptions_app.value_mappings.test_pages import TYPED, SignIn, page, text_of
from workbench.models import User

__all__ = ["erp"]
pytestmark = pytest.mark.django_db
LATER = MORNING + timedelta(hours=1)
FAMILY = row(begins="2026-01-01")


def found(cast: Cast, erp: Connection, *, by: User | None = None) -> list[Mend]:
    rows = Rows(kind="product_family", connection=erp, entity_id=cast.netherlands.pk, rows=[FAMILY])
    return mends_of(rows, by=by or cast.clerk, reach=reach_of(by or cast.clerk))


def propose_with(cast: Cast, erp: Connection, cases: list[ExceptionCase]) -> MappingProposal:
    mends = {case.pk: case.revision for case in cases}
    wanted = scope(cast, connection=erp)
    return propose_mapping(wanted, [FAMILY], by=cast.clerk, at=LATER, because=WHY, mends=mends)


def test_refused_value_is_kept_with_its_day_and_the_place_that_mends_it(cast: Cast, erp: Connection):
    case = refused(erp, "4900000001")
    [missing] = UnmappedValue.objects.filter(case=case)
    assert (missing.kind, missing.value, str(missing.on), missing.path) == (
        "product_family", "ROBOTICS", "2026-11-02", "/lines/0/account",
    )  # fmt: skip


def test_every_open_exception_with_the_value_is_listed_with_why_not(cast: Cast, erp: Connection):
    whole, more, taken = (
        refused(erp, "4900000001"),
        refused(erp, "4900000002", **{"F5/201": "posting_date"}),
        refused(erp, "4900000003"),
    )
    refused(erp, "4900000004", family="DRONES")
    claim(taken.pk, by=cast.second_clerk, at=MORNING)
    listed = {mend.case.pk: mend for mend in found(cast, erp)}
    assert sorted(listed) == sorted([whole.pk, more.pk, taken.pk])
    assert listed[whole.pk].refusal == ""
    assert listed[more.pk].refusal == "It has more against it: The posting period of this date is closed."
    assert "is working on this" in listed[taken.pk].refusal
    assert found(cast, erp, by=cast.outsider) == []


def test_one_decision_covers_the_mapping_and_its_frozen_batch(cast: Cast, erp: Connection):
    cases = [refused(erp, "4900000001"), refused(erp, "4900000002")]
    proposal = propose_with(cast, erp, cases)
    batch = proposal.batch
    assert batch is not None
    assert (batch.count, batch.money, batch.state) == (2, {"EUR": "2420"}, "awaiting_approval")
    version = latest_version(cases[0])
    assert (version.number, version.author) == (2, cast.clerk)
    assert b'"account": "800400"' in bytes(version.content)
    assert version.reason.startswith(f"By {proposal.mapping.ref} (Product families to")

    mapping = approve(proposal, cast)
    batch.refresh_from_db()
    assert (mapping.version, batch.state) == (1, "running")
    decision = BatchDecision.objects.get(batch=batch)
    assert (decision.decider, decision.frozen_sha256) == (cast.controller, batch.frozen_sha256)


@pytest.mark.django_db(transaction=True)
def test_approved_batch_is_booked_item_by_item(cast: Cast, erp: Connection):
    cases = [refused(erp, "4900000001"), refused(erp, "4900000002")]
    approve(propose_with(cast, erp, cases), cast)
    for _ in range(4):
        work_until_done()
    assert {ExceptionCase.objects.get(pk=case.pk).state for case in cases} == {"resolved"}
    assert ReplayBatch.objects.get().state == "complete"


def test_batch_of_a_mapping_is_neither_decided_nor_cancelled_by_itself(cast: Cast, erp: Connection):
    proposal = propose_with(cast, erp, [refused(erp, "4900000001")])
    batch = proposal.batch
    assert batch is not None
    with pytest.raises(NotPermitted, match=f"It is a part of {proposal.ref} and is decided on with that mapping"):
        approve_batch(batch.pk, by=cast.controller, at=LATER, frozen_sha256=batch.frozen_sha256)
    with pytest.raises(NotPermitted):
        cancel_batch(batch.pk, by=cast.clerk, at=LATER, because="No.")
    assert not waiting_for_batch_decision_of(cast.controller, reach_of(cast.controller)).exists()


@pytest.mark.django_db(transaction=True)
def test_database_refuses_to_part_the_two(cast: Cast, erp: Connection):
    proposal = propose_with(cast, erp, [refused(erp, "4900000001")])
    batch = proposal.batch
    assert batch is not None
    with pytest.raises(IntegrityError, match="is decided on with its value mapping"):
        decide_alone(batch, cast.controller)


@transaction.atomic
def decide_alone(batch: ReplayBatch, by: User) -> None:
    BatchDecision.objects.create(
        batch=batch, verdict="approved", decider=by, frozen_sha256=batch.frozen_sha256, decided_at=LATER
    )
    batch_log.record(batch, "batch.approved", by=by, at=LATER, summary="Forged.")


def test_who_worked_on_an_item_decides_on_neither(cast: Cast, erp: Connection):
    give_role(cast.second_clerk, "controller")
    case = refused(erp, "4900000001")
    content = bytes(latest_version(case).content)
    operations = get_connector("erp").operations_for(content, {"/customer_name": "Van Loon"})
    correct(case.pk, by=cast.second_clerk, at=MORNING, because="Name.", base_version=1, operations=operations)
    assign(case.pk, to=cast.clerk, by=cast.clerk, at=MORNING)
    case.refresh_from_db()
    proposal = propose_with(cast, erp, [case])
    with pytest.raises(NotPermitted, match="You prepared a part of it"):
        approve_mapping(proposal.pk, by=cast.second_clerk, at=LATER, frozen_sha256=proposal.frozen_sha256)
    proposal.refresh_from_db()
    assert (proposal.state, ReplayBatch.objects.get().state) == ("awaiting_approval", "awaiting_approval")


def test_rejected_or_withdrawn_gives_the_exceptions_back(cast: Cast, erp: Connection):
    first = propose_with(cast, erp, [refused(erp, "4900000001")])
    reject_mapping(first.pk, by=cast.controller, at=LATER, frozen_sha256=first.frozen_sha256, because="No.")
    assert first.batch is not None
    first.batch.refresh_from_db()
    assert first.batch.state == "rejected"
    second = propose_with(cast, erp, [refused(erp, "4900000002")])
    withdraw_mapping(second.pk, by=cast.clerk, at=LATER)
    assert second.batch is not None
    second.batch.refresh_from_db()
    assert second.batch.state == "cancelled"


def test_exception_that_changed_since_it_was_shown_stops_all_of_it(cast: Cast, erp: Connection):
    case = refused(erp, "4900000001")
    claim(case.pk, by=cast.clerk, at=MORNING)
    with pytest.raises(ListChanged):
        propose_with(cast, erp, [case])
    assert not MappingProposal.objects.exists()
    assert not ReplayBatch.objects.exists()


def test_who_approves_the_mapping_must_approve_every_item(cast: Cast, erp: Connection):
    case = refused(erp, "4900000001")
    proposal = propose_with(cast, erp, [case])
    with pytest.raises(NotPermitted):
        approve_mapping(proposal.pk, by=cast.clerk, at=LATER, frozen_sha256=proposal.frozen_sha256)
    assert proposal.mapping.version == 0


def resolve(cast: Cast, case: ExceptionCase, **changes: str) -> None:
    content = bytes(latest_version(case).content)
    wanted = {f"/lines/0/{name}": value for name, value in changes.items()}
    operations = get_connector("erp").operations_for(content, wanted)
    correct(case.pk, by=cast.clerk, at=MORNING, because="By hand.", base_version=1, operations=operations)
    proposal = propose_replay(case.pk, by=cast.clerk, at=MORNING, because="By hand.")
    approve_case(case.pk, by=cast.controller, at=MORNING, frozen_sha256=proposal.frozen_sha256)


@pytest.mark.django_db(transaction=True)
def test_backtest_tells_right_from_wrong_on_closed_exceptions(cast: Cast, erp: Connection):
    right, wrong, other = (refused(erp, f"490000000{number}") for number in (1, 2, 3))
    resolve(cast, right, account="800400")
    resolve(cast, wrong, account="800200")
    resolve(cast, other, product_family="HARDWARE")
    work_until_done()
    rows = Rows(kind="product_family", connection=erp, entity_id=None, rows=[FAMILY])
    tested = backtest_of(rows, reach_of(cast.controller))
    assert [case.pk for case in tested.right] == [right.pk]
    assert [(found.case.pk, found.value, found.would_be) for found in tested.wrongly] == [
        (wrong.pk, "800200", "800400")
    ]
    assert (tested.otherwise, tested.count) == (1, 3)


def test_later_arrival_is_mended_by_what_holds(cast: Cast, erp: Connection, signed_in: SignIn):
    mapping = mapped(cast, FAMILY, connection=erp)
    case = refused(erp, "4900000001")
    client = signed_in(cast.clerk)
    shown = text_of(client.get(reverse("exceptions:case", args=[case.ref])))
    assert f"“ROBOTICS” is mapped to “800400” by now, in version 1 of {mapping.ref}." in shown
    address = reverse("exceptions:mapping_mends", args=[mapping.ref])
    assert "Correct and propose" in text_of(client.get(address))
    items = {"items": f"{case.pk}-{case.revision}"}
    refused_form = client.post(reverse("exceptions:mapping_mends_propose", args=[mapping.ref]), items)
    assert refused_form.status_code == 422
    answer = client.post(
        reverse("exceptions:mapping_mends_propose", args=[mapping.ref]), {**items, "because": "It is mapped."}
    )
    batch = ReplayBatch.objects.get()
    assert answer["Location"] == reverse("exceptions:batch", args=[batch.ref])
    assert approve_batch(
        batch.pk, by=cast.controller, at=LATER, frozen_sha256=batch.frozen_sha256
    ).state == "running"  # fmt: skip
    with pytest.raises(NotPermitted):
        propose_mends(mapping.pk, {case.pk: 1}, by=cast.support, at=LATER, because="No.")


def test_page_of_an_exception_leads_to_one_decision_for_all(cast: Cast, erp: Connection, signed_in: SignIn):
    cases = [refused(erp, f"490000000{number}") for number in (1, 2, 3)]
    clerk, controller = signed_in(cast.clerk), signed_in(cast.controller)
    shown = text_of(clerk.get(reverse("exceptions:case", args=[cases[0].ref])))
    assert (
        "The product family “ROBOTICS” is not mapped to a revenue account. 3 open exceptions have this value." in shown
    )
    assert "Map this value for all 3 exceptions" in shown
    new = reverse("exceptions:value_mapping_new")
    query = {"kind": "product_family", "connection": erp.slug, "entity": "NL01", "source_value": "ROBOTICS"}
    listed = text_of(clerk.get(new, query))
    assert "3 open exceptions" in listed
    assert "Look at what it mends" in listed

    post = reverse("exceptions:value_mapping_propose")
    looked = _post(clerk, post, {})
    assert looked.status_code == 200
    assert "Propose it with these exceptions" in text_of(looked)
    assert not MappingProposal.objects.exists()
    items = ",".join(f"{case.pk}-{case.revision}" for case in cases)
    assert f'name="items" value="{items}"' in text_of(looked)
    assert _post(clerk, post, {"items": items}).status_code == 302
    proposal = MappingProposal.objects.get()
    decided = text_of(controller.get(page(proposal)))
    assert "3 open exceptions go with it, corrected by these rows, as batch" in decided
    assert "On closed exceptions" in decided
    assert "G/L account: <code>—</code> → <code>800400</code>" in decided
    assert f"Look at {cases[0].ref}" in decided
    approval = {"frozen_sha256": proposal.frozen_sha256, "agreed": "on"}
    assert controller.post(page(proposal, "approve"), approval).status_code == 302
    assert ReplayBatch.objects.get().state == "running"


def test_money_of_exceptions_is_for_who_sees_them_all(cast: Cast, erp: Connection, signed_in: SignIn):
    case = refused(erp, "4900000001")
    wanted = scope(cast, connection=erp, queue=cast.holds)
    mends = {case.pk: case.revision}
    proposal = propose_mapping(wanted, [FAMILY], by=cast.clerk, at=LATER, because=WHY, mends=mends)
    guest = person("guest", "Gerda Guest")
    grant(guest, [Verb.SEE], cast.holds, cast.netherlands)
    for reader, sees in ((cast.controller, True), (guest, False)):
        answer = signed_in(reader).get(page(proposal))
        shown = text_of(answer)
        assert "1 open exception goes with it" in shown
        assert (case.counterparty in shown, "You do not see all of them" in shown) == (sees, not sees)
        assert (answer.context["contents"] is not None) == sees


def _post(client: Client, address: str, more: dict[str, str]) -> Any:
    return client.post(address, TYPED | {"valid_from": "2026-01-01"} | more)


def test_mapping_alone_may_be_proposed(cast: Cast, erp: Connection, signed_in: SignIn):
    refused(erp, "4900000001")
    answer = _post(signed_in(cast.clerk), reverse("exceptions:value_mapping_propose"), {"only_mapping": "on"})
    assert answer.status_code == 302
    assert MappingProposal.objects.get().batch is None


def test_what_it_mends_is_found_in_as_many_queries_for_one_as_for_fifty(
    cast: Cast, erp: Connection, django_assert_num_queries: DjangoAssertNumQueries
):
    counted = []
    number = 0
    for wanted in (1, 3, 50):
        while number < wanted:
            number += 1
            refused(erp, f"49000{number:05}")
        with django_assert_num_queries(8):
            counted.append(len(found_with(cast, erp)))
    assert counted == [1, 3, 50]


def found_with(cast: Cast, erp: Connection) -> list[Mend]:
    rows = Rows(kind="product_family", connection=erp, entity_id=None, rows=[FAMILY])
    return mends_of(rows, by=cast.clerk, reach=reach_of(cast.clerk))
