"""Proposing rows of a value mapping."""

import pytest

from audit.queries import timeline
from exceptions_app.actions.mapping_propose import Scope, propose_mapping, withdraw_mapping
from exceptions_app.actions.mover import Invalid
from exceptions_app.mapping_states import MappingMoveNotAllowed
from exceptions_app.models import LegalEntity, MappingEntry, MappingProposal, ValueMapping
from exceptions_app.policies import NotPermitted
from exceptions_app.value_rows import RowsInvalid, WrittenRow
from tests.cast import MORNING, Cast
from tests.concurrency import at_the_same_time
from tests.exceptions_app.value_mappings.mapping import WHY, mapped, propose, row, scope

pytestmark = pytest.mark.django_db


def test_first_proposal_begins_the_mapping_and_nothing_holds_yet(cast: Cast):
    proposal = propose(cast, row(begins="2026-11-01"))
    mapping = proposal.mapping
    assert (mapping.kind, mapping.version, mapping.queue, mapping.entity) == (
        "product_family", 0, cast.einvoicing, cast.netherlands,
    )  # fmt: skip
    assert mapping.title == "Product families to Tax authority, NL01"
    [written] = proposal.rows.all()
    assert (written.source_value, written.target_value, str(written.valid_from), written.valid_to) == (
        "ROBOTICS", "800400", "2026-11-01", None,
    )  # fmt: skip
    assert not MappingEntry.objects.exists()
    begun, proposed = timeline(mapping.subject)
    assert (begun.action, proposed.action) == ("value_mapping.begun", "value_mapping.proposed")
    assert proposed.scope == f"connection/{cast.connection.slug}"
    assert proposed.data["rows"] == [{"source": "ROBOTICS", "target": "800400", "from": "2026-11-01", "to": ""}]
    assert proposed.data["frozen_sha256"] == proposal.frozen_sha256


def test_second_proposal_is_for_the_same_mapping_and_keeps_its_owner(cast: Cast):
    first = propose(cast)
    second = propose(cast, row("DRONES"), queue=cast.holds)
    assert second.mapping_id == first.mapping_id
    assert ValueMapping.objects.get().queue == cast.einvoicing


def test_mapping_for_all_legal_entities_is_another_one(cast: Cast):
    assert propose(cast).mapping_id != propose(cast, entity=None).mapping_id


@pytest.mark.parametrize(
    ("rows", "column", "problem"),
    [
        ([], "source_value", "There is no row."),
        ([row("")], "source_value", "It is empty."),
        ([row("x" * 101)], "source_value", "It has 101 characters, more than 100."),
        ([row(target="8\n0")], "target_value", "It has a character that cannot be seen"),
        ([row(begins="2026-11-02", ends="2026-11-01")], "valid_to", "It is before the first day, 2026-11-02."),
        ([row(ends="2026-11-30"), row(begins="2026-11-30")], "valid_from", "“ROBOTICS” has row 1 for some of these"),
        ([row(target="")], "target_value", "It is empty, and nothing holds on these days that could end."),
    ],
)
def test_row_that_cannot_be_used_is_refused_with_its_column(
    cast: Cast, rows: list[WrittenRow], column: str, problem: str
):
    with pytest.raises(RowsInvalid) as refused:
        propose_mapping(scope(cast), rows, by=cast.clerk, at=MORNING, because=WHY)
    [fault] = refused.value.faults
    assert fault.column == column
    assert fault.problem.startswith(problem)
    assert fault.remedy
    assert not MappingProposal.objects.exists()
    assert not ValueMapping.objects.exists()


def test_all_that_is_wrong_is_said_at_once(cast: Cast):
    with pytest.raises(RowsInvalid) as refused:
        propose(cast, row(""), row("A"), row("A", ends="2026-01-01"))
    assert [str(fault)[:20] for fault in refused.value.faults] == ["Row 1, Source value:", "Row 3, Valid from: “"]


def test_row_that_holds_already_is_refused(cast: Cast):
    mapped(cast, row())
    with pytest.raises(RowsInvalid) as refused:
        propose(cast, row(begins="2026-11-01"))
    assert [fault.problem for fault in refused.value.faults] == ["This holds already."]


@pytest.mark.parametrize(
    ("changes", "field"), [({"kind": "colour"}, "kind"), ({"queue": None}, "queue"), ({"because": " "}, "because")]
)
def test_what_is_missing_is_named(cast: Cast, changes: dict[str, object], field: str):
    because = str(changes.pop("because", WHY))
    with pytest.raises(Invalid) as refused:
        propose_mapping(scope(cast, **changes), [row()], by=cast.clerk, at=MORNING, because=because)
    assert refused.value.field == field


def test_legal_entity_to_which_no_route_leads_is_refused(cast: Cast):
    germany = LegalEntity.objects.get(code="DE01")
    with pytest.raises(Invalid, match="No route leads from Tax authority"):
        propose(cast, entity=germany)


def test_who_may_not_propose_there_is_refused_with_the_reason(cast: Cast):
    for person in (cast.support, cast.auditor, cast.outsider, cast.administrator):
        with pytest.raises(NotPermitted, match=r"You may not propose in E-invoicing for Meridian Industries NV\."):
            propose_mapping(scope(cast), [row()], by=person, at=MORNING, because=WHY)
    with pytest.raises(NotPermitted):
        propose_mapping(scope(cast, queue=cast.holds), [row()], by=cast.local_clerk, at=MORNING, because=WHY)


def test_proposer_alone_withdraws_and_only_once(cast: Cast):
    proposal = propose(cast)
    with pytest.raises(NotPermitted, match="Only the person who proposed it may withdraw it"):
        withdraw_mapping(proposal.pk, by=cast.second_clerk, at=MORNING)
    withdrawn = withdraw_mapping(proposal.pk, by=cast.clerk, at=MORNING, because="Wrong account.")
    assert (withdrawn.state, withdrawn.closed_because) == ("withdrawn", "Wrong account.")
    with pytest.raises(MappingMoveNotAllowed, match="the proposal is withdrawn"):
        withdraw_mapping(proposal.pk, by=cast.clerk, at=MORNING)


@pytest.mark.django_db(transaction=True)
def test_two_people_at_the_same_time_begin_one_mapping(cast: Cast):
    def call(who: str, source: str) -> MappingProposal:
        wanted: Scope = scope(cast)
        person = cast.clerk if who == "clerk" else cast.second_clerk
        return propose_mapping(wanted, [row(source)], by=person, at=MORNING, because=WHY)

    first, second = at_the_same_time([lambda: call("clerk", "A"), lambda: call("second", "B")])
    assert first.mapping_id == second.mapping_id
    assert ValueMapping.objects.count() == 1
