"""Value mappings in the audit trail, and the lock under which they change."""

from collections.abc import Mapping
from datetime import datetime

from django.contrib.auth.models import AbstractUser

from audit import log
from exceptions_app.machines import is_machine
from exceptions_app.models import MappingProposal, ValueMapping


def lock_mapping(mapping_id: int) -> ValueMapping:
    """The row, locked until the transaction ends. Whoever locks a batch or exceptions as well locks it first."""
    rows = ValueMapping.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("connection", "entity", "queue").get(pk=mapping_id)


def lock_proposal(proposal_id: int) -> MappingProposal:
    """The proposal with its mapping, both locked."""
    mapping = lock_mapping(MappingProposal.objects.values_list("mapping_id", flat=True).get(pk=proposal_id))
    rows = MappingProposal.objects.select_for_update(of=("self",), no_key=True)
    proposal = rows.select_related("proposer", "batch").get(pk=proposal_id)
    proposal.mapping = mapping
    return proposal


def record(
    mapping: ValueMapping,
    name: str,
    *,
    by: AbstractUser,
    at: datetime,
    summary: str,
    because: str = "",
    data: Mapping[str, object] | None = None,
) -> None:
    """An event about a mapping. Whoever may read the log where its connection's routes lead may read it."""
    log.record(
        name,
        subject=mapping.subject,
        scope=f"connection/{mapping.connection.slug}",
        actor=by.get_username(),
        actor_kind="machine" if is_machine(by) else "person",
        at=at,
        summary=summary,
        because=because,
        data=data or {},
        correlation_id=mapping.ref,
    )
