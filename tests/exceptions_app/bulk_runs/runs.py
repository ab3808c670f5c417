"""Bulk runs as a person starts them, and what came of each exception."""

from collections.abc import Sequence
from uuid import UUID, uuid4

from exceptions_app.actions import bulk_carry
from exceptions_app.actions.bulk_start import frozen_bulk_hash, start_bulk
from exceptions_app.bulk_states import BulkKind, Instruction
from exceptions_app.models import BulkItem, BulkRun, ExceptionCase, PayloadVersion
from integrations.connectors.en16931 import connector
from integrations.records.record import RecordField
from tests.cast import MORNING
from workbench.models import User

NEVER = float("inf")


def start(
    cases: Sequence[ExceptionCase], *, by: User, kind: BulkKind = BulkKind.COMMENT, key: UUID | None = None, **more: str
) -> BulkRun:
    """A run over these as they are now; a comment unless another kind is given."""
    if kind is BulkKind.COMMENT:
        more = {"text": "Seen.", **more}
    instruction = Instruction(kind=kind, **more)
    fresh = list(ExceptionCase.objects.filter(pk__in=[case.pk for case in cases]).order_by("pk"))
    revisions = {case.pk: case.revision for case in fresh}
    shown = frozen_bulk_hash(instruction, fresh, revisions)
    return start_bulk(instruction, revisions, by=by, at=MORNING, frozen_sha256=shown, key=key or uuid4())


def carry_on(run: BulkRun) -> BulkRun:
    """All that is left of it."""
    bulk_carry.carry_on(run.pk, ends_at=NEVER)
    run.refresh_from_db()
    return run


def outcomes(run: BulkRun) -> list[tuple[str, str]]:
    """State and reason of each item, in the order of their turns."""
    items = BulkItem.objects.filter(run=run).order_by("position").values_list("outcome__state", "outcome__detail")
    return [(state or "left", detail or "") for state, detail in items]


def field_of(case: ExceptionCase, term: str) -> RecordField:
    """A business field of the latest version."""
    latest = PayloadVersion.objects.filter(case=case).order_by("-number")[0]
    return next(found for found in connector.read(bytes(latest.content)).fields if found.term == term)
