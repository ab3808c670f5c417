"""What the database refuses about value mappings, whoever writes."""

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from exceptions_app.actions import mapping_log
from exceptions_app.models import MappingDecision, MappingEntry, MappingProposal, ValueMapping
from tests.cast import MORNING, Cast
from tests.exceptions_app.value_mappings.mapping import mapped, propose, row

pytestmark = pytest.mark.django_db(transaction=True)


def write(statement: str, *, about: ValueMapping | None = None, **values: int | str) -> None:
    """One statement in a transaction, with an event about the mapping when one is given."""
    with transaction.atomic(), connection.cursor() as cursor:
        if about is not None:
            mapping_log.record(about, "value_mapping.approved", by=about.created_by, at=MORNING, summary="Forged.")
        cursor.execute(statement, values)


@pytest.fixture
def mapping(cast: Cast) -> ValueMapping:
    return mapped(cast, row(ends="2026-11-30"))


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE exceptions_app_valuemapping SET version = version + 2", "does not follow"),
        ("UPDATE exceptions_app_valuemapping SET kind = 'tax_code', version = version + 1", "kind is never changed"),
        ("DELETE FROM exceptions_app_valuemapping", "never deleted"),
        ("UPDATE exceptions_app_mappingrow SET target_value = 'x'", "rows of this table are never changed"),
        ("UPDATE exceptions_app_mappingdecision SET verdict = 'rejected'", "rows of this table are never changed"),
        ("UPDATE exceptions_app_mappingproposal SET state = 'withdrawn'", "is approved and stays so"),
        ("UPDATE exceptions_app_mappingproposal SET frozen_sha256 = 'x'", "frozen_sha256 is never changed"),
        ("DELETE FROM exceptions_app_mappingproposal", "never deleted"),
        ("UPDATE exceptions_app_mappingentry SET target_value = 'x'", "target_value is never changed"),
        ("UPDATE exceptions_app_mappingentry SET valid_to = NULL", "valid_to is never changed"),
        ("UPDATE exceptions_app_mappingentry SET retired_in = 1", "was retired already"),
        ("DELETE FROM exceptions_app_mappingentry", "never deleted"),
    ],
)
def test_database_refuses_even_with_an_event(mapping: ValueMapping, statement: str, says: str):
    with pytest.raises(DatabaseError, match=says):
        write(statement, about=mapping)


def test_change_without_an_event_is_refused(mapping: ValueMapping):
    with pytest.raises(IntegrityError, match="no audit event about value_mapping:VM-"):
        write("UPDATE exceptions_app_valuemapping SET version = version + 1")


_ENTRY = """
    INSERT INTO exceptions_app_mappingentry (mapping_id, row_id, source_value, target_value, valid_from, valid_to,
        version) SELECT mapping_id, row_id, {source}, {target}, {begins}, {ends}, version
    FROM exceptions_app_mappingentry LIMIT 1
"""


@pytest.mark.parametrize(
    ("source", "target", "begins", "ends", "says"),
    [
        ("source_value", "target_value", "DATE '2026-11-01'", "DATE '2026-11-02'", "mapping_entry_one_a_day"),
        ("source_value", "target_value", "DATE '2026-12-01'", "DATE '2026-12-02'", "was not approved"),
        ("'DRONES'", "target_value", "valid_from", "valid_to", "was not approved"),
        ("source_value", "''", "DATE '2026-12-01'", "NULL", "mapping_entry_has_both_values"),
    ],
)
def test_entry_that_was_not_approved_or_overlaps_is_refused(
    mapping: ValueMapping, source: str, target: str, begins: str, ends: str, says: str
):
    with pytest.raises(IntegrityError, match=says):
        write(_ENTRY.format(source=source, target=target, begins=begins, ends=ends), about=mapping)
    assert MappingEntry.objects.count() == 1


_DECIDE = """
    INSERT INTO exceptions_app_mappingdecision (proposal_id, verdict, decider_id, frozen_sha256, because, decided_at)
    VALUES (%(proposal)s, 'approved', %(decider)s, %(shown)s, '', now())
"""


def test_four_eyes_hold_in_the_database_too(cast: Cast):
    proposal = propose(cast)
    values: dict[str, int | str] = {"proposal": proposal.pk, "shown": proposal.frozen_sha256}
    with pytest.raises(IntegrityError, match="four eyes"):
        write(_DECIDE, about=proposal.mapping, **values, decider=cast.clerk.pk)
    with pytest.raises(IntegrityError, match="is for other rows"):
        write(_DECIDE, about=proposal.mapping, **values | {"shown": "x"}, decider=cast.controller.pk)
    with pytest.raises(IntegrityError, match="without such a decision"):
        write("UPDATE exceptions_app_mappingproposal SET state = 'approved'", about=proposal.mapping)
    assert not MappingDecision.objects.exists()
    assert MappingProposal.objects.get().state == "awaiting_approval"


def test_proposal_without_its_rows_is_refused(cast: Cast):
    proposal = propose(cast)
    with pytest.raises(IntegrityError, match="has not the 1 rows that it says"):
        write(
            """INSERT INTO exceptions_app_mappingproposal (mapping_id, state, policy_version, count, frozen_sha256,
            proposer_id, because, proposed_at, closed_because) SELECT mapping_id, state, policy_version, count,
            frozen_sha256, proposer_id, because, proposed_at, closed_because FROM exceptions_app_mappingproposal""",
            about=proposal.mapping,
        )
