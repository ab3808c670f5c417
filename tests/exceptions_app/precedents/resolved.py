"""Exceptions that ended well after a correction, written as rows, and one that has the same problem now."""

from django.db import transaction

from exceptions_app.actions.mover import lock, move
from exceptions_app.machines import WORKER, machine
from exceptions_app.models import Cause, Decision, ExceptionCase, LegalEntity, Proposal
from exceptions_app.states import Action, Outcome
from tests import factories
from tests.cast import MORNING, Cast
from tests.exceptions_app.views.repair import take_in, with_value
from tests.invoices import valid_invoice

TERM, LABEL = "BT-130", "Quantity unit of measure code"
WRONG, RIGHT = "PCS", "H87"


def refused(cast: Cast, number: str = "INV-1001") -> ExceptionCase:
    """An invoice whose first line is counted in a unit that there is not, taken in as the official check refuses it."""
    return take_in(cast, with_value(valid_invoice(number), TERM, WRONG), external_id=number)


@transaction.atomic
def resolved(
    cast: Cast,
    cause: Cause,
    *values: str,
    was: str = WRONG,
    term: str = TERM,
    label: str = LABEL,
    entity: LegalEntity | None = None,
    counterparty: str = "Van Loon Koeltechniek B.V.",
    outcome: Outcome = Outcome.REPLAYED,
) -> ExceptionCase:
    """One that was corrected to each of the values after another, approved and booked."""
    case = factories.make_case(cast, cause=cause, entity=entity, counterparty=counterparty)
    path = f"/Invoice/Line[{case.pk}]/{term}"
    for before, value in zip((was, *values), values, strict=False):
        change = {"term": term, "label": label, "group": "Line 1", "path": path, "was": before, "will_be": value}
        factories.make_version(case, cast.clerk, changes=[change])
    proposal = factories.make_proposal(case, cast.clerk)
    Decision.objects.create(
        proposal=proposal, verdict=Decision.Verdict.APPROVED, decider=cast.controller,
        frozen_sha256=proposal.frozen_sha256, decided_at=MORNING,
    )  # fmt: skip
    proposal.state = Proposal.State.APPROVED
    proposal.closed_at = MORNING
    move(lock(case.pk), Action.APPROVE, by=cast.controller, at=MORNING, summary="Approved.")
    proposal.save(update_fields=["state", "closed_at"])
    return move(
        lock(case.pk), Action.RESOLVE, by=machine(WORKER), at=MORNING, summary="Booked.", outcome=outcome.value,
        closed_at=MORNING,
    )  # fmt: skip
